-- Purpose: one private CSV with every column that the table has.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  :"schema".:"table".
-- Outputs: the CSV on standard output.
copy :"schema".:"table" to stdout with (format csv, header true)
