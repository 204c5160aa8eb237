-- Purpose: take the old rows of the touched records out of a child table.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: pg_temp.removed filled for the table; staging without blocked records. The number of the last statement, of
--          blocked rows, is what the insert is held against.

with gone as (
    delete from :"schema".:"table" as child
    using pg_temp.touched
    where child.:"key" = touched.record_id
    returning touched.record_id
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', record_id, count(*) from gone group by record_id;

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;
