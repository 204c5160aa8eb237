-- Purpose: which rights a run lacks.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema of the tables, $2 schema of the ledger, $3 schema for staging; $4 the parent table, $5 tables of
--          its rows, $6 tables that are kept beside them; $7 does the ledger have to be created or migrated?
--          $8 all tables that a load creates in the schema for staging; $9 derived tables and views, which are created if
--          they are missing; $10 those of them that are only read: views, and the tables under them that others fill; $11 those that a run updates
--          in place.
-- Outputs: a row for each right that is missing: what it is, and the statement that grants it.
with tables (name, rights) as (
    select $4::text, array['select', 'insert', 'update', 'delete']
    union all
    select name, array['select', 'insert', 'delete'] from unnest($5::text[]) as name
    union all
    select name, array['select', 'insert', 'update'] from unnest($6::text[]) as name
    union all
    select name, array['select'] from unnest($10::text[]) as name
    union all
    select name, array['select', 'insert', 'update', 'delete'] from unnest($11::text[]) as name
),
production as (
    select class.oid, class.relname, class.relowner, tables.rights
    from tables
        join pg_class as class on class.relname = tables.name
        join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1
),
ledger as (
    select
        class.oid,
        class.relname,
        case
            when class.relname in ('record_origins', 'slice_origins', 'undo_records', 'undo_slices', 'plans')
                then array['select', 'insert', 'update', 'delete']
            else array['select', 'insert', 'update']
        end as rights
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $2
        and class.relkind in ('r', 'p')
        -- Before-images need more rights, see below.
        and class.relname !~ '^before_[0-9]+_'
),
-- A run creates those that are missing.
unimaged as (
    select production.relname
    from production
    where 'insert' = any (production.rights)
        and production.relname <> all ($9::text[])
        and not exists (
            select
            from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
            where namespace.nspname = $2 and class.relname ~ ('^before_[0-9]+_' || left(production.relname, 40) || '$')
        )
),
schemas (name, needs_create) as (
    values
        (
            $1::text,
            not exists (select from production)
            or exists (
                select from unnest($9::text[]) as derived (name)
                where not exists (
                    select
                    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
                    where namespace.nspname = $1 and class.relname = derived.name
                )
            )
        ),
        ($2::text, $7::boolean),
        ($3::text, true)
),
rights (place, name, is_there, statement) as (
    select
        1,
        format('%s on database %s', wanted.name, current_database()),
        has_database_privilege(current_database(), wanted.name),
        format('grant %s on database %I to %I;', wanted.name, current_database(), current_user)
    from (
        select 'temporary' as name
        union all
        select 'create' where exists (
            select from schemas where not exists (select from pg_namespace where nspname = schemas.name)
        )
    ) as wanted
    union all
    select
        2,
        format('%s on schema %s', wanted.name, schemas.name),
        has_schema_privilege(namespace.oid, wanted.name),
        format('grant %s on schema %I to %I;', wanted.name, schemas.name, current_user)
    from schemas
        join pg_namespace as namespace on namespace.nspname = schemas.name
        cross join (values ('usage'), ('create')) as wanted (name)
    where wanted.name = 'usage' or schemas.needs_create
    union all
    select
        3,
        format('%s on %s.%s', wanted.name, $1, production.relname),
        has_table_privilege(production.oid, wanted.name),
        format('grant %s on %I.%I to %I;', wanted.name, $1, production.relname, current_user)
    from production cross join unnest(production.rights) as wanted (name)
    union all
    select
        4,
        format('%s on %s.%s', wanted.name, $2, ledger.relname),
        has_table_privilege(ledger.oid, wanted.name),
        format('grant %s on %I.%I to %I;', wanted.name, $2, ledger.relname, current_user)
    from ledger cross join unnest(ledger.rights) as wanted (name)
    union all
    -- A load drops what the last load has left.
    select
        5,
        format('ownership of %s.%s', $3, class.relname),
        pg_has_role(class.relowner, 'usage'),
        format('alter table %I.%I owner to %I;', $3, class.relname, current_user)
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $3
        and class.relkind = 'r'
        and class.relname = any ($8::text[])
    union all
    -- Without this right a run goes on, but cannot be undone.
    select
        6,
        format('create on schema %s, for before-images', namespace.nspname),
        has_schema_privilege(namespace.oid, 'create'),
        format('grant create on schema %I to %I;', namespace.nspname, current_user)
    from pg_namespace as namespace
    where namespace.nspname = $2 and not $7 and exists (select from unimaged)
    -- Only their owner sees and deletes before-images.
    union all
    select
        7,
        format('ownership of %s.%s', $2, class.relname),
        pg_has_role(class.relowner, 'usage'),
        format('alter table %I.%I owner to %I;', $2, class.relname, current_user)
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $2 and class.relkind = 'r' and class.relname ~ '^before_[0-9]+_'
    union all
    -- A migration of the ledger alters existing objects.
    select
        6,
        format('ownership of %s.%s', $2, class.relname),
        pg_has_role(class.relowner, 'usage'),
        format('alter table %I.%I owner to %I;', $2, class.relname, current_user)
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where $7 and namespace.nspname = $2 and class.relkind in ('r', 'p') and class.relname !~ '^before_[0-9]+_'
)
select name, statement
from rights
where not is_there
order by place, name;
