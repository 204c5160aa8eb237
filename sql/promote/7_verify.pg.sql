-- Purpose: does a table hold of this batch's records what was staged, and nothing else?
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, last: only of tables on which something
--          stands that is not ours
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
