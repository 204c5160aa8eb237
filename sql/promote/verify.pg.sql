-- Purpose: after the merge: did the server do what the plan says?
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/verify.pg.sql

-- part: constraints  (script, after the merge)
-- Purpose: have deferred constraints looked at before the commit: what they refuse can be mended here, and not there.
-- Inputs:  none.
-- Outputs: none; an error if one is broken.
set constraints all immediate;

-- part: counted  (script)
-- Purpose: where did the server do something else than the plan says?
-- Inputs:  pg_temp.counted: table_name, change (insert, update, delete, or left: rows of deleted records that are still
--          there), expected and found, numbers of rows.
-- Outputs: those that differ. Of a key that a table holds twice, an update finds more rows than records.
select table_name, change, expected, found
from pg_temp.counted
where found < expected or found > expected and change <> 'update'
order by table_name, change;

-- part: verify  (script, last: only of tables on which something stands that is not ours)
-- Purpose: does a table hold of this batch's records what was staged, and nothing else?
-- Inputs:  :"schema".:"table", :"staging".:"table" (without blocked records), :"key", :compared (our columns), pg_temp.plan.
-- Outputs: one row: missing, staged rows that are not there; unexpected, rows that are there and were not staged.
with meant as materialized (
    select :compared from :"staging".:"table"
),
found as materialized (
    select :compared
    from :"schema".:"table"
    where :"key" in (select record_id from pg_temp.plan where action in ('load', 'delete'))
),
missing as (
    select * from meant except all select * from found
),
unexpected as (
    select * from found except all select * from meant
)
select (select count(*) from missing) as missing, (select count(*) from unexpected) as unexpected;

-- part: verify_ledger  (script, last: only if something stands on the ledger's tables that is not ours)
-- Purpose: does the ledger say of this batch what was written into it?
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
            and known.record_id = plan.record_id::text
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
