-- Purpose: which of our tables have their rows in other tables, or are a part of another table?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables.
-- Outputs: a row for each such table: table_name; kind (partitioned, parent, part); definition (how it is
--          partitioned, or of which table it is a part); parts, how many tables hold its rows; gap, a partitioned table
--          that accepts only rows with the listed values (null: there is none); foreign_part, one on another
--          server (null: there is none); key, a foreign key that does not see rows of the parts (null: there is none).
with ours as (
    select class.oid, class.relname, class.relkind
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = any ($2::text[])
),
heirs as (
    with recursive below as (
        select ours.oid as root, pg_inherits.inhrelid as oid
        from ours join pg_inherits on pg_inherits.inhparent = ours.oid
        union
        select below.root, pg_inherits.inhrelid
        from below join pg_inherits on pg_inherits.inhparent = below.oid
    )
    select below.root, class.oid, class.relkind from below join pg_class as class using (oid)
),
found as (
    select
        ours.oid,
        ours.relname,
        case when ours.relkind = 'p' then 'partitioned' else 'parent' end as kind,
        case when ours.relkind = 'p' then pg_get_partkeydef(ours.oid) end as definition,
        (select count(*) from heirs where heirs.root = ours.oid and heirs.relkind <> 'p') as parts
    from ours
    where ours.relkind = 'p' or exists (select from heirs where heirs.root = ours.oid)
    union all
    select ours.oid, ours.relname, 'part', pg_inherits.inhparent::regclass::text, 0
    from ours join pg_inherits on pg_inherits.inhrelid = ours.oid
)
select
    found.relname::text as table_name,
    found.kind,
    found.definition,
    found.parts,
    (
        select min(part.partrelid::regclass::text)
        from pg_partitioned_table as part
        where found.kind = 'partitioned'
            and part.partrelid in (
                select found.oid union all select heirs.oid from heirs where heirs.root = found.oid
            )
            and part.partstrat in ('l', 'r')
            and part.partdefid = 0
    ) as gap,
    (
        select min(heirs.oid::regclass::text) from heirs where heirs.root = found.oid and heirs.relkind = 'f'
    ) as foreign_part,
    (
        select min(format('%s on %s', quote_ident(conname), conrelid::regclass))
        from pg_constraint
        where found.kind = 'parent' and contype = 'f' and confrelid = found.oid
    ) as key
from found
order by array_position($2::text[], found.relname::text), found.kind;
