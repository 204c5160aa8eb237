-- Purpose: put the staged rows of some records into a child table.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a savepoint of the probe, after 10_parent.pg.sql
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, pg_temp.numbered; :first and :end, the positions
--          from one to before the other.
-- Outputs: the child table.

insert into :"schema".:"table" (:columns)
select :columns
from :"staging".:"table" as staged
where staged.:"key" in (select record_id from pg_temp.numbered where position >= :first and position < :end);
