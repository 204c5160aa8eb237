-- Purpose: end a session of ours that we have lost, so that its transaction is over: committed or rolled back.
-- Engine:  PostgreSQL 14 and later; a statement (prepare), on another connection
-- Inputs:  $1 its process id, $2 when it began, as text: process ids are used again.
-- Outputs: nothing of interest.
select pg_terminate_backend(pid)
from pg_stat_activity
where pid = $1 and backend_start = $2::text::timestamptz and usename = current_user;
