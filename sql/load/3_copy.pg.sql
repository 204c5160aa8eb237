-- Purpose: load one staging CSV.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"staging".:"table", :columns; the CSV on standard input.
-- Outputs: the rows.
copy :"staging".:"table" (:columns) from stdin with (format csv, header true)
