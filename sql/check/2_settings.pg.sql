-- Purpose: keep the preflight from waiting for others.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a transaction, with which the settings end: the session may be a pool's
-- Inputs:  :limit_ms, for how long a statement may run.
-- Outputs: the settings of the transaction.
set local statement_timeout = :limit_ms;
set local lock_timeout = :limit_ms;
