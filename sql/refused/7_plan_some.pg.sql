-- Purpose: have the dataset's plan see some records of the batch and no others.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a savepoint of the probe, which is rolled back
-- Inputs:  :"staging".:"records", pg_temp.numbered; :first and :end, the positions from one to before the other.
-- Outputs: :"staging".:"records" with what is staged of these alone.
delete from :"staging".:"records" as record
using pg_temp.numbered
where numbered.record_id = record.record_id and not (numbered.position >= :first and numbered.position < :end);
