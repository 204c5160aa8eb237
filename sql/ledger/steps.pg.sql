-- Purpose: the steps of a run, and what they show about a promotion.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/steps.pg.sql

-- part: notify  (statement)
-- Purpose: notify listeners that a run has changed production; they are notified when this transaction commits.
-- Inputs:  $1 dataset.
-- Outputs: none.
select pg_notify('merganser', $1);

-- part: start_step  (statement)
-- Purpose: begin a step.
-- Inputs:  $1 run_id, $2 batch, $3 step; :"ledger".
-- Outputs: one row of steps. A step that is repeated without the records that the database refused starts again.
insert into :"ledger".steps (run_id, batch, step, status)
values ($1, $2, $3, 'running')
on conflict (run_id, batch, step) do update set status = 'running', started_at = clock_timestamp(), finished_at = null;

-- part: finish_step  (statement)
-- Purpose: end a step.
-- Inputs:  $1 run_id, $2 batch, $3 step, $4 status, $5 rows, $6 bytes, $7 details; :"ledger".
-- Outputs: its row of steps.
insert into :"ledger".steps (run_id, batch, step, status, finished_at, rows, bytes, details)
values ($1, $2, $3, $4, clock_timestamp(), $5, $6, $7)
on conflict (run_id, batch, step) do update
set status = excluded.status,
    finished_at = excluded.finished_at,
    rows = excluded.rows,
    bytes = excluded.bytes,
    details = excluded.details;

-- part: fail_steps  (statement)
-- Purpose: fail the steps that were under way when the run failed.
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: its rows of steps.
update :"ledger".steps
set status = 'failed', finished_at = clock_timestamp()
where run_id = $1 and status = 'running';

-- part: committed  (statement, after lock_promotion)
-- Purpose: did a COMMIT take effect during which the connection broke?
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: true if the batch was committed.
select exists (
    select from :"ledger".steps
    where run_id = $1 and batch = $2 and step = 'promote' and status = 'completed'
);

-- part: published  (statement)
-- Purpose: does production hold a promotion or a purge that was not published?
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: true if the newest of them is newer than the newest complete publication.
select coalesce(
    -- A reference alone leaves nothing to publish; if there are production tables, it changes what views show.
    bool_or(step in ('promote', 'purge') and runs.kind <> 'reference')
        and max(steps.finished_at) filter (where step in ('promote', 'purge'))
            > coalesce(max(steps.finished_at) filter (where step = 'publish'), '-infinity'),
    false
) as pending
from :"ledger".steps join :"ledger".runs using (run_id)
where dataset = $1
    and target_schema = $2
    and not dry_run
    and steps.status = 'completed';
