-- Purpose: a step begins.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  $1 run_id, $2 batch, $3 step.
-- Outputs: one row of steps.
insert into :"ledger".steps (run_id, batch, step, status)
values ($1, $2, $3, 'running')
on conflict (run_id, batch, step) do update set status = 'running', finished_at = null;
