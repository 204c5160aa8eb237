-- Purpose: does oca_metadata say of this batch's cases what the plan says?
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, last: only if something stands on it that is
--          not ours
-- Inputs:  :"schema".oca_metadata, pg_temp.plan.
-- Outputs: one row a table with a difference: table_name; missing, cases of which it does not say it; unexpected, none.
with found as (
    -- One that was taken over without its key may hold a case twice.
    select
        indexnumberid,
        min(initialdate) as initialdate,
        max(updatedate) as updatedate,
        min(deletedate) as deletedate
    from :"schema".oca_metadata
    where indexnumberid in (select record_id from pg_temp.plan)
    group by indexnumberid
),
missing as (
    select record_id, initialdate, updatedate, deletedate from pg_temp.plan
    except
    select indexnumberid, initialdate, updatedate, deletedate from found
)
select 'oca_metadata' as table_name, count(*) as missing, 0::bigint as unexpected
from missing
having count(*) > 0;
