-- Purpose: find the records whose rows must go.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  pg_temp.plan (made by the dataset), :"schema".:"table" (the parent), :"key".
-- Outputs: pg_temp.touched: records with rows in production that are replaced or deleted;
--          pg_temp.blocked: staged records that stay out; pg_temp.removed: empty.

create temp table touched on commit drop as
select record_id, action
from pg_temp.plan
where action = 'delete'
    or action = 'load' and exists (
        select from :"schema".:"table" as parent where parent.:"key" = plan.record_id
    );

create temp table blocked on commit drop as
select record_id from pg_temp.plan where action <> 'load' and part_id is not null;

create temp table removed (table_name text, record_id text, rows bigint) on commit drop;

analyze pg_temp.touched, pg_temp.blocked;
