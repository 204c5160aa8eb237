-- Purpose: the files that are done: read to their end, their good records in production.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  $1 dataset, $2 target schema.
-- Outputs: name and size of each (a name can have had several sizes), and whether a record of it is
--          still failed.
select
    files.name,
    files.size_bytes,
    exists (
        select
        from :"ledger".failed_records as failed
            join :"ledger".files as failed_file on failed_file.file_id = failed.file_id
            join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
        where failed_file.name = files.name
            and failed_run.dataset = $1
            and failed_run.target_schema = $2
            and not failed_run.dry_run
            and failed.resolved_at is null
    ) as has_failures
from :"ledger".files join :"ledger".runs using (run_id)
where dataset = $1
    and target_schema = $2
    and files.status in ('done', 'done_with_failures')
group by files.name, files.size_bytes;
