-- Purpose: what the steps of the last runs cost, batches added up.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 how many runs; $2 run_id of the only one wanted, or null; :"ledger".
-- Outputs: one JSON object a run that did something, the newest first.
with run as (
    select *
    from :"ledger".runs
    where $2::uuid is null or run_id = $2
    order by started_at desc
    limit $1
),
cost as (
    select
        run_id,
        step,
        min(steps.started_at) as started_at,
        round(sum(extract(epoch from steps.finished_at - steps.started_at) * 1000)) as duration_ms,
        sum((details ->> 'cpu_ms')::bigint) as cpu_ms,
        max((details ->> 'peak_memory_bytes')::bigint) as peak_memory_bytes,
        sum(rows)::bigint as rows,
        sum(bytes)::bigint as bytes
    from :"ledger".steps join run using (run_id)
    where steps.finished_at is not null
    group by run_id, step
)
select jsonb_build_object(
    'run_id', run_id,
    'dataset', dataset,
    'kind', kind,
    'dry_run', dry_run,
    'status', status,
    'started_at', started_at,
    'duration_ms', round(extract(epoch from finished_at - started_at) * 1000),
    'records_seen', (select coalesce(sum(records_seen), 0) from :"ledger".parts where parts.run_id = run.run_id),
    'peak_memory_bytes', (select max(peak_memory_bytes) from cost where cost.run_id = run.run_id),
    'steps', (
        select coalesce(jsonb_agg(to_jsonb(cost) - 'run_id' - 'started_at' order by started_at), '[]')
        from cost where cost.run_id = run.run_id
    )
)
from run
order by started_at desc;
