-- Purpose: does a table hold anything?
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table".
-- Outputs: true or false.
select exists (select from :"schema".:"table");
