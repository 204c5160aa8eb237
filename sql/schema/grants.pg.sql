-- Purpose: the owner, rights and options of a table or a view, so that its replacement can get the
--          same ones.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 name.
-- Outputs: a row for its owner and one for each right of somebody else and each option of a view: column_name (null: the
--          whole), statement that grants it, statement that revokes it, whether the default privileges of the schema give it to
--          each new table. The owner comes first.
with relation as (
    select class.oid, class.relowner, class.relnamespace, class.relacl, class.reloptions, class.relkind, format('%I.%I', namespace.nspname, class.relname) as place
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = $2 and class.relkind in ('r', 'p', 'v')
),
rights as (
    select null::name as column_name, relation.place, relation.relowner, item.*
    from relation cross join aclexplode(relation.relacl) as item
    union all
    select attribute.attname, relation.place, relation.relowner, item.*
    from relation
        join pg_attribute as attribute on attribute.attrelid = relation.oid and not attribute.attisdropped
        cross join aclexplode(attribute.attacl) as item
),
named as (
    select
        column_name::text as column_name,
        place,
        lower(privilege_type) || coalesce(' (' || quote_ident(column_name) || ')', '') as what,
        case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as grantee,
        is_grantable,
        column_name is null and exists (
            select
            from relation
                join pg_default_acl as given on given.defaclobjtype = 'r' and given.defaclnamespace in (0, relation.relnamespace)
                cross join aclexplode(given.defaclacl) as item
            where item.grantee = rights.grantee and item.privilege_type = rights.privilege_type
        ) as is_default
    from rights
    where grantee <> relowner
),
statements as (
    select
        0 as position,
        null as column_name,
        -- As the owner's role, or as a role that may act as the owner.
        format('alter %s %s owner to %I;', case when relkind = 'v' then 'view' else 'table' end, place, pg_get_userbyid(relowner))
            as grant_it,
        '' as revoke_it,
        false as is_default
    from relation
    union all
    select
        1,
        column_name,
        format('grant %s on %s to %s%s;', what, place, grantee, case when is_grantable then ' with grant option' else '' end),
        format('revoke %s on %s from %s;', what, place, grantee),
        is_default
    from named
    union all
    select
        2,
        null,
        format('alter view %s set (%I = %L);', place, option_name, option_value),
        format('alter view %s reset (%I);', place, option_name),
        false
    from relation cross join pg_options_to_table(reloptions)
    where relkind = 'v'
)
select column_name, grant_it, revoke_it, is_default
from statements
order by position, column_name nulls first, grant_it;
