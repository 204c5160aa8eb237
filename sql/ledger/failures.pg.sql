-- Purpose: failed records, until they are settled.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/failures.pg.sql

-- part: add_failures  (statement)
-- Purpose: enter failed records.
-- Inputs:  $1 run_id, $2 a JSON array of records, as text; :"ledger".
-- Outputs: rows of failed_records.
insert into :"ledger".failed_records (
    run_id, part_id, record_id, ordinal, offset_bytes, table_name, field, value, reason, fragment, suggestion
)
select $1, part_id, record_id, ordinal, offset_bytes, table_name, field, value, reason, fragment, suggestion
from jsonb_to_recordset($2::text::jsonb) as record (
    part_id bigint, record_id text, ordinal bigint, offset_bytes bigint, table_name text, field text,
    value text, reason text, fragment text, suggestion text
);

-- part: failed_again  (statement)
-- Purpose: a record that fails again is listed once, with its newest failure.
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
    -- In a file with other bytes, the same place is another record.
    and old_file.sha256 = new_file.sha256
    and failed.resolved_at is null
    and failed.run_id <> $2
    and exists (
        select from :"ledger".failed_records as newer
        where newer.part_id = $1 and newer.ordinal = failed.ordinal
    );

-- part: failed_record  (statement)
-- Purpose: can this failed record be tried again?
-- Inputs:  $1 dataset, $2 failed_record_id; :"ledger".
-- Outputs: file name, target schema, ordinal, and how it was settled, or null.
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

-- part: unresolved  (statement)
-- Purpose: where the failed records are that are not settled.
-- Inputs:  $1 dataset, $2 target schema, $3 run_id or null, $4 failed_record_id or null; :"ledger".
-- Outputs: file name, its size, ordinal of each. A document that breaks off has no record to try again.
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

-- part: unread  (statement)
-- Purpose: the files of a source of which nothing could be read, by the newest run that has taken them; without those that a run
--          has already found to be gone.
-- Inputs:  $1 dataset, $2 target schema, $3 the source; :"ledger".
-- Outputs: their names.
select name
from (
    select distinct on (parts.name) parts.name, parts.status, parts.source, runs.started_at
    from :"ledger".parts join :"ledger".runs using (run_id)
    where runs.dataset = $1 and runs.target_schema = $2 and not runs.dry_run and parts.status <> 'pending'
    order by parts.name, parts.part_id desc
) as newest
where status = 'failed'
    and source = $3
    and not exists (
        select
        from :"ledger".steps as seen join :"ledger".runs as later using (run_id)
        where later.dataset = $1
            and later.target_schema = $2
            and not later.dry_run
            and later.started_at > newest.started_at
            and seen.step = 'select'
            and seen.details -> 'gone' ? newest.name
    );

-- part: open  (script)
-- Purpose: how many failed records are not settled?
-- Inputs:  :"ledger".
-- Outputs: their number, without those of dry runs.
select count(distinct (failed.part_id, failed.ordinal))
from :"ledger".failed_records as failed join :"ledger".runs using (run_id)
where failed.resolved_at is null and not runs.dry_run;

-- part: open_of  (statement)
-- Purpose: how many failed records of a dataset are not settled?
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: their number, without those of dry runs.
select count(distinct (failed.part_id, failed.ordinal))
from :"ledger".failed_records as failed join :"ledger".runs using (run_id)
where failed.resolved_at is null
    and not runs.dry_run
    and runs.dataset = $1
    and runs.target_schema = $2;
