-- Purpose: the answers of a backfill's batch on their way into production.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 a JSON array of answers by column, key included, as text; pg_temp.answers.
-- Outputs: rows of pg_temp.answers.
insert into pg_temp.answers
select given.* from jsonb_populate_recordset(null::pg_temp.answers, $1::text::jsonb) as given;
