-- Purpose: remove what should have been deleted: nothing, because no day is deleted permanently.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction
-- Inputs:  none.
-- Outputs: pg_temp.purged, empty.
create temp table purged (table_name text, rows bigint) on commit drop;
