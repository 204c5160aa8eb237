-- Purpose: rows in the order in which the table has them, so that two publications of the same rows compare.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none; in the transaction that then publishes.
-- Outputs: none.
set local synchronize_seqscans = off;
set local max_parallel_workers_per_gather = 0;
