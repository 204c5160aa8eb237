-- Purpose: which production tables are not there?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 names, $2 schema.
-- Outputs: the names that are missing.
select name
from unnest($1::text[]) as name
where not exists (
    select
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $2 and relname = name and relkind in ('r', 'p')
)
order by name;
