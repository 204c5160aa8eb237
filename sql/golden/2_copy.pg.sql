-- Purpose: load a CSV of truth.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :columns, those of its header; the CSV on standard input.
-- Outputs: pg_temp.golden.
copy pg_temp.golden (:columns) from stdin with (format csv, header true)
