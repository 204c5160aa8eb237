-- Purpose: compare the columns of the tables of a schema with those that the dataset creates.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables; the same tables in pg_temp, as the dataset creates them.
-- Outputs: one row a table and column, wanted ones in their order, then others: table_name; relation_kind, null
--          if nothing has that name; column_name; wanted_type and found_type, null if there is no such
--          column; is_out_of_order, columns come before it that should not; is_computed, the
--          server computes its value and accepts none; needs_value, a row without it is refused; statement that
--          adds a wanted column.
with wanted as (
    select
        class.relname as table_name,
        attribute.attname as column_name,
        format_type(attribute.atttypid, attribute.atttypmod) as type,
        row_number() over (partition by class.oid order by attribute.attnum) as position
    from pg_class as class join pg_attribute as attribute on attribute.attrelid = class.oid
    where class.relnamespace = pg_my_temp_schema()
        and class.relname = any ($2::text[])
        and attribute.attnum > 0
        and not attribute.attisdropped
),
relation as (
    select class.oid, class.relname as table_name, class.relkind
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = any ($2::text[])
),
found as (
    select
        relation.table_name,
        attribute.attname as column_name,
        coalesce(base.type, format_type(attribute.atttypid, attribute.atttypmod)) as type,
        attribute.attnum as position,
        attribute.attgenerated <> '' or attribute.attidentity = 'a' as is_computed,
        attribute.attnotnull and not attribute.atthasdef and attribute.attidentity = '' as needs_value
    from relation join pg_attribute as attribute on attribute.attrelid = relation.oid
        -- A domain accepts what its base type accepts, or refuses a value; a domain may be over another domain.
        left join lateral (
            with recursive line as (
                select typtype, typbasetype, typtypmod from pg_type where pg_type.oid = attribute.atttypid
                union all
                select pg_type.typtype, pg_type.typbasetype, pg_type.typtypmod
                from line join pg_type on pg_type.oid = line.typbasetype
            )
            select format_type(line.typbasetype, line.typtypmod) as type
            from line join pg_type on pg_type.oid = line.typbasetype
            where pg_type.typtype <> 'd'
        ) as base on true
    where attribute.attnum > 0 and not attribute.attisdropped
),
both_sides as (
    select
        coalesce(wanted.table_name, found.table_name) as table_name,
        coalesce(wanted.column_name, found.column_name) as column_name,
        wanted.type as wanted_type,
        found.type as found_type,
        wanted.position as wanted_position,
        found.position as found_position,
        found.is_computed,
        found.needs_value
    from wanted full join found using (table_name, column_name)
)
select
    both_sides.table_name::text,
    relation.relkind::text as relation_kind,
    both_sides.column_name::text,
    wanted_type,
    found_type,
    coalesce(
        found_position < max(found_position) filter (where wanted_position is not null) over (
            partition by both_sides.table_name order by wanted_position
        ),
        false
    ) as is_out_of_order,
    coalesce(is_computed, false) as is_computed,
    coalesce(needs_value, false) as needs_value,
    format('alter table %I.%I add column %I %s;', $1, both_sides.table_name, both_sides.column_name, wanted_type) as statement
from both_sides left join relation using (table_name)
order by array_position($2::text[], both_sides.table_name::text), wanted_position, found_position;
