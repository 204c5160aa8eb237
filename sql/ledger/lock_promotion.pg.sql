-- Purpose: wait until no promotion of a dataset is under way, a lost connection's included.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the lock's name.
-- Outputs: the lock, until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended($1, 1));
