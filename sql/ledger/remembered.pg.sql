-- Purpose: how many rows the production tables had when they were last counted, or changed by us.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: table_name and rows; none of a table that the ledger knows nothing of. A publication reads every row, so its
--          count is true; what a batch or a purge changed since is reckoned from there.
with counts as (
    select change.table_name, change.rows_after as rows, runs.started_at, change.batch
    from :"ledger".table_changes as change join :"ledger".runs using (run_id)
    where runs.dataset = $1 and runs.target_schema = $2 and not runs.dry_run
    union all
    -- It is the last that a run does.
    select counted.key, counted.value::bigint, runs.started_at, null
    from :"ledger".steps
        join :"ledger".runs using (run_id)
        cross join jsonb_each_text(steps.details -> 'rows') as counted
    where runs.dataset = $1
        and runs.target_schema = $2
        and not runs.dry_run
        and steps.step = 'publish'
        and steps.status = 'completed'
        and jsonb_typeof(steps.details -> 'rows') = 'object'
)
select distinct on (table_name) table_name, rows
from counts
order by table_name, started_at desc, batch desc nulls first;
