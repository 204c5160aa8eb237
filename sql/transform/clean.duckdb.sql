-- Purpose: raw rows of whole partitions, and the query of a job that cleans them.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/clean.duckdb.sql

-- part: raw  (script)
-- Purpose: an empty table for raw rows.
-- Inputs:  :raw_columns, names and types.
-- Outputs: raw.
create or replace table raw (:raw_columns);

-- part: cleaned  (script, after raw)
-- Purpose: take the query of a job.
-- Inputs:  :query, the text of the job's author; raw.
-- Outputs: cleaned, which asks the query anew each time.
create or replace view cleaned as (
:query
);

-- part: clean  (query, after cleaned)
-- Purpose: the clean rows.
-- Inputs:  raw, cleaned.
-- Outputs: what the query says of raw.
select * from cleaned
