-- Purpose: a place for a CSV of truth.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"schema".:"table".
-- Outputs: pg_temp.golden, empty, with the same columns.
drop table if exists pg_temp.golden;
create temp table golden (like :"schema".:"table") on commit drop;
