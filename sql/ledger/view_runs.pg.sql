-- Purpose: the last runs, for people and machines.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 how many; :"ledger".
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
    'files', (select count(*) from :"ledger".parts where parts.run_id = runs.run_id),
    'records_loaded', (select coalesce(sum(records_loaded), 0) from :"ledger".parts where parts.run_id = runs.run_id),
    'failures_open', (
        select count(distinct (failed.part_id, failed.ordinal)) from :"ledger".failed_records as failed
        where failed.run_id = runs.run_id and failed.resolved_at is null
    ),
    'files_failed', (
        select count(*) from :"ledger".parts
        where parts.run_id = runs.run_id and parts.status in ('failed', 'incomplete')
    ),
    'batches_committed', (
        select count(*) from :"ledger".steps
        where steps.run_id = runs.run_id
            and step in ('promote', 'purge', 'adopt')
            and steps.status = 'completed'
            and not runs.dry_run
    ),
    'error', error
)
from :"ledger".runs
order by started_at desc
limit $1;
