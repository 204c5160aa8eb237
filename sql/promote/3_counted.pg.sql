-- Purpose: hold what the server did to the parent table against the plan.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after 3_insert.pg.sql
-- Inputs:  :"schema".:"table", :"key", pg_temp.touched; :staged, rows that were to be loaded; :updated and :inserted, what
--          the server says it did.
-- Outputs: rows of pg_temp.counted.
with known as (
    select count(*) as rows from pg_temp.touched where action = 'load'
)
insert into pg_temp.counted (table_name, change, expected, found)
select :'table', 'update', known.rows, :updated from known
union all
select :'table', 'insert', :staged - known.rows, :inserted from known
union all
select :'table', 'left', 0, count(*)
from :"schema".:"table" as parent
where parent.:"key" in (select record_id from pg_temp.touched where action = 'delete');
