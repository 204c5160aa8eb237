-- Purpose: some keys of what a dry run would change in one table.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"staging".:"table" (the rows that were loaded), :"key", pg_temp.removed.
-- Outputs: change (inserted, replaced, deleted: what 5_changes.pg.sql counts as such) and up to three keys of each.
with loaded as (
    select :"key" as record_id, count(*) as rows from :"staging".:"table" group by :"key"
),
gone as (
    select record_id, rows from pg_temp.removed where table_name = :'table'
),
rows as (
    select record_id, coalesce(loaded.rows, 0) as new, coalesce(gone.rows, 0) as old
    from loaded full join gone using (record_id)
),
change as (
    select 1 as place, 'inserted' as change, record_id from rows where new > old
    union all
    select 2, 'replaced', record_id from rows where least(new, old) > 0
    union all
    select 3, 'deleted', record_id from rows where old > new
),
numbered as (
    select place, change, record_id, row_number() over (partition by change order by record_id) as n from change
)
select change, array_agg(record_id order by record_id) as keys
from numbered
where n <= 3
group by place, change
order by place;
