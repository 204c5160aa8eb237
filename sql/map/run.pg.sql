-- Purpose: the run that production is of, for the foot of a picture.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 schema; :"ledger".
-- Outputs: the id and the last commit's time of the newest run that changed production, or no row.
select runs.run_id::text as run_id, max(steps.finished_at) as committed_at
from :"ledger".runs
join :"ledger".steps on steps.run_id = runs.run_id
where runs.dataset = $1
    and runs.target_schema = $2
    and not runs.dry_run
    and steps.step in ('promote', 'purge', 'adopt')
    and steps.status = 'completed'
group by runs.run_id
order by committed_at desc
limit 1;
