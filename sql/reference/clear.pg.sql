-- Purpose: empty a table of a reference before it is refilled.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", :"table".
-- Outputs: the table, without rows.
delete from :"schema".:"table";
