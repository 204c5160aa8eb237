-- Purpose: mark runs that died without a word. Only the holder of the lock may say so.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset; :"ledger".
-- Outputs: the runs that were marked.
update :"ledger".runs
set status = 'abandoned',
    finished_at = clock_timestamp(),
    error = 'the process ended without a word'
where dataset = $1 and status = 'running'
returning run_id;
