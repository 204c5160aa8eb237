-- Purpose: the questions of a backfill's next batch.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the last key of the batch before, $2 how many; :fields, a list of quoted columns; pg_temp.open_rows.
-- Outputs: key and the fields.
select distinct on (key) key, :fields
from pg_temp.open_rows
where key > $1
order by key
limit $2;
