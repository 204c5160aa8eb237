-- Purpose: which tables have their rows in others: partitioned ones, and those with tables that inherit from them? Of the
--          former COPY takes nothing, of the latter only the table's own rows.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables.
-- Outputs: a row for each such table: its name, and the columns that COPY would take (all but generated ones), as a
--          list of identifiers in their order.
select
    class.relname::text as table_name,
    (
        select string_agg(quote_ident(attname), ', ' order by attnum)
        from pg_attribute
        where attrelid = class.oid and attnum > 0 and not attisdropped and attgenerated = ''
    ) as columns
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1
    and class.relname = any ($2::text[])
    and (class.relkind = 'p' or exists (select from pg_inherits where inhparent = class.oid))
order by table_name;
