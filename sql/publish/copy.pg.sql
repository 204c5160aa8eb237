-- Purpose: one published CSV.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table", :columns.
-- Outputs: the CSV on standard output.
copy :"schema".:"table" (:columns) to stdout with (format csv, header true)
