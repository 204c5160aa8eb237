-- Purpose: list the days that are deleted permanently: there are none.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: pg_temp.sealed_records: record_id.
create or replace temp view sealed_records as
select null::date as record_id where false;
