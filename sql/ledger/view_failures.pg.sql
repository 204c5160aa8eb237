-- Purpose: the failed records, those that are not put right first.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id or null, $2 file name or null, $3 dataset or null, $4 one failed record or null, $5
--          settled ones too?, $6 the identity of a record or null; :"ledger".
-- Outputs: one JSON object a record; the fragment only for one record. Those of dry runs only when asked for.
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
    and ($1 is not null or $4 is not null or not runs.dry_run)
order by failed.resolved_at is not null, failed.reason, parts.as_of, parts.name, failed.failed_record_id;
