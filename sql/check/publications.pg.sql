-- Purpose: which of our tables are published so that their rows cannot be updated or deleted? The subscriber must find a
--          published row again: by a primary key, or by the identity that was set.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schemas and $2 names of tables, and $3 what is done with their rows (update, delete, both), in
--          parallel.
-- Outputs: a row for each table, or partition, without an identity, with its place in the order of $2: schema_name,
--          table_name, publications, statement that sets one; and a row without a statement for each table with an identity
--          of which only some columns or rows are published: then the server checks whether the identity is enough.
with ours as (
    select wanted.position, wanted.operation, class.oid
    from unnest($1::text[], $2::text[], $3::text[]) with ordinality
        as wanted (schema_name, table_name, operation, position)
        join pg_namespace as namespace on namespace.nspname = wanted.schema_name
        join pg_class as class on class.relnamespace = namespace.oid and class.relname = wanted.table_name
),
-- Rows are in leaves: the table itself, its partitions, and what inherits from it.
leaves as (
    select ours.position, ours.operation, tree.relid as oid
    from ours cross join pg_partition_tree(ours.oid) as tree
    where tree.isleaf
    union
    select ours.position, ours.operation, ours.oid from ours join pg_class as class using (oid) where class.relkind = 'r'
    union
    select ours.position, ours.operation, pg_inherits.inhrelid
    from ours join pg_class as class using (oid) join pg_inherits on pg_inherits.inhparent = ours.oid
    where class.relkind = 'r'
),
tables as (
    select
        leaves.position,
        leaves.operation,
        class.oid,
        namespace.nspname,
        class.relname,
        class.relreplident = 'f'
        or exists (
            select
            from pg_index as index
            where index.indrelid = class.oid
                and case class.relreplident
                    when 'd' then index.indisprimary
                    when 'i' then index.indisreplident
                    else false
                end
        ) as has_identity
    from leaves
        join pg_class as class using (oid)
        join pg_namespace as namespace on namespace.oid = class.relnamespace
    where class.relkind = 'r' and class.relpersistence = 'p'
),
-- A partition is published with its parents, too. Some of the view's columns exist since PostgreSQL 15.
published as (
    select
        tables.oid,
        string_agg(distinct quote_ident(publication.pubname), ', ') as publications,
        bool_or(to_jsonb(listed) ->> 'rowfilter' is not null) as by_rows
    from tables
        cross join lateral (
            select tables.nspname, tables.relname
            union
            select parent_namespace.nspname, parent.relname
            from pg_partition_ancestors(tables.oid) as ancestor
                join pg_class as parent on parent.oid = ancestor.relid
                join pg_namespace as parent_namespace on parent_namespace.oid = parent.relnamespace
        ) as place
        join pg_publication_tables as listed
            on listed.schemaname = place.nspname and listed.tablename = place.relname
        join pg_publication as publication on publication.pubname = listed.pubname
    where publication.pubupdate and tables.operation in ('update', 'both')
        or publication.pubdelete and tables.operation in ('delete', 'both')
    group by tables.oid
)
select
    tables.nspname::text as schema_name,
    tables.relname::text as table_name,
    published.publications,
    case
        when not tables.has_identity
            then format('alter table %I.%I replica identity full;', tables.nspname, tables.relname)
    end as statement
from tables join published using (oid)
where not tables.has_identity or published.by_rows
order by tables.position, tables.nspname, tables.relname;
