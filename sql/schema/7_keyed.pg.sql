-- Purpose: give tables back the identity that they have by themselves, now that they have a key.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables that the transaction has made.
-- Outputs: statements, one a table that is identified by whole rows and has a primary key.
select format('alter table %I.%I replica identity default;', namespace.nspname, class.relname) as statement
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1
    and class.relname = any ($2::text[])
    and class.relreplident = 'f'
    and exists (select from pg_index as index where index.indrelid = class.oid and index.indisprimary)
order by class.relname;
