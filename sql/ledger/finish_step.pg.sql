-- Purpose: a step ends.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch, $3 step, $4 status, $5 rows, $6 bytes, $7 details; :"ledger".
-- Outputs: its row of steps.
insert into :"ledger".steps (run_id, batch, step, status, finished_at, rows, bytes, details)
values ($1, $2, $3, $4, clock_timestamp(), $5, $6, $7)
on conflict (run_id, batch, step) do update
set status = excluded.status,
    finished_at = excluded.finished_at,
    rows = excluded.rows,
    bytes = excluded.bytes,
    details = excluded.details;
