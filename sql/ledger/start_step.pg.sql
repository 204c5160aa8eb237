-- Purpose: a step begins.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch, $3 step; :"ledger".
-- Outputs: one row of steps. A step that is done again, without the records that the database refused, begins anew.
insert into :"ledger".steps (run_id, batch, step, status)
values ($1, $2, $3, 'running')
on conflict (run_id, batch, step) do update set status = 'running', started_at = clock_timestamp(), finished_at = null;
