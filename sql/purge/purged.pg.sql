-- Purpose: what a purge took out.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the purge
-- Inputs:  pg_temp.purged.
-- Outputs: table_name, rows; only where there were any.
select table_name, rows from pg_temp.purged where rows > 0 order by table_name;
