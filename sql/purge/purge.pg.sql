-- Purpose: the statements that every dataset's purge shares.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/purge/purge.pg.sql

-- part: missing  (statement)
-- Purpose: which production tables are missing?
-- Inputs:  $1 names, $2 schema.
-- Outputs: the names that are missing.
select name
from unnest($1::text[]) as name
where not exists (
    select
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $2 and relname = name and relkind in ('r', 'p')
)
order by name;

-- part: purged  (script, inside the transaction of the purge)
-- Purpose: what a purge deleted.
-- Inputs:  pg_temp.purged.
-- Outputs: table_name, rows; only tables that lost rows.
select table_name, rows from pg_temp.purged where rows > 0 order by table_name;

-- part: change  (script, inside the transaction of the purge)
-- Purpose: the change that a purge made in one table, for the ledger.
-- Inputs:  :'run_id', :"schema".:"table", pg_temp.purged; :"ledger".
-- Outputs: one row of :"ledger".table_changes. The rows are counted, not taken from the last count: what a
--          purge finds, somebody else wrote, so the last count was wrong.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select :'run_id', 0, :'table', counted.rows + purged.rows, 0, 0, purged.rows, counted.rows
from
    (select count(*) as rows from :"schema".:"table") as counted,
    (select coalesce(sum(rows), 0) as rows from pg_temp.purged where table_name = :'table') as purged;

-- part: derived  (script)
-- Purpose: delete from a derived table the rows of records that no longer exist.
-- Inputs:  :"schema".:"table", a derived table; :"schema".:"parent", the table of the records; :"key" of both.
-- Outputs: the table, with rows of existing records only; a row of pg_temp.purged.
with gone as (
    delete from :"schema".:"table" as derived
    where not exists (select from :"schema".:"parent" as parent where parent.:"key" = derived.:"key")
    returning 1
)
insert into pg_temp.purged (table_name, rows)
select :'table', count(*) from gone;

-- part: derived_left  (statement)
-- Purpose: prove that a derived table has no rows of records that no longer exist.
-- Inputs:  :"schema".:"table", a derived table; :"schema".:"parent", the table of the records; :"key" of both.
-- Outputs: table_name and rows that are left; none is a pass.
select :'table' as table_name, count(*) as rows
from :"schema".:"table" as derived
where not exists (select from :"schema".:"parent" as parent where parent.:"key" = derived.:"key")
having count(*) > 0;
