-- Purpose: what of a table's rows could not be taken.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  pg_temp.faults of the dataset's script.
-- Outputs: subject and reason of each; no row is a pass.
select subject, reason from pg_temp.faults order by subject, reason;
