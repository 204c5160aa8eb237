-- Purpose: how many rows a table of a reference has.
-- Engine:  DuckDB
-- Inputs:  :"table".
-- Outputs: one number.
select count(*) from :"table";
