-- Purpose: a record that fails again is listed once, with its newest failure.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 part_id of the file that is being read again, $2 run_id; :"ledger".
-- Outputs: older unresolved rows of failed_records for the same file, closed.
update :"ledger".failed_records as failed
set resolved_by = $2, resolved_at = clock_timestamp(), resolution = 'failed_again'
from :"ledger".parts as old_file, :"ledger".runs as old_run, :"ledger".parts as new_file, :"ledger".runs as new_run
where new_file.part_id = $1
    and new_run.run_id = new_file.run_id
    and not new_run.dry_run
    and old_run.run_id = failed.run_id
    and old_run.dataset = new_run.dataset
    and old_run.target_schema = new_run.target_schema
    and old_file.part_id = failed.part_id
    and old_file.name = new_file.name
    -- In other bytes a place is another record.
    and old_file.sha256 = new_file.sha256
    and failed.resolved_at is null
    and failed.run_id <> $2
    and exists (
        select from :"ledger".failed_records as newer
        where newer.part_id = $1 and newer.ordinal = failed.ordinal
    );
