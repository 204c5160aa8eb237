-- Purpose: is a view as the dataset defines it?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 name; in pg_temp the view of that name, as the dataset creates it over the same tables.
-- Outputs: one row: relation_kind, null if nothing has that name; is_same; is_replaceable: its columns are the first
--          columns of ours, in name, type and order, so that ours can replace it; owner, null if we may act as it; me, our
--          role; definition, the view's current one. Its options (security_invoker) belong to its owner and are not compared.
with named as (
    select
        class.oid,
        class.relkind,
        class.relowner,
        class.relnamespace = pg_my_temp_schema() as is_wanted
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where class.relname = $2 and (namespace.nspname = $1 or class.relnamespace = pg_my_temp_schema())
),
sides as (
    select
        named.relkind,
        named.is_wanted,
        case when not pg_has_role(named.relowner, 'usage') then pg_get_userbyid(named.relowner)::text end as owner,
        case when named.relkind = 'v' then pg_get_viewdef(named.oid) end as definition,
        (
            select array_agg(
                format('%s %s %s', attname, format_type(atttypid, atttypmod), attcollation) order by attnum
            )
            from pg_attribute
            where attrelid = named.oid and attnum > 0 and not attisdropped
        ) as columns
    from named
)
select
    found.relkind::text as relation_kind,
    coalesce((found.definition, found.columns) = (wanted.definition, wanted.columns), false) as is_same,
    coalesce(found.columns = wanted.columns[1:cardinality(found.columns)], false) as is_replaceable,
    found.owner,
    current_user::text as me,
    found.definition
from sides as wanted left join sides as found on not found.is_wanted
where wanted.is_wanted;
