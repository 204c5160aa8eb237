-- Purpose: report the progress of a version.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: a JSON object with job, version, hash, state, table, error (why it is not put in place; mostly null),
--          partitions, ranges (null without buckets), rows, workers, rows_per_s, eta_s, started, ended, largest, slowest and
--          poison partitions, and at most five that run, the longest first. A partition in parts counts once. The speed is the
--          rows that a worker has done per second of work, times the current number of workers; a pause does not change it. The
--          time left is estimated from the cost of a partition and the cost of a row, because the largest partitions are done
--          first and many small ones take longer; it is null as long as it is unknown, and when a group runs for more than twice
--          as long as expected.
with version as (
    select * from :"ledger".transform_versions where version_id = $1
),
partition as (
    select
        part.partition_no,
        min(part.key) as key,
        sum(part.rows_planned) as rows_planned,
        sum(part.rows_in) as rows_in,
        sum(part.rows_out) as rows_out,
        max(groups.attempts) as attempts,
        max(groups.error) as error,
        case
            when bool_or(groups.status = 'poison') then 'poison'
            when bool_or(groups.status = 'running') then 'running'
            when bool_and(groups.status = 'done') then 'done'
            when bool_or(groups.failures > 0) then 'failed'
            else 'waiting'
        end as status
    from :"ledger".transform_partitions as part
        join :"ledger".transform_groups as groups using (version_id, group_no)
    where part.version_id = $1
    group by part.partition_no
),
counted as (
    select
        count(*) as total,
        count(*) filter (where status = 'waiting') as waiting,
        count(*) filter (where status = 'running') as running,
        count(*) filter (where status = 'done') as done,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'poison') as poison,
        coalesce(sum(rows_planned), 0) as rows_planned,
        coalesce(sum(rows_in) filter (where status = 'done'), 0) as rows_in,
        coalesce(sum(rows_out) filter (where status = 'done'), 0) as rows_out,
        coalesce(sum(greatest(rows_in - rows_out, 0)) filter (where status = 'done'), 0) as rows_dropped,
        coalesce(sum(greatest(rows_out - rows_in, 0)) filter (where status = 'done'), 0) as rows_made,
        coalesce(sum(rows_planned) filter (where status = 'poison'), 0) as rows_failed
    from partition
),
worked as (
    select
        sum(rows_planned) filter (where status = 'done') as rows,
        sum(extract(epoch from finished_at - claimed_at)) filter (where status = 'done') as seconds,
        min(claimed_at) as started,
        max(finished_at) as ended,
        coalesce(sum(attempts), 0) as attempts
    from :"ledger".transform_groups
    where version_id = $1 and kind = 'partitions'
),
ranges as (
    select
        count(*) as total,
        count(*) filter (where status = 'done') as done,
        count(*) filter (where status = 'poison') as poison,
        max(error) filter (where status = 'poison') as error,
        coalesce(sum(attempts), 0) as attempts
    from :"ledger".transform_groups
    where version_id = $1 and kind = 'range'
),
workers as (
    select count(*) filter (where ended_at is null and lease_until > clock_timestamp()) as alive
    from :"ledger".transform_workers
    where version_id = $1
),
speed as (
    select
        case when worked.seconds > 0 and workers.alive > 0 and version.state = 'open'
            then (worked.rows / worked.seconds * workers.alive)::double precision
        end as rows_per_s
    from version, worked, workers
),
timed as (
    select
        groups.status,
        members.partitions,
        groups.rows_planned::double precision as rows,
        case
            when groups.status = 'done' then extract(epoch from groups.finished_at - groups.claimed_at)
            when groups.status = 'running' then extract(epoch from clock_timestamp() - groups.claimed_at)
            else 0
        end::double precision as seconds
    from :"ledger".transform_groups as groups
        join (
            select group_no, count(*)::double precision as partitions
            from :"ledger".transform_partitions
            where version_id = $1
            group by group_no
        ) as members on members.group_no = groups.group_no
    where groups.version_id = $1 and groups.kind = 'partitions' and groups.status in ('waiting', 'running', 'done')
),
summed as (
    select sum(partitions) as partitions, nullif(sum(rows), 0) as rows, sum(seconds) as seconds
    from timed
    where status = 'done'
),
-- Least squares. The weight of a group is larger the smaller the group is, so that the estimate for all groups together equals
-- the time they took.
squares as (
    select
        sum(weight * partitions * partitions) as pp,
        sum(weight * partitions * rows) as pr,
        sum(weight * rows * rows) as rr,
        sum(weight * partitions * seconds) as ps,
        sum(weight * rows * seconds) as rs
    from (
        select
            timed.*,
            1 / (timed.partitions / summed.partitions + coalesce(timed.rows / summed.rows, 0)) as weight
        from timed, summed
        where timed.status = 'done'
    ) as weighed
),
solved as (
    select
        (ps * rr - rs * pr) / nullif(divisor, 0) as per_partition,
        (rs * pp - ps * pr) / nullif(divisor, 0) as per_row
    -- If nearly all groups have as many partitions for their rows, they only show what both cost together.
    from (
        select squares.*, case when pp * rr - pr * pr > 1e-9 * pp * rr then pp * rr - pr * pr end as divisor
        from squares
    ) as squares
),
-- A cost cannot be negative.
cost as (
    select
        case
            when summed.rows is null or solved.per_row < 0 then summed.seconds / summed.partitions
            when solved.per_partition > 0 then solved.per_partition
            else 0
        end as per_partition,
        case
            when summed.rows is null or solved.per_row < 0 then 0
            when solved.per_partition > 0 then solved.per_row
            else summed.seconds / summed.rows
        end as per_row
    from solved, summed
),
-- With many workers, the largest group left may take longer than all others together. If there are groups of several partitions
-- and none of them is done, the cost of a partition is unknown.
time_left as (
    select
        case
            when speed.rows_per_s > 0
                and coalesce(bool_or(timed.is_done) filter (where timed.partitions > 1), true)
                and not coalesce(bool_or(timed.is_late), false)
            then coalesce(greatest(sum(timed.left_s) / workers.alive, max(timed.left_s)), 0)
        end as seconds
    from workers
        cross join speed
        left join (
            select
                timed.partitions,
                timed.status = 'done' as is_done,
                case when timed.status = 'done' then 0 else greatest(expected.seconds - timed.seconds, 0) end as left_s,
                -- Far later than expected, beyond the noise of a few seconds: nobody knows when it ends.
                timed.status = 'running' and timed.seconds > 2 * expected.seconds + 5 as is_late
            from timed
                cross join cost
                cross join lateral (
                    select cost.per_partition * timed.partitions + cost.per_row * timed.rows as seconds
                ) as expected
        ) as timed on true
    group by workers.alive, speed.rows_per_s
)
select jsonb_build_object(
    'job', version.job,
    'version', version.version_id,
    'hash', version.hash,
    'state', case
        when version.state <> 'open' then version.state
        when workers.alive > 0 then 'running'
        when worked.attempts + ranges.attempts = 0 then 'planned'
        else 'stopped'
    end,
    'table', version.target_schema || '.' || version.version_table,
    'target', version.target_schema || '.' || version.target_table,
    'old_table', version.old_table,
    'in_place', version.is_in_place,
    'error', (select run.error from :"ledger".runs as run where run.run_id = version.version_id),
    'planned', version.planned_at,
    'swapped', version.swapped_at,
    'started', worked.started,
    'ended', worked.ended,
    'workers', workers.alive,
    'partitions', jsonb_build_object(
        'total', counted.total, 'waiting', counted.waiting, 'running', counted.running, 'done', counted.done,
        'failed', counted.failed, 'poison', counted.poison
    ),
    'ranges', case when ranges.total > 0 then jsonb_build_object(
        'total', ranges.total, 'done', ranges.done, 'poison', ranges.poison, 'error', ranges.error, 'buckets', version.buckets,
        'store', version.bucket_store
    ) end,
    'rows', jsonb_build_object(
        'planned', counted.rows_planned, 'in', counted.rows_in, 'out', counted.rows_out, 'dropped', counted.rows_dropped,
        'made', counted.rows_made, 'failed', counted.rows_failed
    ),
    'rows_per_s', round(speed.rows_per_s::numeric, 1),
    'eta_s', round(time_left.seconds::numeric, 1),
    'largest', (
        select coalesce(jsonb_agg(jsonb_build_object('key', key, 'rows', rows_planned, 'status', status)), '[]')
        from (select * from partition order by rows_planned desc, partition_no limit 5) as largest
    ),
    'running', (
        select coalesce(jsonb_agg(jsonb_build_object('group', group_no, 'range', range_no, 'partitions', partitions, 'key', key,
            'rows', rows_planned, 'worker', worker, 'seconds', seconds)), '[]')
        from (
            select
                groups.group_no,
                case when groups.kind = 'range' then groups.group_no end as range_no,
                groups.rows_planned,
                worker.host || ', process ' || worker.process_id as worker,
                round(extract(epoch from clock_timestamp() - groups.claimed_at)::numeric, 3) as seconds,
                members.partitions,
                members.key
            from :"ledger".transform_groups as groups
                left join :"ledger".transform_workers as worker using (worker_id)
                cross join lateral (
                    select count(*) as partitions, min(part.key) as key
                    from :"ledger".transform_partitions as part
                    where part.version_id = groups.version_id and part.group_no = groups.group_no
                ) as members
            where groups.version_id = $1 and groups.status = 'running'
            order by groups.claimed_at, groups.group_no
            limit 5
        ) as running
    ),
    'slowest', (
        select coalesce(jsonb_agg(jsonb_build_object('group', group_no, 'partitions', partitions, 'key', key,
            'rows', rows_planned, 'seconds', seconds, 'attempts', attempts)), '[]')
        from (
            select
                groups.group_no,
                groups.rows_planned,
                groups.attempts,
                round(extract(epoch from groups.finished_at - groups.claimed_at)::numeric, 3) as seconds,
                members.partitions,
                members.key
            from :"ledger".transform_groups as groups
                join lateral (
                    select count(*) as partitions, min(part.key) as key
                    from :"ledger".transform_partitions as part
                    where part.version_id = groups.version_id and part.group_no = groups.group_no
                ) as members on members.partitions > 0
            where groups.version_id = $1 and groups.status = 'done' and groups.kind = 'partitions'
            order by groups.finished_at - groups.claimed_at desc, groups.group_no
            limit 5
        ) as slowest
    ),
    'poison', (
        select coalesce(jsonb_agg(jsonb_build_object('key', key, 'rows', rows_planned, 'attempts', attempts, 'error', error)), '[]')
        from (select * from partition where status = 'poison' order by partition_no limit 20) as poison
    )
) as status
from version, counted, worked, workers, speed, time_left, ranges;
