-- Purpose: does production hold a promotion or a purge that was not published?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: true if the newest of them is newer than the newest complete publication.
select coalesce(
    max(steps.finished_at) filter (where step in ('promote', 'purge'))
        > coalesce(max(steps.finished_at) filter (where step = 'publish'), '-infinity'),
    false
) as pending
from :"ledger".steps join :"ledger".runs using (run_id)
where dataset = $1
    and target_schema = $2
    and not dry_run
    and steps.status = 'completed';
