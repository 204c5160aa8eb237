-- Purpose: tell the planner what a table holds.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table".
-- Outputs: statistics.
analyze :"schema".:"table";
