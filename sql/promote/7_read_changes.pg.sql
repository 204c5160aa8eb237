-- Purpose: the exact change of a batch, to show it.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: one row a table.
select table_name, rows_before, inserted, replaced, deleted, rows_after
from :"ledger".table_changes
where run_id = $1 and batch = $2
order by table_name;
