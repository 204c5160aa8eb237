-- Purpose: the published dictionary: descriptions of tables, views and their columns.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'schema', :'dictionary': a JSON list of objects with table, column (null: the table itself) and about.
-- Outputs: the CSV on standard output: table, column (empty for the table itself), type and description, of what exists.
copy (
    with said as (
        select
            entry.value ->> 'table' as table_name,
            entry.value ->> 'column' as column_name,
            entry.value ->> 'about' as about,
            entry.position
        from jsonb_array_elements(:'dictionary'::jsonb) with ordinality as entry (value, position)
    ),
    relation as (
        select class.oid, class.relname, class.relkind
        from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname = :'schema' and class.relkind in ('r', 'p', 'v')
    )
    select
        said.table_name as "table",
        said.column_name as "column",
        case
            -- A geometry type without the schema of its extension.
            when said.column_name is not null
                then regexp_replace(format_type(attribute.atttypid, attribute.atttypmod), '^("[^"]+"|\w+)\.', '')
            when relation.relkind = 'v' then 'view'
            else 'table'
        end as "type",
        said.about as description
    from said
        join relation on relation.relname = said.table_name
        left join pg_attribute as attribute
            on attribute.attrelid = relation.oid
            and attribute.attname = said.column_name
            and attribute.attnum > 0
            and not attribute.attisdropped
    where said.column_name is null or attribute.attnum is not null
    order by said.position
) to stdout with (format csv, header true)
