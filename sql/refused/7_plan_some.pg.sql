-- Purpose: have the dataset's plan see some cases of the batch and no others.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a savepoint of the probe, which is rolled back
-- Inputs:  :"staging".:"records", pg_temp.cases; :first and :end, the positions from one to before the other.
-- Outputs: :"staging".:"records" with the records of these cases alone.
delete from :"staging".:"records" as record
using pg_temp.cases
where cases.record_id = record.record_id and not (cases.position >= :first and cases.position < :end);
