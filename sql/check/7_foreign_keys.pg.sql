-- Purpose: which tables of others refer to ours? They have a say when a row of ours is deleted.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of our tables.
-- Outputs: a row for each foreign key: its table, its name, our table, on_delete (as the catalogue has it: a, r, c, n, d),
--          is_indexed: can the referring rows be found without reading the whole table?
with ours as (
    select class.oid
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = any ($2::text[])
),
-- Partitions have copies of their parents' keys.
parts as (
    select tree.relid as oid from ours cross join pg_partition_tree(ours.oid) as tree
)
select
    key.conrelid::regclass::text as from_table,
    quote_ident(key.conname) as key_name,
    referred.relname::text as to_table,
    key.confdeltype::text as on_delete,
    exists (
        select
        from pg_index as index
        where index.indrelid = key.conrelid
            and index.indisvalid
            and index.indpred is null
            and (index.indkey::int2[])[0] = any (key.conkey)
    ) as is_indexed
from pg_constraint as key join pg_class as referred on referred.oid = key.confrelid
where key.contype = 'f'
    and key.conparentid = 0
    and key.confrelid in (select oid from ours)
    and key.conrelid not in (select oid from ours union all select oid from parts)
order by from_table, key_name;
