-- Purpose: the rows of a table that could not be loaded.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  pg_temp.faults of the dataset's script.
-- Outputs: subject, reason, and what to do about it (null: look at the file) of each; no rows: passed.
select subject, reason, hint from pg_temp.faults order by subject, reason;
