-- Purpose: the run failed: what was under way failed with it.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: its rows of steps.
update :"ledger".steps
set status = 'failed', finished_at = clock_timestamp()
where run_id = $1 and status = 'running';
