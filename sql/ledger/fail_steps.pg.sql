-- Purpose: the run failed: what was under way failed with it.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  $1 run_id.
-- Outputs: its rows of steps.
update :"ledger".steps
set status = 'failed', finished_at = clock_timestamp()
where run_id = $1 and status = 'running';
