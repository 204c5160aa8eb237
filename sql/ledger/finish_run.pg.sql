-- Purpose: a run ends.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 status, $3 counts, $4 error, $5 chain of causes; :"ledger".
-- Outputs: its row of runs.
update :"ledger".runs
set status = $2, finished_at = clock_timestamp(), counts = $3, error = $4, error_chain = $5
where run_id = $1 and status = 'running';
