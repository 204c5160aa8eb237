-- Purpose: where did the server do something else than the plan says?
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  pg_temp.counted: table_name, change (insert, update, delete, or left: rows of deleted records that are still
--          there), expected and found, numbers of rows.
-- Outputs: those that differ. Of a key that a table holds twice, an update finds more rows than records.
select table_name, change, expected, found
from pg_temp.counted
where found < expected or found > expected and change <> 'update'
order by table_name, change;
