-- Purpose: can this failed record be tried again?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 failed_record_id; :"ledger".
-- Outputs: file name, target schema, ordinal, and how it was settled, if it is.
select
    parts.name,
    runs.target_schema,
    failed.ordinal,
    failed.resolution || ' by run ' || coalesce(failed.resolved_by::text, '-') as resolution
from :"ledger".failed_records as failed
    join :"ledger".parts using (part_id)
    join :"ledger".runs on runs.run_id = failed.run_id
where runs.dataset = $1
    and not runs.dry_run
    and failed.failed_record_id = $2;
