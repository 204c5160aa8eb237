-- Purpose: where the records are that failed and are not put right.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema, $3 run_id or null, $4 failed_record_id or null; :"ledger".
-- Outputs: file name, its size, ordinal of each. A break of a document has no record to try again.
select distinct parts.name, parts.size_bytes, failed.ordinal
from :"ledger".failed_records as failed
    join :"ledger".parts using (part_id)
    join :"ledger".runs on runs.run_id = failed.run_id
where runs.dataset = $1
    and runs.target_schema = $2
    and not runs.dry_run
    and failed.resolved_at is null
    and failed.ordinal > 0
    and ($3::uuid is null or failed.run_id = $3)
    and ($4::bigint is null or failed.failed_record_id = $4)
order by parts.name, parts.size_bytes, failed.ordinal;
