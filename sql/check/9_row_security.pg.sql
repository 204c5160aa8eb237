-- Purpose: on which of our tables do row policies apply to this role? They hide rows, or refuse them.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schemas and $2 names of tables, beside each other.
-- Outputs: a row for each such table, in the order of $2: the table with its schema, the policies (an empty text: none, and
--          then no row is seen), our role, the table's owner, is_forced (they apply to the owner, too).
select
    format('%s.%s', namespace.nspname, class.relname) as table_name,
    coalesce(
        (select string_agg(polname::text, ', ' order by polname) from pg_policy where polrelid = class.oid), ''
    ) as policies,
    current_user::text as role_name,
    pg_get_userbyid(class.relowner)::text as owner_name,
    class.relforcerowsecurity as is_forced
from unnest($1::text[], $2::text[]) with ordinality as wanted (schema_name, table_name, position)
    join pg_namespace as namespace on namespace.nspname = wanted.schema_name
    join pg_class as class on class.relnamespace = namespace.oid and class.relname = wanted.table_name
where class.relrowsecurity and row_security_active(class.oid)
order by wanted.position;
