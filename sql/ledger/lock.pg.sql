-- Purpose: the lock of a dataset for a whole run; it goes when the session ends, however that happens.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the lock's name.
-- Outputs: true if it was free.
select pg_try_advisory_lock(hashtextextended($1, 0));
