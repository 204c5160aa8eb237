-- Purpose: proof that this run is still the one that may promote.
-- Engine:  PostgreSQL 14 and later; a statement (prepare), inside the transaction of the promotion
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: one row if the run is still running; it stays locked until the end of the transaction.
select run_id from :"ledger".runs where run_id = $1 and status = 'running' for update;
