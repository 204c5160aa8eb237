-- Purpose: is this run still the one that may write?
-- Engine:  PostgreSQL 14 and later; a statement (prepare), on the connection that holds the lock
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: true, unless another run has declared it dead.
select exists (select from :"ledger".runs where run_id = $1 and status = 'running');
