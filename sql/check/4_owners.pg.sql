-- Purpose: who owns the tables.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables.
-- Outputs: the owners, in one text; null if there are no tables.
select string_agg(distinct pg_get_userbyid(class.relowner)::text, ', ')
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1 and class.relname = any ($2::text[]);
