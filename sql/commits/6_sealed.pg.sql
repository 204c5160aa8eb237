-- Purpose: the commits that are deleted for ever: none, since what no head reaches is marked and stays.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: pg_temp.sealed_records: record_id.
create or replace temp view sealed_records as
select null::text as record_id where false;
