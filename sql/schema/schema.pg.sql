-- Purpose: rows and tables before and after keys are added.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/schema/schema.pg.sql

-- part: duplicates  (script)
-- Purpose: which rows prevent a primary key?
-- Inputs:  :"schema".:"table", :columns, the columns of the key.
-- Outputs: one row: duplicates, values that occur more than once; nulls, rows without a value.
with key as (
    select not ((:columns) is not null) as has_no_value, count(*) as rows
    from :"schema".:"table"
    group by :columns
)
select
    count(*) filter (where rows > 1 and not has_no_value) as duplicates,
    coalesce(sum(rows) filter (where has_no_value), 0)::bigint as nulls
from key;

-- part: orphans  (script)
-- Purpose: which rows prevent a foreign key?
-- Inputs:  :"schema".:"table" and :"schema".:"parent", :columns, the columns of the key, of the same names in both.
-- Outputs: one row: the rows without a parent.
with parent as (
    select :columns, true as is_there from :"schema".:"parent"
)
select count(*) as orphans
from :"schema".:"table" as child left join parent using (:columns)
where (:columns) is not null and is_there is null;

-- part: keyed  (statement)
-- Purpose: reset the replica identity of tables that have a key now.
-- Inputs:  $1 schema, $2 names of tables that the transaction has created.
-- Outputs: statements, one for each table that is identified by whole rows and has a primary key.
select format('alter table %I.%I replica identity default;', namespace.nspname, class.relname) as statement
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1
    and class.relname = any ($2::text[])
    and class.relreplident = 'f'
    and exists (select from pg_index as index where index.indrelid = class.oid and index.indisprimary)
order by class.relname;
