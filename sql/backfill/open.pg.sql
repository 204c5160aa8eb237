-- Purpose: how much a backfill has to do.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  pg_temp.open_rows.
-- Outputs: the number of rows, and of different questions among them.
select count(*) as rows, count(distinct key) as questions from pg_temp.open_rows;
