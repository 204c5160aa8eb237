-- Purpose: is there a schema of that name?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the name.
-- Outputs: true or false.
select exists (select from pg_namespace where nspname = $1);
