-- Purpose: the postings of files that count: for each name the newest one whose records went into production.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: name, part_id, size, checksum (null: adopted), when it was last changed at its source (microseconds since
--          1970, null: not known), whether it is done (read to its end, or undone), whether a record of the name is still
--          failed, whether it is undone, and the checksums of all content of the name that was undone. A file of the archive
--          has no time of its own: that of the same bytes counts.
with committed as (
    select
        parts.*,
        max(parts.part_id) filter (where parts.status <> 'undone') over (
            partition by parts.name order by parts.part_id rows between unbounded preceding and 1 preceding
        ) as standing_id
    from :"ledger".parts join :"ledger".runs using (run_id)
    where dataset = $1
        and target_schema = $2
        and not dry_run
        and (
            parts.status in ('done', 'done_with_failures', 'incomplete')
            -- If only some records of a posting were read, another posting of the name counts.
            -- (An older ledger does not have this column, and no undone parts.)
            or parts.status = 'undone' and to_jsonb(parts) ->> 'undone_from' <> 'retried'
        )
),
-- Where content that stood was read again, and that was undone, it stands still.
posting as (
    select committed.*
    from committed left join :"ledger".parts as standing on standing.part_id = committed.standing_id
    where committed.status <> 'undone' or committed.sha256 is distinct from standing.sha256
),
newest as (
    select distinct on (name) *
    from posting
    order by name, part_id desc
),
posted as (
    select distinct on (name, sha256) name, sha256, modified_at
    from posting
    where modified_at is not null
    order by name, sha256, part_id desc
),
undone as (
    select name, array_agg(sha256) as checksums
    from (
        select distinct on (name, sha256) name, sha256, status
        from posting
        where sha256 is not null
        order by name, sha256, part_id desc
    ) as content
    where status = 'undone'
    group by name
)
select
    name,
    part_id,
    size_bytes,
    sha256,
    (extract(epoch from posted.modified_at) * 1000000)::bigint as modified_us,
    status <> 'incomplete' as is_done,
    exists (
        select
        from :"ledger".failed_records as failed
            join :"ledger".parts as failed_file on failed_file.part_id = failed.part_id
            join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
        where failed_file.name = newest.name
            and failed_run.dataset = $1
            and failed_run.target_schema = $2
            and not failed_run.dry_run
            and failed.resolved_at is null
    ) as has_failures,
    status = 'undone' as is_undone,
    coalesce(undone.checksums, '{}') as undone_sha256
from newest left join posted using (name, sha256) left join undone using (name);
