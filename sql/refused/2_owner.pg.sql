-- Purpose: the table of ours that a table is, or is a partition or a child of.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 its schema, $2 its name, $3 the schema of the production tables, $4 their names.
-- Outputs: the name of the production table; no row if it is somebody else's.
with recursive line as (
    select to_regclass(format('%I.%I', $1::text, $2::text))::oid as oid
    union all
    select inhparent from line join pg_inherits on inhrelid = line.oid
)
select relname::text
from line join pg_class on pg_class.oid = line.oid join pg_namespace on pg_namespace.oid = relnamespace
where nspname = $3 and relname = any ($4::text[])
limit 1;
