-- Purpose: take out commits that are deleted for ever: there are none.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction
-- Inputs:  none.
-- Outputs: pg_temp.purged, without rows: table_name, rows.
create temp table purged (table_name text, rows bigint) on commit drop;
