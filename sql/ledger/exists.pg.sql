-- Purpose: is there a table of that name?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the schema, $2 the table.
-- Outputs: true or false.
select exists (
    select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $1 and relname = $2
);
