-- Purpose: take out the parents of deleted records, and what is staged of records that stay out.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the probe, after promote/2_remove.pg.sql of each child
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: the parent table, and the staged parents.

delete from :"schema".:"table" as parent
using pg_temp.touched
where parent.:"key" = touched.record_id and touched.action = 'delete';

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;
