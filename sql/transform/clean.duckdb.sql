-- Purpose: hold the raw rows of whole partitions, and clean them by the query of a job.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/clean.duckdb.sql

-- part: places  (script)
-- Purpose: find files that the job's query names in the job's folder, whatever the current directory is.
-- Inputs:  :'folder'.
-- Outputs: the setting.
set file_search_path = :'folder';

-- part: raw  (script)
-- Purpose: create an empty table for raw rows.
-- Inputs:  :raw_columns, names and types.
-- Outputs: raw.
create or replace table raw (:raw_columns);

-- part: cleaned  (script, after raw)
-- Purpose: make a view of the job's query.
-- Inputs:  :query, written by the job's author; raw.
-- Outputs: cleaned, which runs the query each time it is read.
create or replace view cleaned as (
:query
);

-- part: clean  (query, after cleaned)
-- Purpose: read the clean rows.
-- Inputs:  raw, cleaned.
-- Outputs: the result of the query over raw.
select * from cleaned
