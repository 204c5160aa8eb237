-- Purpose: begin with the parent table: deleted records go, and what is staged of records that stay out.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: the parent table without deleted records; pg_temp.removed filled for it; staging without blocked records. The
--          number of the last statement, of blocked rows, is what update and insert are held against.

with gone as (
    delete from :"schema".:"table" as parent
    using pg_temp.touched
    where parent.:"key" = touched.record_id and touched.action = 'delete'
    returning touched.record_id
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', record_id, 1 from gone
union all
select :'table', record_id, 1 from pg_temp.touched where action = 'load';

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;
