-- Purpose: have deferred constraints looked at now, and deferred again behind that.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a savepoint of the probe
-- Inputs:  none.
-- Outputs: none; an error if one is broken.
savepoint look;
set constraints all immediate;
rollback to savepoint look;
release savepoint look;
