-- Purpose: merge the parents of some records as promote/3_parent.pg.sql merges all.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a savepoint of the probe
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, :assignments, pg_temp.touched, pg_temp.numbered;
--          :first and :end, the positions from one to before the other.
-- Outputs: the parent table.

update :"schema".:"table" as parent
set :assignments
from :"staging".:"table" as staged
where parent.:"key" = staged.:"key"
    and staged.:"key" in (select record_id from pg_temp.numbered where position >= :first and position < :end);

insert into :"schema".:"table" (:columns)
select :columns
from :"staging".:"table" as staged
where staged.:"key" in (select record_id from pg_temp.numbered where position >= :first and position < :end)
    and not exists (select from pg_temp.touched where touched.record_id = staged.:"key");
