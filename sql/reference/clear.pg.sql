-- Purpose: a table of a reference is filled anew.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", :"table".
-- Outputs: the table, without rows.
delete from :"schema".:"table";
