-- Purpose: keep the preflight's session from writing, and from waiting for others.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  :limit_ms, for how long a statement may run.
-- Outputs: the settings of the session.
set default_transaction_read_only = on;
set statement_timeout = :limit_ms;
set lock_timeout = :limit_ms;
