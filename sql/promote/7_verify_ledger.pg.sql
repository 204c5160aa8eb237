-- Purpose: does the ledger say of this batch what was written into it?
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, last: only if something stands on the ledger's
--          tables that is not ours
-- Inputs:  :'run_id', :batch, :'dataset', :'schema', pg_temp.plan; :is_replaced (no record has an origin of its own); :"ledger".parts and
--          record_origins.
-- Outputs: one row a table with a difference: table_name; missing and unexpected, numbers of rows.
with origins as (
    select
        count(*) filter (where plan.action = 'load' and origin.record_id is null and not :is_replaced) as missing,
        count(*) filter (where plan.action = 'delete' and known.record_id is not null) as unexpected
    from pg_temp.plan
        left join :"ledger".record_origins as known
            on known.dataset = :'dataset'
            and known.target_schema = :'schema'
            and known.record_id = plan.record_id
        left join :"ledger".record_origins as origin
            on origin.dataset = known.dataset
            and origin.target_schema = known.target_schema
            and origin.record_id = known.record_id
            and origin.part_id = plan.part_id
            and origin.ordinal = plan.ordinal
),
pending as (
    select count(*) as missing
    from :"ledger".parts
    where run_id = :'run_id' and batch = :batch and status = 'pending'
),
differences as (
    select 'record_origins' as table_name, missing, unexpected from origins
    union all
    select 'parts', missing, 0 from pending
)
select table_name, missing, unexpected
from differences
where missing > 0 or unexpected > 0
order by table_name;
