-- Purpose: insert the parents that are new.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after 3_parent.pg.sql
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, pg_temp.touched.
-- Outputs: the parent table.

insert into :"schema".:"table" (:columns)
select :columns
from :"staging".:"table" as staged
where not exists (select from pg_temp.touched where touched.record_id = staged.:"key");
