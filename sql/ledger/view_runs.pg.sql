-- Purpose: the last runs, for people and machines.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  $1 how many.
-- Outputs: one JSON object a run, the newest first.
select jsonb_build_object(
    'run_id', run_id,
    'dataset', dataset,
    'target_schema', target_schema,
    'kind', kind,
    'dry_run', dry_run,
    'status', status,
    'started_at', started_at,
    'finished_at', finished_at,
    'duration_ms', round(extract(epoch from finished_at - started_at) * 1000),
    'host', host,
    'files', (select count(*) from :"ledger".files where files.run_id = runs.run_id),
    'records_loaded', (select coalesce(sum(records_loaded), 0) from :"ledger".files where files.run_id = runs.run_id),
    'failures_open', (
        select count(*) from :"ledger".failed_records as failed
        where failed.run_id = runs.run_id and failed.resolved_at is null
    ),
    'error', error
)
from :"ledger".runs
order by started_at desc
limit $1;
