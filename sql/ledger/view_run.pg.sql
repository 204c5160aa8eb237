-- Purpose: everything about one run.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: one JSON object, if there is such a run.
select to_jsonb(runs) || jsonb_build_object(
    'undone_by', (select max(undone_by::text) from :"ledger".undo_batches as batch where batch.run_id = runs.run_id),
    'before_images_until', (
        select max(kept_until) from :"ledger".undo_batches as batch where batch.run_id = runs.run_id and kept_until > now()
    ),
    'duration_ms', round(extract(epoch from finished_at - started_at) * 1000),
    'steps', (
        select coalesce(jsonb_agg(
            to_jsonb(steps) - 'run_id'
                || jsonb_build_object('duration_ms', round(extract(epoch from steps.finished_at - steps.started_at) * 1000))
            order by steps.started_at
        ), '[]')
        from :"ledger".steps where steps.run_id = runs.run_id
    ),
    'files', (
        select coalesce(jsonb_agg(
            to_jsonb(parts) - '{run_id,part_id,as_of,unknown}'::text[]
                || jsonb_build_object('file_id', part_id, 'run_date', as_of, 'unknown_elements', unknown)
            order by part_id
        ), '[]')
        from :"ledger".parts where parts.run_id = runs.run_id
    ),
    'table_changes', (
        select coalesce(jsonb_agg(to_jsonb(change) - 'run_id' order by batch, table_name), '[]')
        from :"ledger".table_changes as change where change.run_id = runs.run_id
    ),
    'guards', (
        select coalesce(jsonb_agg(to_jsonb(guards) - 'run_id' order by batch, name, subject), '[]')
        from :"ledger".guards where guards.run_id = runs.run_id
    ),
    'failures', (
        -- A record can have failed for several reasons.
        select jsonb_build_object(
            'open', count(distinct (part_id, ordinal)) filter (where resolved_at is null),
            'settled', count(distinct (part_id, ordinal)) filter (where resolution <> 'failed_again'),
            'failed_again', count(distinct (part_id, ordinal)) filter (where resolution = 'failed_again')
        )
        from :"ledger".failed_records as failed where failed.run_id = runs.run_id
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
    )
)
from :"ledger".runs
where run_id = $1;
