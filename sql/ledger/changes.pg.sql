-- Purpose: what a batch changed or would have changed, and what the guards found.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/changes.pg.sql

-- part: remembered  (statement)
-- Purpose: how many rows the production tables had when they were last counted, or changed by us.
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: table_name and rows; no row for a table that the ledger does not know. A publication reads every row, so its
--          count is exact; what a batch or a purge changed since is added to it.
with counts as (
    select change.table_name, change.rows_after as rows, runs.started_at, change.batch
    from :"ledger".table_changes as change join :"ledger".runs using (run_id)
    where runs.dataset = $1 and runs.target_schema = $2 and not runs.dry_run
    union all
    -- A publication is the last step of a run.
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

-- part: add_changes  (statement)
-- Purpose: keep what a dry run would have changed.
-- Inputs:  $1 run_id, $2 batch, $3 a JSON array of changes, as text; :"ledger".
-- Outputs: rows of table_changes.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select $1, $2, "table", before, inserted, replaced, deleted, after
from jsonb_to_recordset($3::text::jsonb) as change (
    "table" text, before bigint, inserted bigint, replaced bigint, deleted bigint, after bigint
);

-- part: add_guards  (statement)
-- Purpose: keep what the guards found even though the promotion was rolled back.
-- Inputs:  $1 run_id, $2 batch, $3 a JSON array of findings, as text; :"ledger".
-- Outputs: rows of guards.
insert into :"ledger".guards (run_id, batch, name, subject, threshold, found, passed, allowed_by)
select $1, $2, name, subject, threshold, found, passed, allowed_by
from jsonb_to_recordset($3::text::jsonb) as finding (
    name text, subject text, threshold text, found text, passed boolean, allowed_by text
);
