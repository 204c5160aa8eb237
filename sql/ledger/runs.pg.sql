-- Purpose: begin and end runs, mark dead ones, find them.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/runs.pg.sql

-- part: begin_run  (statement)
-- Purpose: begin a run.
-- Inputs:  $1 run_id, $2 dataset, $3 target schema, $4 kind, $5 dry run, $6 options, $7 versions, $8 host;
--          :"ledger".
-- Outputs: one row of runs.
insert into :"ledger".runs (run_id, dataset, target_schema, kind, dry_run, options, versions, host)
values (
    $1, $2, $3, $4, $5, $6,
    $7::jsonb || jsonb_build_object('postgresql', current_setting('server_version')),
    $8
);

-- part: finish_run  (statement)
-- Purpose: end a run.
-- Inputs:  $1 run_id, $2 status, $3 counts, $4 error, $5 chain of causes; :"ledger".
-- Outputs: its row of runs.
update :"ledger".runs
set status = $2, finished_at = clock_timestamp(), counts = $3, error = $4, error_chain = $5
where run_id = $1 and status = 'running';

-- part: abandon  (statement)
-- Purpose: mark runs that were killed. Only the holder of the lock may do this.
-- Inputs:  $1 dataset; :"ledger".
-- Outputs: the runs that were marked.
update :"ledger".runs
set status = 'abandoned',
    finished_at = clock_timestamp(),
    error = 'the process ended without a word'
where dataset = $1 and status = 'running'
returning run_id;

-- part: find_run  (statement)
-- Purpose: the run that a person means.
-- Inputs:  $1 a run_id, its beginning or its end, or `last`; $2 a run to leave out, or null;
--          :"ledger".
-- Outputs: the run_ids that match, the newest first; three rows mean that too many match.
select run_id
from :"ledger".runs
where ($1 = 'last' or starts_with(run_id::text, lower($1)) or right(run_id::text, length($1)) = lower($1))
    and run_id is distinct from $2
order by started_at desc
limit case when $1 = 'last' then 1 else 3 end;

-- part: own_runs  (statement)
-- Purpose: which of these runs does this ledger know as runs of the dataset?
-- Inputs:  $1 dataset, $2 target schema, $3 run_ids, as text; :"ledger".
-- Outputs: those that it knows, as text.
select run_id::text
from :"ledger".runs
where dataset = $1 and target_schema = $2 and run_id::text = any($3::text[]);

-- part: quiet  (statement)
-- Purpose: for how long has nothing new arrived, and did a run report that today (UTC)?
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: one row: days, whole ones since a file was taken in, or since the first run if none was; told, was it reported.
with own as (
    select run_id, kind, started_at, finished_at, counts
    from :"ledger".runs
    where dataset = $1 and target_schema = $2 and not dry_run
),
came as (
    select max(coalesce(own.finished_at, own.started_at)) as at
    from own join :"ledger".parts using (run_id)
    where own.kind in ('run', 'adopt')
        and parts.status in ('done', 'done_with_failures', 'incomplete', 'undone')
)
select
    floor(extract(epoch from clock_timestamp() - coalesce(
        (select at from came), (select min(started_at) from own), clock_timestamp()
    )) / 86400)::int as days,
    exists (
        select from own
        where jsonb_typeof(counts -> 'quiet_days') = 'number'
            and (finished_at at time zone 'UTC')::date = (clock_timestamp() at time zone 'UTC')::date
    ) as told;
