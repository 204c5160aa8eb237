-- Purpose: the same as known_parts.pg.sql, for a ledger of version 1 or 2: `check` reads it and changes nothing.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema; :"ledger", in which parts are still named files.
-- Outputs: name, file_id, size, checksum (null: adopted), when it was last changed at its source (microseconds since
--          1970, null: not known), whether it is done (read to its end), and whether a record of the name is still
--          failed. A file of the archive has no time of its own: that of the same bytes counts.
with posting as (
    select files.*
    from :"ledger".files join :"ledger".runs using (run_id)
    where dataset = $1
        and target_schema = $2
        and not dry_run
        and files.status in ('done', 'done_with_failures', 'incomplete')
),
newest as (
    select distinct on (name) *
    from posting
    order by name, file_id desc
),
posted as (
    -- `check` also reads ledgers that do not have this column yet.
    select distinct on (name, sha256) name, sha256, (to_jsonb(posting) ->> 'modified_at')::timestamptz as modified_at
    from posting
    where to_jsonb(posting) ->> 'modified_at' is not null
    order by name, sha256, file_id desc
)
select
    name,
    file_id,
    size_bytes,
    sha256,
    (extract(epoch from posted.modified_at) * 1000000)::bigint as modified_us,
    status <> 'incomplete' as is_done,
    exists (
        select
        from :"ledger".failed_records as failed
            join :"ledger".files as failed_file on failed_file.file_id = failed.file_id
            join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
        where failed_file.name = newest.name
            and failed_run.dataset = $1
            and failed_run.target_schema = $2
            and not failed_run.dry_run
            and failed.resolved_at is null
    ) as has_failures
from newest left join posted using (name, sha256);
