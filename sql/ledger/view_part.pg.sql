-- Purpose: what became of a file, in every run that took it up.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
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
