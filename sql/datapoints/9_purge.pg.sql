-- Purpose: take out what should have been gone: no day is deleted for ever, so there is nothing.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction
-- Inputs:  none.
-- Outputs: pg_temp.purged, empty.
create temp table purged (table_name text, rows bigint) on commit drop;
