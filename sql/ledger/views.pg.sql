-- Purpose: what `status` and `failures` show; see also view_run.pg.sql.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/views.pg.sql

-- part: view_runs  (statement)
-- Purpose: the last runs, for people and machines.
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
    'undone_by', (select max(undone_by::text) from :"ledger".undo_batches as batch where batch.run_id = runs.run_id),
    'options', options,
    'error', error
)
from :"ledger".runs
order by started_at desc
limit $1;

-- part: view_timings  (statement)
-- Purpose: how long the steps of the last runs took, summed over batches.
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

-- part: view_part  (statement)
-- Purpose: what happened to a file in every run that took it in.
-- Inputs:  $1 its name; :"ledger".
-- Outputs: one JSON object a run, the newest first.
select to_jsonb(parts) - '{part_id,as_of,unknown}'::text[] || jsonb_build_object(
    'file_id', parts.part_id,
    'run_date', parts.as_of,
    'unknown_elements', parts.unknown,
    'kind', runs.kind,
    'dataset', runs.dataset,
    'target_schema', runs.target_schema,
    'run_status', runs.status,
    'dry_run', runs.dry_run,
    'started_at', runs.started_at,
    'failures_open', (
        select count(distinct ordinal) from :"ledger".failed_records as failed
        where failed.part_id = parts.part_id and failed.resolved_at is null
    )
)
from :"ledger".parts join :"ledger".runs using (run_id)
where parts.name = $1
order by runs.started_at desc;

-- part: view_failures  (statement)
-- Purpose: the failed records, those that are not settled first.
-- Inputs:  $1 run_id or null, $2 file name or null, $3 dataset or null, $4 one failed record or null, $5
--          include settled ones?, $6 the identity of a record or null, $7 target schema or null; :"ledger".
-- Outputs: one JSON object a record; the fragment only for one record. Records of dry runs only if requested.
select to_jsonb(failed) - 'part_id' - case when $4::bigint is null then 'fragment' else '' end
    || jsonb_build_object(
        'file_id', failed.part_id,
        'file', parts.name,
        'run_date', parts.as_of,
        'dataset', runs.dataset,
        'target_schema', runs.target_schema,
        'dry_run', runs.dry_run
    )
from :"ledger".failed_records as failed
    join :"ledger".parts using (part_id)
    join :"ledger".runs on runs.run_id = failed.run_id
where ($1::uuid is null or failed.run_id = $1)
    and ($2::text is null or parts.name = $2)
    and ($3::text is null or runs.dataset = $3)
    and ($4::bigint is null or failed.failed_record_id = $4)
    and ($5::boolean or $4 is not null or failed.resolved_at is null)
    and ($6::text is null or failed.record_id = $6)
    and ($7::text is null or runs.target_schema = $7)
    and ($1 is not null or $4 is not null or not runs.dry_run)
order by failed.resolved_at is not null, failed.reason, parts.as_of, parts.name, failed.failed_record_id;

-- part: view_unreadable  (statement)
-- Purpose: the files of which nothing could be read.
-- Inputs:  $1 run_id or null, $2 file name or null, $3 dataset or null, $4 include those that are gone from their source?, $5 target
--          schema or null; :"ledger".
-- Outputs: one JSON object a file. With all runs, only if the newest run that took the file could not read it; dry runs only if requested.
select jsonb_build_object(
    'name', name, 'error', error, 'run_id', run_id, 'dataset', dataset, 'target_schema', target_schema, 'is_gone', is_gone
)
from (
    select distinct on (runs.dataset, runs.target_schema, parts.name)
        runs.dataset, runs.target_schema, parts.name, parts.error, parts.status, parts.run_id, parts.part_id,
        exists (
            select
            from :"ledger".steps as seen join :"ledger".runs as later using (run_id)
            where later.dataset = runs.dataset
                and later.target_schema = runs.target_schema
                and not later.dry_run
                and later.started_at > runs.started_at
                and seen.step = 'select'
                and seen.details -> 'gone' ? parts.name
        ) as is_gone
    from :"ledger".parts join :"ledger".runs using (run_id)
    where ($1::uuid is null or runs.run_id = $1)
        and ($2::text is null or parts.name = $2)
        and ($3::text is null or runs.dataset = $3)
        and ($5::text is null or runs.target_schema = $5)
        and ($1 is not null or not runs.dry_run)
        and parts.status <> 'pending'
    order by runs.dataset, runs.target_schema, parts.name, parts.part_id desc
) as newest
where status = 'failed' and ($4::boolean or not is_gone)
order by part_id;

-- part: view_origin  (statement)
-- Purpose: where a record in production came from.
-- Inputs:  $1 its identity; :"ledger".
-- Outputs: one JSON object for each dataset and schema that has it.
select to_jsonb(origin) - 'part_id' || jsonb_build_object(
    'file_id', origin.part_id, 'file', parts.name, 'run_id', parts.run_id, 'run_date', parts.as_of, 'sha256', parts.sha256
)
from :"ledger".record_origins as origin join :"ledger".parts using (part_id)
where origin.record_id = $1;

-- part: is_there  (statement)
-- Purpose: does production have a record?
-- Inputs:  $1 its identity; :"schema".:"table", the parent table, and :"key", its key.
-- Outputs: true or false.
select exists (select from :"schema".:"table" as record where record.:"key"::text = $1);
