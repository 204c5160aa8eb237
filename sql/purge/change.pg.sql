-- Purpose: the change that a purge made in one table, for the ledger.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the purge
-- Inputs:  :'run_id', :"schema".:"table", pg_temp.purged; :"ledger".
-- Outputs: one row of :"ledger".table_changes. Counted, not taken from the last count: what a purge
--          finds is there because somebody else wrote it, so that the last count was not right.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select :'run_id', 0, :'table', counted.rows + purged.rows, 0, 0, purged.rows, counted.rows
from
    (select count(*) as rows from :"schema".:"table") as counted,
    (select coalesce(sum(rows), 0) as rows from pg_temp.purged where table_name = :'table') as purged;
