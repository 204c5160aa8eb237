-- Purpose: how workers claim groups of partitions, and lose them.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/claims.pg.sql

-- part: enlist  (statement)
-- Purpose: register a worker, or its new sessions.
-- Inputs:  $1 worker_id, $2 version_id, $3 host, $4 process id, $5 version of the program, $6 lease in seconds, $7 process id
--          of the session that writes, $8 when that session began, as text, $9 and $10 the same of the session that swaps;
--          :"ledger".
-- Outputs: the worker's row.
insert into :"ledger".transform_workers (
    worker_id, version_id, host, process_id, program, lease_seconds, lease_until, session_id, session_begin, second_id,
    second_begin
)
values ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $6::integer), $7, $8, $9, $10)
on conflict (worker_id) do update
set lease_until = excluded.lease_until,
    session_id = excluded.session_id,
    session_begin = excluded.session_begin,
    second_id = excluded.second_id,
    second_begin = excluded.second_begin;

-- part: beat  (statement)
-- Purpose: show that a worker is alive.
-- Inputs:  $1 worker_id; :"ledger".
-- Outputs: its lease is extended.
update :"ledger".transform_workers
set lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
where worker_id = $1;

-- part: leave  (statement)
-- Purpose: give back a worker's claims, because it ends normally or has lost its session and starts again.
-- Inputs:  $1 worker_id, $2 whether the worker ends; :"ledger".
-- Outputs: released, the number of claims that wait again; these attempts do not count.
with left_behind as (
    update :"ledger".transform_groups
    set status = 'waiting', token = token + 1, attempts = attempts - 1, worker_id = null
    where version_id = (select version_id from :"ledger".transform_workers where worker_id = $1)
        and worker_id = $1
        and status = 'running'
    returning group_no
)
update :"ledger".transform_workers
set ended_at = case when $2::boolean then clock_timestamp() end, lease_until = case when $2::boolean then clock_timestamp() else lease_until end
where worker_id = $1
returning (select count(*) from left_behind) as released;

-- part: claim  (statement)
-- Purpose: claim the next group, as long as the version is open.
-- Inputs:  $1 version_id, $2 worker_id, $3 the position of the last claim: earlier groups are taken, so their dead rows need
--          not be looked at again; $4 kind: partitions, or ranges of pages to read into buckets; :"ledger".
-- Outputs: at most one row: group_no, position, token, attempts, failures, first_page, end_page, is_written, losses, kind, bucket_no.
update :"ledger".transform_groups
set status = 'running',
    token = token + 1,
    attempts = attempts + 1,
    worker_id = $2,
    claimed_at = clock_timestamp(),
    finished_at = null
where version_id = $1
    and group_no = (
        select waiting.group_no
        from :"ledger".transform_groups as waiting
        where waiting.version_id = $1
            and waiting.kind = $4
            and waiting.status = 'waiting'
            and waiting.position > $3
            and exists (
                select from :"ledger".transform_versions as version
                where version.version_id = $1
                    and version.state = 'open'
                    and (version.buckets is null or version.filled_at is not null or $4 = 'range')
            )
        order by waiting.position
        limit 1
        for update skip locked
    )
returning group_no, position, token, attempts, failures, first_page, end_page, is_written, losses, kind, bucket_no;

-- part: members  (statement)
-- Purpose: list the partitions of a group.
-- Inputs:  $1 version_id, $2 group_no; :"ledger".
-- Outputs: a row each: partition_no, part_no, key, rows_planned.
select partition_no, part_no, key, rows_planned
from :"ledger".transform_partitions
where version_id = $1 and group_no = $2
order by partition_no, part_no;

-- part: held  (statement)
-- Purpose: list the groups that a worker holds.
-- Inputs:  $1 worker_id; :"ledger".
-- Outputs: a row each, with the columns of claim, and version_id.
select
    group_no, position, token, attempts, failures, first_page, end_page, is_written, losses, kind, bucket_no, version_id
from :"ledger".transform_groups
where version_id = (select version_id from :"ledger".transform_workers where worker_id = $1)
    and worker_id = $1
    and status = 'running';

-- part: take_over  (statement)
-- Purpose: release the claims of workers whose lease has run out: their groups wait again, or become poison after too many such
--          losses. Their tokens are increased, so that a worker which only slept cannot commit.
-- Inputs:  $1 version_id, $2 the losses that make a group poison; :"ledger".
-- Outputs: the groups: group_no, losses.
-- Materialized, because the server would run a subquery that locks once for each group of the version.
with late as materialized (
    select running.group_no
    from :"ledger".transform_groups as running
        join :"ledger".transform_workers as worker using (worker_id)
    where running.version_id = $1
        and running.status = 'running'
        and worker.lease_until < clock_timestamp()
        -- This condition is checked first and mostly false. While a session holds an old snapshot, a search for running groups
        -- must pass the dead index entries of all earlier claims.
        and exists (
            select
            from :"ledger".transform_workers as late
            where late.version_id = $1 and late.lease_until < clock_timestamp()
        )
    for update of running skip locked
)
update :"ledger".transform_groups as lost
set status = case when lost.losses + 1 >= $2 then 'poison' else 'waiting' end,
    position = lost.position + 1000000000,
    token = lost.token + 1,
    losses = lost.losses + 1,
    error = 'its worker was lost: the lease ran out',
    worker_id = null,
    finished_at = clock_timestamp()
from late
where lost.version_id = $1 and lost.group_no = late.group_no
returning lost.group_no, lost.losses;

-- part: end_sessions  (statement)
-- Purpose: end the sessions of workers whose lease has run out. A session that sleeps in the middle of its commit holds the
--          group's row, and one that sleeps while two tables are swapped blocks all readers.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: the number of sessions.
select count(pg_terminate_backend(session.pid))
from :"ledger".transform_workers as worker
    join pg_stat_activity as session
        on worker.session_id = session.pid and worker.session_begin::timestamptz = session.backend_start
        or worker.second_id = session.pid and worker.second_begin::timestamptz = session.backend_start
where worker.version_id = $1
    and worker.ended_at is null
    and worker.lease_until < clock_timestamp()
    and session.usename = current_user;

-- part: open_groups  (statement)
-- Purpose: count what is left to do: ranges until all of them are in the buckets, then groups of partitions.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: state of the version, waiting, running, poison, is_filling (ranges are being read into buckets).
select
    version.state,
    count(*) filter (where groups.status = 'waiting') as waiting,
    count(*) filter (where groups.status = 'running') as running,
    count(*) filter (where groups.status = 'poison') as poison,
    version.buckets is not null and version.filled_at is null as is_filling
from :"ledger".transform_versions as version
    left join :"ledger".transform_groups as groups
        on groups.version_id = version.version_id
        and groups.status in ('waiting', 'running', 'poison')
        and (groups.kind = 'range' or version.buckets is null or version.filled_at is not null)
where version.version_id = $1
group by version.state, is_filling;
