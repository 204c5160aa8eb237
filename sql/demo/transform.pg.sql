-- Purpose: queries of the demo of jobs on its tables.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/demo/transform.pg.sql

-- part: look_at_raw  (script)
-- Purpose: let the server know the physical order of the raw rows.
-- Inputs:  :"schema".companies_raw.
-- Outputs: its statistics.
analyze :"schema".companies_raw;

-- part: worker  (statement)
-- Purpose: a worker that is processing a group.
-- Inputs:  :"ledger".
-- Outputs: at most one row: its process.
select worker.process_id
from :"ledger".transform_workers as worker
    join :"ledger".transform_groups as groups on groups.version_id = worker.version_id and groups.worker_id = worker.worker_id
where groups.status = 'running' and worker.ended_at is null
order by worker.started_at, worker.worker_id
limit 1;

-- part: clean  (statement)
-- Purpose: a look at the result.
-- Inputs:  :"schema".companies_clean.
-- Outputs: a few rows: ZIP code, companies, the largest one.
select
    coalesce(zip_code, 'NULL') as zip_code,
    to_char(count(*), 'FM999,999,990') as companies,
    coalesce(max(name) filter (where is_largest), '') as largest
from :"schema".companies_clean
group by zip_code
order by count(*) desc, zip_code
limit 5;
