-- Purpose: a backfill, batch by batch.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/backfill/backfill.pg.sql

-- part: open  (statement)
-- Purpose: how much a backfill has to do.
-- Inputs:  pg_temp.open_rows.
-- Outputs: the number of rows, and of distinct questions among them.
select count(*) as rows, count(distinct key) as questions from pg_temp.open_rows;

-- part: next  (statement)
-- Purpose: the questions of a backfill's next batch.
-- Inputs:  $1 the last key of the batch before, $2 how many; :fields, a list of quoted columns; pg_temp.open_rows.
-- Outputs: key and the fields.
select distinct on (key) key, :fields
from pg_temp.open_rows
where key > $1
order by key
limit $2;

-- part: answers  (statement)
-- Purpose: stage the answers of a backfill's batch for production.
-- Inputs:  $1 a JSON array of answers by column, key included, as text; pg_temp.answers.
-- Outputs: rows of pg_temp.answers.
insert into pg_temp.answers
select given.* from jsonb_populate_recordset(null::pg_temp.answers, $1::text::jsonb) as given;

-- part: unfinished  (statement)
-- Purpose: how many rows lack what a dataset makes of their answers.
-- Inputs:  pg_temp.unfinished.
-- Outputs: their number.
select count(*) as rows from pg_temp.unfinished;

-- part: to_finish  (script, inside a transaction)
-- Purpose: the records whose rows lack what a dataset makes of their answers.
-- Inputs:  pg_temp.unfinished.
-- Outputs: pg_temp.completed: record_id, until the transaction ends.
create or replace temp view completed as
select record_id from pg_temp.unfinished;

-- part: completed  (script, inside the transaction of a batch)
-- Purpose: the records whose rows a dataset may complete.
-- Inputs:  pg_temp.open_rows, pg_temp.answers.
-- Outputs: pg_temp.completed: record_id.
create or replace temp view completed as
select open_rows.record_id
from pg_temp.open_rows join pg_temp.answers using (key);
