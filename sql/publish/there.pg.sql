-- Purpose: which of these tables are there with their columns?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema; $2 names of tables and $3 names of their columns, beside each other.
-- Outputs: the names of the tables of which every column is there.
select wanted.table_name
from unnest($2::text[], $3::text[]) as wanted (table_name, column_name)
    left join (
        select class.relname, attribute.attname
        from pg_class as class
            join pg_namespace as namespace on namespace.oid = class.relnamespace
            join pg_attribute as attribute on attribute.attrelid = class.oid
        where namespace.nspname = $1
            and class.relkind in ('r', 'p')
            and attribute.attnum > 0
            and not attribute.attisdropped
    ) as found on found.relname = wanted.table_name and found.attname = wanted.column_name
group by wanted.table_name
having bool_and(found.attname is not null)
order by wanted.table_name;
