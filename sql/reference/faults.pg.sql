-- Purpose: the rows of a table that could not be loaded.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  pg_temp.faults of the dataset's script.
-- Outputs: subject and reason of each; no rows: passed.
select subject, reason from pg_temp.faults order by subject, reason;
