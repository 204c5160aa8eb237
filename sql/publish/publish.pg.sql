-- Purpose: read production for the files that are published.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/publish/publish.pg.sql

-- part: newest  (script)
-- Purpose: the newest day of the data in production, for people who download the public files.
-- Inputs:  :'dataset', :'schema'; :"ledger".parts, runs and slice_origins.
-- Outputs: one row with one date, as text: for a table that is replaced, the day of the part that it came from; null
--          if no part names a day, or none is in production yet.
with origin as (
    select parts.as_of
    from :"ledger".slice_origins join :"ledger".parts using (part_id)
    where slice_origins.dataset = :'dataset' and slice_origins.target_schema = :'schema'
),
done as (
    select parts.as_of
    from :"ledger".parts join :"ledger".runs using (run_id)
    where runs.dataset = :'dataset'
        and runs.target_schema = :'schema'
        and not runs.dry_run
        and parts.status in ('done', 'done_with_failures', 'incomplete')
        and not exists (select from origin)
)
select max(as_of)::text as newest
from (select as_of from origin union all select as_of from done) as told;

-- part: read_only  (script)
-- Purpose: make the transaction read only from here on.
-- Inputs:  none; in the transaction that then publishes.
-- Outputs: none.
set transaction read only;

-- part: order  (script)
-- Purpose: read rows in the order of the table, so that two publications of the same rows are equal.
-- Inputs:  none; in the transaction that then publishes.
-- Outputs: none.
set local synchronize_seqscans = off;
set local max_parallel_workers_per_gather = 0;

-- part: lock  (script)
-- Purpose: keep others from changing the columns of a table, or moving its rows, while it is read over several connections.
--          A lock taken later could deadlock with a session that waits for another connection of ours. So all locks are taken
--          before the first row, and all connections but the first take them at once or not at all.
-- Inputs:  :tables, a list of tables and views with their schema; :nowait, nothing or the word.
-- Outputs: none.
lock table :tables in access share mode :nowait;

-- part: export_snapshot  (statement)
-- Purpose: let other connections use this snapshot.
-- Inputs:  none; in the transaction that then publishes.
-- Outputs: one row: the name of the snapshot, valid until the end of the transaction.
select pg_export_snapshot() as snapshot;

-- part: import_snapshot  (script)
-- Purpose: use the snapshot of another connection.
-- Inputs:  :'snapshot', its name; in a transaction that has done nothing yet.
-- Outputs: none.
set transaction snapshot :'snapshot';

-- part: copy  (script)
-- Purpose: one published CSV.
-- Inputs:  :"schema".:"table", :columns.
-- Outputs: the CSV on standard output.
copy :"schema".:"table" (:columns) to stdout with (format csv, header true)

-- part: copy_all  (script)
-- Purpose: one private CSV with every column that the table has.
-- Inputs:  :"schema".:"table".
-- Outputs: the CSV on standard output.
copy :"schema".:"table" to stdout with (format csv, header true)

-- part: tables  (statement)
-- Purpose: how are the rows of these tables stored? COPY reads nothing from partitioned tables, and only the table's own rows if
--          others inherit from it; an ordinary table can be read in parallel, in ranges of its blocks.
-- Inputs:  $1 schema, $2 names of tables.
-- Outputs: a row for each of them: its name; has_parts, rows are in other tables; the columns that COPY would read (all but
--          generated ones), as a list of identifiers in their order; how many blocks it has, 0 if ranges cannot be read.
select
    class.relname::text as table_name,
    class.relkind = 'p' or exists (select from pg_inherits where inhparent = class.oid) as has_parts,
    (
        select string_agg(quote_ident(attname), ', ' order by attnum)
        from pg_attribute
        where attrelid = class.oid and attnum > 0 and not attisdropped and attgenerated = ''
    ) as columns,
    case
        when class.relkind = 'r' and exists (select from pg_am where oid = class.relam and amname = 'heap')
            then pg_relation_size(class.oid) / current_setting('block_size')::bigint
        else 0
    end as blocks
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1 and class.relname = any ($2::text[])
order by table_name;

-- part: copy_parts  (script)
-- Purpose: one CSV of a table that has its rows in others: partitions, or tables that inherit from it; or of a view.
-- Inputs:  :"schema".:"table", :columns.
-- Outputs: the CSV on standard output.
copy (select :columns from :"schema".:"table") to stdout with (format csv, header true)

-- part: copy_range  (script)
-- Purpose: the rows of some blocks of a table, as that part of its CSV; concatenated, the parts are the whole CSV.
-- Inputs:  :"schema".:"table", :columns; :'from_tid' and :'to_tid', the first place in the range and the first after it;
--          :header, true or false.
-- Outputs: a part of the CSV on standard output.
copy (
    select :columns from only :"schema".:"table" where ctid >= :'from_tid'::tid and ctid < :'to_tid'::tid
) to stdout with (format csv, header :header)

-- part: values  (script)
-- Purpose: the values by which a table is split into objects.
-- Inputs:  :"schema".:"table", :"column", one of whole numbers.
-- Outputs: a row for each: value; null for rows without one.
select distinct :"column"::bigint as value from :"schema".:"table" order by value;

-- part: copy_slice  (script)
-- Purpose: the CSV of the rows with one value.
-- Inputs:  :"schema".:"table", :columns, :"column"; :is_value, `= N` or `is null`; :order, columns as a list of identifiers,
--          which are unique together.
-- Outputs: the CSV on standard output.
copy (
    select :columns from :"schema".:"table" where :"column" :is_value order by :order
) to stdout with (format csv, header true)

-- part: copy_sorted  (script)
-- Purpose: the CSV of all rows of a table that is split by a value in other forms.
-- Inputs:  :"schema".:"table", :columns; :order, as of a slice.
-- Outputs: the CSV on standard output.
copy (
    select :columns from :"schema".:"table" order by :order
) to stdout with (format csv, header true)

-- part: digits  (script)
-- Purpose: how many digits do the numbers of a column have?
-- Inputs:  :"schema".:"table", :"column".
-- Outputs: one row: the largest numbers of digits before and after the point; whether a value is not a number.
select
    coalesce(length(trunc(max(abs(:"column"::numeric)) filter (where finite))::text), 1) as whole,
    coalesce(max(scale(:"column"::numeric)) filter (where finite), 0) as behind,
    coalesce(bool_or(not finite), false) as odd
from (
    select :"column", :"column"::text not in ('NaN', 'Infinity', '-Infinity') as finite
    from :"schema".:"table"
    where :"column" is not null
) as given;

-- part: there  (statement)
-- Purpose: which of these tables exist with these columns?
-- Inputs:  $1 schema; $2 names of tables and $3 names of their columns, in parallel.
-- Outputs: the names of the tables that have every column.
select wanted.table_name
from unnest($2::text[], $3::text[]) as wanted (table_name, column_name)
    left join (
        select class.relname, attribute.attname
        from pg_class as class
            join pg_namespace as namespace on namespace.oid = class.relnamespace
            join pg_attribute as attribute on attribute.attrelid = class.oid
        where namespace.nspname = $1
            and class.relkind in ('r', 'p')
            and attribute.attnum > 0
            and not attribute.attisdropped
    ) as found on found.relname = wanted.table_name and found.attname = wanted.column_name
group by wanted.table_name
having bool_and(found.attname is not null)
order by wanted.table_name;
