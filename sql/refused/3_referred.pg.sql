-- Purpose: the table of ours that somebody's foreign key refers to.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema and $2 name of the table that has the key, $3 the key's name, $4 the schema of the production
--          tables, $5 their names.
-- Outputs: the name of the production table; no row if the key refers to something else.
with recursive line as (
    select confrelid as oid
    from pg_constraint
    where contype = 'f' and conname = $3 and conrelid = to_regclass(format('%I.%I', $1::text, $2::text))
    union all
    select inhparent from line join pg_inherits on inhrelid = line.oid
)
select relname::text
from line join pg_class on pg_class.oid = line.oid join pg_namespace on pg_namespace.oid = relnamespace
where nspname = $4 and relname = any ($5::text[])
limit 1;
