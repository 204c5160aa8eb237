-- Purpose: which rules have others put on the dataset's columns? A row that breaks one is refused.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables; the same tables in pg_temp, as the dataset creates them.
-- Outputs: a row for each rule: table_name, the rule in words, the statement that removes it.
with tables as (
    select wanted.oid as wanted_oid, found.oid as found_oid, wanted.relname as name
    from pg_class as wanted
        join pg_class as found on found.relname = wanted.relname and found.relkind in ('r', 'p')
        join pg_namespace as namespace on namespace.oid = found.relnamespace
    where wanted.relnamespace = pg_my_temp_schema()
        and wanted.relkind = 'r'
        and namespace.nspname = $1
        and wanted.relname = any ($2::text[])
),
columns as (
    select
        tables.found_oid,
        tables.name as table_name,
        attribute.attnum,
        attribute.attname,
        attribute.atttypid,
        format_type(wanted.atttypid, wanted.atttypmod) as wanted_type,
        wanted.attnum is not null as is_ours,
        attribute.attnotnull and not coalesce(wanted.attnotnull, false) as is_filled,
        attribute.attgenerated <> '' as is_generated
    from tables
        join pg_attribute as attribute on attribute.attrelid = tables.found_oid
        left join pg_attribute as wanted
            on wanted.attrelid = tables.wanted_oid and wanted.attname = attribute.attname and wanted.attnum > 0
    where attribute.attnum > 0 and not attribute.attisdropped
),
checks as (
    select
        tables.name as table_name,
        2 as rank,
        format('constraint %I, %s', con.conname, pg_get_constraintdef(con.oid)) as rule,
        format('alter table %I.%I drop constraint %I;', $1, tables.name, con.conname) as statement
    from tables
        join pg_constraint as con on con.conrelid = tables.found_oid and con.contype in ('c', 'x')
    where con.conkey is null
        or exists (
            select from columns
            where columns.found_oid = tables.found_oid and columns.is_ours and columns.attnum = any (con.conkey)
        )
),
-- A key with our key's columns and more refuses nothing that ours accepts. A key with a column that is not ours differs
-- in every row, or was meant to.
uniques as (
    select
        tables.name as table_name,
        3 as rank,
        format('unique index %I on (%s)', class.relname, string_agg(coalesce(quote_ident(columns.attname), '…'), ', ' order by key.position)) as rule,
        case
            when con.oid is null then format('drop index %I.%I;', $1, class.relname)
            else format('alter table %I.%I drop constraint %I;', $1, tables.name, con.conname)
        end as statement
    from tables
        join pg_index as index on index.indrelid = tables.found_oid and index.indisunique
        join pg_class as class on class.oid = index.indexrelid
        left join pg_constraint as con on con.conindid = index.indexrelid and con.contype in ('p', 'u')
            and con.conrelid = tables.found_oid
        cross join unnest(index.indkey::int2[]) with ordinality as key (attnum, position)
        left join columns on columns.found_oid = tables.found_oid and columns.attnum = key.attnum
    where key.position <= index.indnkeyatts
    group by tables.found_oid, tables.wanted_oid, tables.name, class.relname, con.oid, con.conname
    having bool_and(coalesce(columns.is_ours, true))
        and not exists (
            select
            from pg_constraint as wanted
            where wanted.conrelid = tables.wanted_oid
                and wanted.contype = 'p'
                and (
                    select array_agg(attname::text) from pg_attribute
                    where attrelid = tables.wanted_oid and attnum = any (wanted.conkey)
                ) <@ array_agg(columns.attname::text)
        )
),
rules as (
    select
        table_name,
        1 as rank,
        format('not null on %I', attname) as rule,
        format('alter table %I.%I alter %I drop not null;', $1, table_name, attname) as statement
    from columns
    -- A column that our rows do not fill is reported as a difference of the columns.
    where is_ours and is_filled
    union all
    select table_name, rank, rule, statement from checks
    union all
    select table_name, rank, rule, statement from uniques
    union all
    -- A domain has its own rules.
    select
        table_name,
        5,
        format('type %s on %I, a domain', format_type(atttypid, null), attname),
        format('alter table %I.%I alter %I type %s;', $1, table_name, attname, wanted_type)
    from columns join pg_type as type on type.oid = atttypid
    where is_ours and type.typtype = 'd'
    union all
    -- It may not be computable from every value of the source.
    select
        table_name,
        4,
        format('column %I, which the server computes', attname),
        format('alter table %I.%I alter %I drop expression;', $1, table_name, attname)
    from columns
    where is_generated and not is_ours
)
select table_name::text, rule, statement
from rules
order by array_position($2::text[], table_name::text), rank, rule;
