-- Purpose: workers claim groups of partitions, and lose them.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/claims.pg.sql

-- part: enlist  (statement)
-- Purpose: a worker begins, or has got another session.
-- Inputs:  $1 worker_id, $2 version_id, $3 host, $4 process id, $5 version of the program, $6 lease in seconds, $7 process id of
--          the session that writes, $8 when it began, as text, $9 and $10 the same of the session that swaps; :"ledger".
-- Outputs: its row.
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
-- Purpose: a worker lives.
-- Inputs:  $1 worker_id; :"ledger".
-- Outputs: its lease begins anew.
update :"ledger".transform_workers
set lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
where worker_id = $1;

-- part: leave  (statement)
-- Purpose: a worker gives its claims back: it ends in order, or has lost its session and begins anew.
-- Inputs:  $1 worker_id, $2 does it end; :"ledger".
-- Outputs: released, how many claims wait again; the attempt does not count.
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
-- Purpose: take the next group, as long as the version is open.
-- Inputs:  $1 version_id, $2 worker_id, $3 the position of the last claim: what lies before was taken, and its dead rows are not
--          looked at again; $4 kind: partitions, or ranges of pages that are read into buckets; :"ledger".
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
-- Purpose: the partitions of a group.
-- Inputs:  $1 version_id, $2 group_no; :"ledger".
-- Outputs: a row each: partition_no, part_no, key, rows_planned.
select partition_no, part_no, key, rows_planned
from :"ledger".transform_partitions
where version_id = $1 and group_no = $2
order by partition_no, part_no;

-- part: take_over  (statement)
-- Purpose: the claims of workers whose lease is over wait again, or are poison after too many such losses. Their tokens are
--          counted on: a sleeper's commit is refused from now on.
-- Inputs:  $1 version_id, $2 losses that make a group poison; :"ledger".
-- Outputs: the groups: group_no, losses.
-- Once and not for each group of the version, which is how the server would do a subquery that locks.
with late as materialized (
    select running.group_no
    from :"ledger".transform_groups as running
        join :"ledger".transform_workers as worker using (worker_id)
    where running.version_id = $1
        and running.status = 'running'
        and worker.lease_until < clock_timestamp()
        -- Looked at first, and mostly false: while somebody holds an old snapshot, a look for running groups passes the dead
        -- entries of all claims that there were.
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
-- Purpose: end the sessions of workers whose lease is over: one that sleeps in the middle of its commit holds the row that says
--          so, and one that sleeps while two tables change places holds all readers up.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: how many.
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
-- Purpose: what is left to do? As long as not all ranges are in the buckets: of the ranges.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: state of the version, waiting, running, poison, is_filling: ranges are read into buckets.
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
