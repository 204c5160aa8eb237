-- Purpose: inspect the tables of a job before anything is planned.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/look.pg.sql

-- part: relation  (statement)
-- Purpose: find out whether a table exists, of what kind it is, and what this role may do with it.
-- Inputs:  $1 schema, $2 table.
-- Outputs: at most one row: kind; may_read; is_owner, true also if this role may act as the owner; owner; pages; size_bytes
--          with indexes; has_row_security; is_durable, false if a crash of the server empties it;
--          owner_may_create, whether we may give the owner a table in the schema; role, ours; rows, by the
--          statistics (0: not known).
select
    class.relkind::text as kind,
    has_table_privilege(class.oid, 'select') as may_read,
    pg_has_role(class.relowner, 'usage') as is_owner,
    pg_get_userbyid(class.relowner)::text as owner,
    case when class.relkind in ('r', 'm') then pg_relation_size(class.oid) / current_setting('block_size')::bigint else 0 end as pages,
    case when class.relkind in ('r', 'm') then pg_total_relation_size(class.oid) else 0 end as size_bytes,
    class.relrowsecurity as has_row_security,
    class.relpersistence = 'p' as is_durable,
    has_schema_privilege(class.relowner, namespace.oid, 'create')
        or (select rolsuper from pg_roles where rolname = current_user) as owner_may_create,
    current_user::text as role,
    greatest(class.reltuples, 0)::bigint as rows
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1 and class.relname = $2 and class.relkind in ('r', 'p', 'v', 'm', 'f');

-- part: columns  (statement)
-- Purpose: list the columns of a table.
-- Inputs:  $1 schema, $2 table.
-- Outputs: a row each, in order: name; base, the base type of a domain; written, the type in full; modifier; not_null;
--          has_default; is_generated; is_deterministic, whether different texts are always different.
with recursive known as (
    select
        attribute.attnum,
        attribute.attname::text as name,
        format_type(attribute.atttypid, attribute.atttypmod) as written,
        attribute.atttypid as type_oid,
        attribute.atttypmod as modifier,
        attribute.attnotnull as not_null,
        attribute.atthasdef or attribute.attidentity <> '' as has_default,
        attribute.attgenerated <> '' or attribute.attidentity = 'a' as is_generated,
        coalesce(pg_collation.collisdeterministic, true) as is_deterministic
    from pg_class as class
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        join pg_attribute as attribute on attribute.attrelid = class.oid
        left join pg_collation on pg_collation.oid = attribute.attcollation
    where namespace.nspname = $1 and class.relname = $2 and attribute.attnum > 0 and not attribute.attisdropped
),
below as (
    select attnum, type_oid, modifier from known
    union all
    select below.attnum, type.typbasetype, case when type.typtypmod >= 0 then type.typtypmod else below.modifier end
    from below join pg_type as type on type.oid = below.type_oid
    where type.typtype = 'd'
)
select
    known.name,
    format_type(base.type_oid, null) as base,
    known.written,
    base.modifier,
    known.not_null,
    known.has_default,
    known.is_generated,
    known.is_deterministic
from known
    join below as base on base.attnum = known.attnum
    join pg_type as type on type.oid = base.type_oid and type.typtype <> 'd'
order by known.attnum;

-- part: key  (statement)
-- Purpose: find out how the rows are ordered with regard to a column.
-- Inputs:  $1 schema, $2 table, $3 column.
-- Outputs: one row: index_name, an index that begins with the column (null: none); correlation of the order on disk with the
--          order of the column (null: not analysed).
select
    (
        select pg_class.relname::text
        from pg_index
            join pg_class on pg_class.oid = pg_index.indexrelid
            join pg_attribute on pg_attribute.attrelid = pg_index.indrelid and pg_attribute.attnum = pg_index.indkey[0]
        where pg_index.indrelid = format('%I.%I', $1::text, $2::text)::regclass
            and pg_attribute.attname = $3
            and pg_index.indisvalid
            and pg_index.indpred is null
        order by pg_index.indnatts, pg_class.relname
        limit 1
    ) as index_name,
    (
        select correlation::double precision
        from pg_stats
        where schemaname = $1 and tablename = $2 and attname = $3
        order by inherited desc
        limit 1
    ) as correlation;

-- part: partitions  (script)
-- Purpose: list the partitions of a table, which are the values of its key.
-- Inputs:  :"schema", :"table", :"key", :condition (the job's, in parentheses), :written (an expression for the transaction
--          that wrote a row, as a number).
-- Outputs: a row each, the largest first: key as text; rows; fingerprint, the sum of the transactions as text.
with partition as (
    select :"key"::text as key, count(*) as rows, coalesce(sum(:written), 0)::text as fingerprint
    from :"schema".:"table"
    where :condition
    group by :"key"
)
select key, rows, fingerprint from partition order by rows desc, key collate "C" nulls first;

-- part: by_key_alone  (script)
-- Purpose: try a condition on a table that has the key and no other column. Two columns with the name of the table are beside it,
--          because this name as a value means a whole row, and is ambiguous with them.
-- Inputs:  :"schema", :"table", :"key", :condition (the job's, in parentheses), :"whole" (the table's name).
-- Outputs: none; an error if the condition names anything else of the table.
select
from (select :"key", null as :"whole", null as :"whole" from :"schema".:"table" limit 0) as :"table"
where :condition;

-- part: by_key_always  (script, inside a transaction)
-- Purpose: try whether a condition has the same answer for a key whenever it is asked. PostgreSQL takes only such conditions for an index:
--          none with a subquery, the time or a random number.
-- Inputs:  :"schema", :"table", :"key", :condition (the job's, in parentheses).
-- Outputs: none, once the transaction is over; an error if the condition is not like that.
create temp table :"table" on commit drop as select :"key" from :"schema".:"table" limit 0;
create index on pg_temp.:"table" ((1)) where :condition;

-- part: pages  (script)
-- Purpose: find the pages of a giant partition.
-- Inputs:  :"schema", :"table", :"key", :key_type, :'keys', :'with_null', :condition.
-- Outputs: one row: its first page, and the page after its last.
select
    min((ctid::text::point)[0])::bigint as first_page,
    max((ctid::text::point)[0])::bigint + 1 as end_page
from :"schema".:"table"
where (:"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null)) and :condition;

-- part: changes  (statement)
-- Purpose: find out whether the source was written to.
-- Inputs:  $1 schema, $2 table.
-- Outputs: one row: a number that differs after rows were inserted, updated or deleted, or moved into another file (vacuum
--          full, cluster). The table's partitions and children are included.
with recursive tree as (
    select format('%I.%I', $1::text, $2::text)::regclass::oid as part_oid
    union all
    select inhrelid from pg_inherits join tree on inhparent = part_oid
)
select coalesce(sum(pg_stat_get_tuples_inserted(part_oid) + pg_stat_get_tuples_updated(part_oid)
    + pg_stat_get_tuples_deleted(part_oid) + coalesce(pg_relation_filenode(part_oid)::bigint, 0)), 0)::bigint as changes
from tree;

-- part: obstacles  (statement)
-- Purpose: list what depends on the target and would not depend on a table in its place.
-- Inputs:  $1 schema, $2 table, $3 the table that takes its place.
-- Outputs: a row each: kind (materialised view, view, rule, foreign key, function, row type in, child, part of, publication,
--          policy, row security), name.
with target as (
    select class.oid, array[type.oid, type.typarray] as row_types, class.relrowsecurity, class.relforcerowsecurity
    from pg_class as class
        join pg_namespace as namespace on namespace.oid = class.relnamespace
        join pg_type as type on type.oid = class.reltype
    where namespace.nspname = $1 and class.relname = $2
),
-- It is missing until the plan has made it: then it has neither policies nor row security.
version as (
    select class.oid, class.relrowsecurity, class.relforcerowsecurity
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = $3
),
readers as (
    select distinct rule.ev_class
    from target
        join pg_depend on pg_depend.refobjid = target.oid and pg_depend.refclassid = 'pg_class'::regclass
            and pg_depend.classid = 'pg_rewrite'::regclass
        join pg_rewrite as rule on rule.oid = pg_depend.objid and rule.ev_class <> target.oid
)
select 'materialised view' as kind, class.oid::regclass::text as name
from readers join pg_class as class on class.oid = readers.ev_class
where class.relkind = 'm'
union all
select 'view', class.oid::regclass::text || ' of ' || pg_get_userbyid(class.relowner)
from readers join pg_class as class on class.oid = readers.ev_class
where class.relkind = 'v' and not pg_has_role(class.relowner, 'usage')
union all
select 'rule', rule.rulename::text
from target join pg_rewrite as rule on rule.ev_class = target.oid
union all
select distinct 'rule', rule.rulename::text || ' of ' || class.oid::regclass::text
from target
    join pg_depend on pg_depend.refobjid = target.oid and pg_depend.refclassid = 'pg_class'::regclass
        and pg_depend.classid = 'pg_rewrite'::regclass
    join pg_rewrite as rule on rule.oid = pg_depend.objid and rule.ev_type <> '1'
    join pg_class as class on class.oid = rule.ev_class and class.oid <> target.oid
union all
select 'foreign key', conname::text || ' of ' || conrelid::regclass::text
from target join pg_constraint on confrelid = target.oid and contype = 'f' and conrelid <> target.oid
union all
select 'function', pg_depend.objid::regprocedure::text
from target
    join pg_depend on pg_depend.classid = 'pg_proc'::regclass
        and (pg_depend.refobjid = target.oid and pg_depend.refclassid = 'pg_class'::regclass
            or pg_depend.refobjid = any (target.row_types) and pg_depend.refclassid = 'pg_type'::regclass)
union all
-- A view that reads the table is made again, with its columns.
select 'row type in', pg_describe_object(pg_depend.classid, pg_depend.objid, pg_depend.objsubid)
from target
    join pg_depend on pg_depend.refobjid = any (target.row_types) and pg_depend.refclassid = 'pg_type'::regclass
        and pg_depend.classid in ('pg_class'::regclass, 'pg_type'::regclass) and pg_depend.deptype = 'n'
    left join pg_class as class on class.oid = pg_depend.objid and pg_depend.classid = 'pg_class'::regclass
where class.relkind is distinct from 'v' or class.oid not in (select ev_class from readers)
union all
select 'child', inhrelid::regclass::text
from target join pg_inherits on inhparent = target.oid
union all
select 'part of', inhparent::regclass::text
from target join pg_inherits on inhrelid = target.oid
union all
-- A publication of all tables is not among them: it includes the new table as well.
select 'publication', publication.pubname::text
from target
    join pg_publication_rel on pg_publication_rel.prrelid = target.oid
    join pg_publication as publication on publication.oid = pg_publication_rel.prpubid
union all
select distinct 'policy', policy.polname::text || ' of ' || policy.polrelid::regclass::text
from target
    join pg_depend on pg_depend.refobjid = target.oid and pg_depend.refclassid = 'pg_class'::regclass
        and pg_depend.classid = 'pg_policy'::regclass
    join pg_policy as policy on policy.oid = pg_depend.objid and policy.polrelid <> target.oid
union all
-- What the script makes for the new table stays; the rest would be gone, and rows could be seen that were hidden.
select 'policy', policy.polname::text || ' that the script does not make'
from target join pg_policy as policy on policy.polrelid = target.oid
where not exists (
    select from version join pg_policy as own on own.polrelid = version.oid where own.polname = policy.polname
)
union all
select 'row security', 'that the script does not switch on'
from target left join version on true
where target.relrowsecurity and not coalesce(version.relrowsecurity, false)
    or target.relforcerowsecurity and not coalesce(version.relforcerowsecurity, false)
order by kind, name;

-- part: obstacles_in_place  (statement)
-- Purpose: list what makes a delete do less or more than it says, so that partitions cannot be replaced in a table.
-- Inputs:  $1 schema, $2 table.
-- Outputs: a row each: kind (rule, child, trigger, foreign key, row security), name.
with target as (
    select class.oid
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = $2
)
select 'rule' as kind, rule.rulename::text as name
from target join pg_rewrite as rule on rule.ev_class = target.oid
union all
-- A delete from the table also deletes rows of these, and new rows go only into the table.
select 'child', inherits.inhrelid::regclass::text
from target
    join pg_inherits as inherits on inherits.inhparent = target.oid
    join pg_class as child on child.oid = inherits.inhrelid and not child.relispartition
union all
select 'trigger', trigger.tgname::text
from target join pg_trigger as trigger on trigger.tgrelid = target.oid
where not trigger.tgisinternal
    and trigger.tgenabled in ('O', 'A')
    -- Before (2) each row (1) of a delete (8): it may return nothing, and the row stays. A trigger that leaves out new rows is
    -- found when they are counted.
    and trigger.tgtype & 11 = 11
union all
select 'foreign key', conname::text || ' of ' || conrelid::regclass::text
from target join pg_constraint on confrelid = target.oid and contype = 'f'
-- A key that is checked at the commit, when the rows are there again, is no obstacle.
where confdeltype in ('c', 'n', 'd', 'r') or conrelid <> target.oid and not condeferred
union all
select 'row security', 'for ' || current_user
from target
where row_security_active(target.oid)
order by kind, name;

-- part: rights  (statement)
-- Purpose: find out whether this role may create a table in a schema.
-- Inputs:  $1 schema.
-- Outputs: at most one row: may_create; role, ours.
select has_schema_privilege(oid, 'create') as may_create, current_user::text as role from pg_namespace where nspname = $1;
