-- Purpose: one private CSV with every column that the table has.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table".
-- Outputs: the CSV on standard output.
copy :"schema".:"table" to stdout with (format csv, header true)
