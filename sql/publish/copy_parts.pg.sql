-- Purpose: one CSV of a table that has its rows in others: partitions, or tables that inherit from it; or of a view.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table", :columns.
-- Outputs: the CSV on standard output.
copy (select :columns from :"schema".:"table") to stdout with (format csv, header true)
