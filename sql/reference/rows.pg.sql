-- Purpose: how many rows a table of a reference has in the database.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", :"table".
-- Outputs: one number.
select count(*) from :"schema".:"table";
