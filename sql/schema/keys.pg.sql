-- Purpose: which keys, foreign keys and indexes of the dataset do the tables of a schema lack?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables; the same tables in pg_temp, as the dataset creates them.
-- Outputs: what existing tables lack: table_name; kind (primary key, foreign key, index); columns, as
--          a list of identifiers; parent (of a foreign key); flaw (null: the key is missing); statement that
--          adds it; obstacle (null: it can be added), why the server cannot have the key. The statements can run
--          in this order: keys that foreign keys refer to come first, keys that nothing refers to come last, because
--          adding them blocks readers.
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
-- Columns of constraints and indexes by name, in their order; expressions have none.
constraint_columns as (
    select
        con.oid,
        array_agg(attribute.attname::text order by key.position) as names,
        string_agg(quote_ident(attribute.attname), ', ' order by key.position) as list
    from pg_constraint as con
        cross join unnest(con.conkey) with ordinality as key (attnum, position)
        join pg_attribute as attribute on attribute.attrelid = con.conrelid and attribute.attnum = key.attnum
    where con.conrelid in (select wanted_oid from tables union all select found_oid from tables)
    group by con.oid
),
referred_columns as (
    select
        con.oid,
        array_agg(attribute.attname::text order by key.position) as names,
        string_agg(quote_ident(attribute.attname), ', ' order by key.position) as list
    from pg_constraint as con
        cross join unnest(con.confkey) with ordinality as key (attnum, position)
        join pg_attribute as attribute on attribute.attrelid = con.confrelid and attribute.attnum = key.attnum
    where con.contype = 'f'
        and con.conrelid in (select wanted_oid from tables union all select found_oid from tables)
    group by con.oid
),
index_columns as (
    select
        index.indexrelid as oid,
        array_agg(attribute.attname::text order by key.position) as names,
        string_agg(quote_ident(attribute.attname), ', ' order by key.position) as list,
        bool_and(attribute.attnotnull) as has_no_null
    from pg_index as index
        cross join unnest(index.indkey::int2[]) with ordinality as key (attnum, position)
        left join pg_attribute as attribute
            on attribute.attrelid = index.indrelid and attribute.attnum = key.attnum
    where index.indrelid in (select wanted_oid from tables union all select found_oid from tables)
        and key.position <= index.indnkeyatts
    group by index.indexrelid
),
-- An index that covers every row.
whole_index as (
    select index.indrelid, index.indisunique and index.indimmediate as is_unique, columns.names, columns.has_no_null
    from pg_index as index join index_columns as columns on columns.oid = index.indexrelid
    where index.indisvalid and index.indpred is null and array_position(columns.names, null) is null
),
-- A key of a partitioned table must have all partition columns, and no expression.
partitioning as (
    select
        part.partrelid as oid,
        coalesce(array_agg(attribute.attname::text) filter (where attribute.attname is not null), '{}') as names,
        bool_or(key.attnum = 0) as has_expression,
        pg_get_partkeydef(part.partrelid) as definition
    from pg_partitioned_table as part
        cross join unnest(part.partattrs::int2[]) as key (attnum)
        left join pg_attribute as attribute
            on attribute.attrelid = part.partrelid and attribute.attnum = key.attnum
    where part.partrelid in (select found_oid from tables)
    group by part.partrelid
),
primary_key as (
    select
        tables.name as table_name,
        'primary key' as kind,
        columns.list as columns,
        null::text as parent,
        null::text as flaw,
        format('alter table %I.%I add primary key (%s);', $1, tables.name, columns.list) as statement,
        con.conrelid,
        case
            when partitioning.has_expression or not partitioning.names <@ columns.names
                then 'it is partitioned by ' || partitioning.definition
        end as obstacle
    from tables
        join pg_constraint as con on con.conrelid = tables.wanted_oid and con.contype = 'p'
        join constraint_columns as columns on columns.oid = con.oid
        left join partitioning on partitioning.oid = tables.found_oid
    where not exists (
        select
        from whole_index as there
        where there.indrelid = tables.found_oid
            and there.is_unique
            and there.has_no_null
            and there.names @> columns.names
            and there.names <@ columns.names
    )
),
foreign_key as (
    select
        tables.name as table_name,
        'foreign key' as kind,
        columns.list as columns,
        parent.name as parent,
        there.flaw,
        case
            when there.is_only_unproven then
                format('alter table %I.%I validate constraint ', $1, tables.name) || quote_ident(there.name) || ';'
            else
                format('alter table %I.%I ', $1, tables.name)
                || coalesce('drop constraint ' || quote_ident(there.name) || ', ', '')
                || format(
                    'add foreign key (%s) references %I.%I (%s) on delete cascade;',
                    columns.list, $1, parent.name, referred.list
                )
        end as statement,
        case
            when partitioning.has_expression or not partitioning.names <@ referred.names
                then parent.name || ' is partitioned by ' || partitioning.definition
            when exists (
                select
                from pg_inherits join pg_class as class on class.oid = pg_inherits.inhparent
                where class.oid = parent.found_oid and class.relkind = 'r'
            )
                then 'tables inherit from ' || parent.name || ', and it would not find their rows'
        end as obstacle
    from tables
        join pg_constraint as con on con.conrelid = tables.wanted_oid and con.contype = 'f'
        join constraint_columns as columns on columns.oid = con.oid
        join referred_columns as referred on referred.oid = con.oid
        join tables as parent on parent.wanted_oid = con.confrelid
        left join partitioning on partitioning.oid = parent.found_oid
        left join lateral (
            select
                found.conname as name,
                case
                    when found.confdeltype <> con.confdeltype then 'it does not delete with its parent'
                    when not found.convalidated then 'it was never proven for the rows that are there'
                end as flaw,
                found.confdeltype = con.confdeltype and not found.convalidated as is_only_unproven
            from pg_constraint as found
                join constraint_columns as found_columns on found_columns.oid = found.oid
                join referred_columns as found_referred on found_referred.oid = found.oid
            where found.conrelid = tables.found_oid
                and found.contype = 'f'
                and found.confrelid = parent.found_oid
                and found_columns.names = columns.names
                and found_referred.names = referred.names
            order by found.confdeltype = con.confdeltype desc, found.convalidated desc
            limit 1
        ) as there on true
    where there.name is null or there.flaw is not null
),
missing_index as (
    select
        tables.name as table_name,
        'index' as kind,
        columns.list as columns,
        format('create index on %I.%I (%s);', $1, tables.name, columns.list) as statement
    from tables
        join pg_index as wanted on wanted.indrelid = tables.wanted_oid and not wanted.indisprimary
        join index_columns as columns on columns.oid = wanted.indexrelid
    where not exists (
        select
        from whole_index as there
        where there.indrelid = tables.found_oid
            and there.names[1:cardinality(columns.names)] = columns.names
    )
),
missing as (
    select
        table_name, kind, columns, parent, flaw, statement, obstacle,
        case
            when exists (select from pg_constraint where contype = 'f' and confrelid = primary_key.conrelid) then 1
            else 4
        end as rank
    from primary_key
    union all
    select table_name, kind, columns, null, null, statement, null, 2 from missing_index
    union all
    select table_name, kind, columns, parent, flaw, statement, obstacle, 3 from foreign_key
)
select table_name::text, kind, columns, parent::text, flaw, statement, obstacle
from missing
order by rank, array_position($2::text[], table_name::text), columns;
