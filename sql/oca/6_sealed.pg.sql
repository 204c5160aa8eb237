-- Purpose: the permanently deleted cases.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".oca_metadata
-- Outputs: pg_temp.sealed_records: record_id.
create or replace temp view sealed_records as
select indexnumberid as record_id from :"schema".oca_metadata where deletedate is not null;
