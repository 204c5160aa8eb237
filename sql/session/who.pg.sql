-- Purpose: which process of the server answers this connection.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: one row: the process id.
select pg_backend_pid() as pid;
