-- Purpose: the versions of jobs: planned, being made, in place, dropped.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/versions.pg.sql

-- part: lock_job  (statement, inside a transaction)
-- Purpose: ensure that only one session at a time plans a job, creates its table or puts it in place.
-- Inputs:  $1 the lock's name.
-- Outputs: the lock, until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended($1, 2));

-- part: newest  (statement)
-- Purpose: find the current version of a job: the one that is being made, else the one in place. A version into whose table a later
--          one has put rows in place, without finishing, is no longer whole.
-- Inputs:  $1 job; :"ledger".
-- Outputs: at most one row: version_id, hash, state, version_table, target_schema, target_table, is_in_place, old_table, plan,
--          planned_at as text.
select
    version_id, hash, state, version_table, target_schema, target_table, is_in_place, old_table, plan,
    to_char(planned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as planned
from :"ledger".transform_versions as version
where job = $1
    and (
        state in ('open', 'paused')
        or state = 'swapped'
        and not exists (
            select
            from :"ledger".transform_versions as mixed
                join :"ledger".transform_groups as written on written.version_id = mixed.version_id and written.status = 'done'
            where mixed.job = version.job
                and mixed.target_schema = version.target_schema
                and mixed.target_table = version.target_table
                and mixed.is_in_place
                and mixed.state in ('superseded', 'dropped')
                and mixed.swapped_at is null
                and mixed.planned_at > version.planned_at
        )
    )
order by state in ('open', 'paused') desc, planned_at desc
limit 1;

-- part: known  (statement)
-- Purpose: find out whether this cleaning was planned before, and what became of it.
-- Inputs:  $1 job, $2 hash; :"ledger".
-- Outputs: the state of the newest such version.
select state from :"ledger".transform_versions where job = $1 and hash = $2 order by planned_at desc limit 1;

-- part: goes_on  (statement)
-- Purpose: find out whether something is left to do in a version that is being made.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: whether groups wait or run, or nobody has begun.
select
    exists (
        select from :"ledger".transform_groups where version_id = $1 and status in ('waiting', 'running')
    )
    or not exists (select from :"ledger".transform_groups where version_id = $1 and attempts > 0) as goes_on;

-- part: is_ours  (statement)
-- Purpose: find out whether a table is of a version of this job that was never in place.
-- Inputs:  $1 job, $2 schema, $3 table; :"ledger".
-- Outputs: one row if so.
select version_table
from :"ledger".transform_versions
where job = $1 and target_schema = $2 and version_table = $3 and swapped_at is null and not is_in_place
limit 1;

-- part: other_job  (statement)
-- Purpose: find another job that has the same table as its target.
-- Inputs:  $1 job, $2 target schema, $3 target table; :"ledger".
-- Outputs: at most one row: its name.
select job
from :"ledger".transform_versions
where job <> $1 and target_schema = $2 and target_table = $3 and state in ('open', 'paused', 'swapped')
order by planned_at desc
limit 1;

-- part: shared  (statement)
-- Purpose: find partitions that another job with the same target cleans, too.
-- Inputs:  $1 job, $2 target schema, $3 target table, $4 keys of partitions, $5 whether there is one without a key; :"ledger".
-- Outputs: at most one row: the other job, whether it is being made, how many partitions, one of their keys. What is being made
--          comes first.
select
    version.job,
    version.state in ('open', 'paused') as is_made,
    count(*) as partitions,
    min(part.key) as example
from :"ledger".transform_versions as version
    join :"ledger".transform_partitions as part using (version_id)
where version.job <> $1
    and version.target_schema = $2
    and version.target_table = $3
    and version.state in ('open', 'paused', 'swapped')
    and part.part_no = 0
    and (part.key = any ($4::text[]) or part.key is null and $5::boolean)
group by version.job, is_made
order by is_made desc, version.job
limit 1;

-- part: overwritten  (statement)
-- Purpose: find another job that has since replaced partitions of a version in place.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: at most one row: the other job, how many partitions, one of their keys.
select other.job, count(*) as partitions, min(mine.key) as example
from :"ledger".transform_versions as own
    join :"ledger".transform_versions as other
        on other.job <> own.job
        and other.target_schema = own.target_schema
        and other.target_table = own.target_table
        and other.is_in_place
        and other.planned_at > own.planned_at
    join :"ledger".transform_partitions as theirs on theirs.version_id = other.version_id
    join :"ledger".transform_groups as written
        on written.version_id = theirs.version_id and written.group_no = theirs.group_no and written.status = 'done'
    join :"ledger".transform_partitions as mine
        on mine.version_id = own.version_id
        and mine.part_no = 0
        -- "Is not distinct from" would compare each with each.
        and (mine.key is null) = (theirs.key is null)
        and coalesce(mine.key, '') = coalesce(theirs.key, '')
where own.version_id = $1 and own.state = 'swapped' and theirs.part_no = 0
group by other.job
order by other.job
limit 1;

-- part: table  (statement)
-- Purpose: find out whether the table of a version is still the one that was made for it, or that it has put in place.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: noted, the number of the table in the catalogue (null: none was noted); there, the number of the object that
--          has its name now (null: none).
select
    -- For a version that was given up, a lost table does not matter.
    case when version.state in ('open', 'paused', 'swapped') then (version.plan ->> 'table_oid')::bigint end as noted,
    (
        select class.oid::bigint
        from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
        where namespace.nspname = version.target_schema
            and class.relname = case when version.state = 'swapped' then version.target_table else version.version_table end
    ) as there
from :"ledger".transform_versions as version
where version.version_id = $1;

-- part: note_table  (statement, in the transaction that makes the table)
-- Purpose: note which table is the version's, because another table of the same name lacks the rows that were written. A table
--          keeps its number when it is renamed.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: the version's plan has table_oid.
update :"ledger".transform_versions as version
set plan = plan || jsonb_build_object('table_oid', class.oid::bigint)
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where version.version_id = $1 and namespace.nspname = version.target_schema and class.relname = version.version_table;

-- part: supersede  (statement)
-- Purpose: supersede the version that is being made by another.
-- Inputs:  $1 job; :"ledger".
-- Outputs: that version is superseded, and its run is ended. One row if there was one: was_paused, at this moment.
with old as materialized (
    select version_id, state from :"ledger".transform_versions where job = $1 and state in ('open', 'paused') for update
),
marked as (
    update :"ledger".transform_versions as version
    set state = 'superseded'
    from old
    where version.version_id = old.version_id
),
ended as (
    update :"ledger".runs as run
    set status = 'abandoned', finished_at = clock_timestamp(), error = 'another version was planned'
    from old
    where run.run_id = old.version_id
)
select state = 'paused' as was_paused from old;

-- part: begin  (statement)
-- Purpose: record a planned version.
-- Inputs:  $1 version_id, $2 job, $3 hash, $4 source, $5 target schema, $6 target table, $7 version table, $8 in place, $9 type
--          of the key, $10 the plan, $11 host, $12 version of the program, $13 buckets (null: none), $14 the store that holds
--          them, $15 whether they are kept; :"ledger".
-- Outputs: a run and a version.
with run as (
    insert into :"ledger".runs (run_id, dataset, target_schema, kind, options, versions, host)
    values ($1, 'transform/' || $2, $5, 'transform', jsonb_build_object('hash', $3::text, 'table', $7::text),
        jsonb_build_object('merganser', $12::text, 'postgresql', current_setting('server_version')), $11)
    returning run_id
)
insert into :"ledger".transform_versions (
    version_id, job, hash, source_table, target_schema, target_table, version_table, is_in_place, key_type, plan, buckets,
    bucket_store, keeps_buckets
)
select run_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $13, $14, $15 from run;

-- part: add_groups  (statement)
-- Purpose: add the groups of a version, in the order in which they are to be claimed.
-- Inputs:  $1 version_id, $2 group_nos, $3 rows, $4 first pages, $5 end pages, $6 bucket_nos, $7 the kind of all of them;
--          :"ledger".
-- Outputs: the groups' rows.
insert into :"ledger".transform_groups (version_id, group_no, position, rows_planned, first_page, end_page, bucket_no, kind)
select $1, group_no, group_no, rows_planned, first_page, end_page, bucket_no, $7
from unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[])
    as planned (group_no, rows_planned, first_page, end_page, bucket_no);

-- part: add_partitions  (statement)
-- Purpose: add the partitions of a version.
-- Inputs:  $1 version_id, $2 partition_nos, $3 part_nos, $4 keys, $5 group_nos, $6 rows; :"ledger".
-- Outputs: the partitions' rows.
insert into :"ledger".transform_partitions (version_id, partition_no, part_no, key, group_no, rows_planned)
select $1, partition_no, part_no, key, group_no, rows_planned
from unnest($2::integer[], $3::integer[], $4::text[], $5::integer[], $6::bigint[])
    as planned (partition_no, part_no, key, group_no, rows_planned);

-- part: look_at_plan  (script)
-- Purpose: collect statistics of a plan before workers look up its groups one by one.
-- Inputs:  :"ledger".
-- Outputs: statistics.
analyze :"ledger".transform_groups, :"ledger".transform_partitions;

-- part: set_state  (statement)
-- Purpose: pause, resume or drop a version.
-- Inputs:  $1 version_id, $2 the state that it must have, $3 its new state; :"ledger".
-- Outputs: its row, if it had that state.
update :"ledger".transform_versions set state = $3 where version_id = $1 and state = $2 returning version_id;

-- part: makers  (statement)
-- Purpose: find the living workers of a version.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: their number; since when the first of them works, as text; the longest lease in seconds, for which a worker
--          that has died counts as a living one.
select
    count(*) as workers,
    to_char(min(started_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since,
    max(lease_seconds) as lease_seconds
from :"ledger".transform_workers
where version_id = $1 and ended_at is null and lease_until > clock_timestamp();

-- part: give_up  (statement)
-- Purpose: give up a version.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: its row; its run is ended.
with ended as (
    update :"ledger".runs
    set status = 'interrupted', finished_at = clock_timestamp(), error = 'it was dropped'
    where run_id = $1 and status = 'running'
)
update :"ledger".transform_versions
set state = 'dropped'
where version_id = $1 and state in ('open', 'paused')
returning version_id;

-- part: forget_old  (statement, when the table is dropped)
-- Purpose: note that the table that was in place before a version is gone.
-- Inputs:  $1 job, $2 schema, $3 table; :"ledger".
-- Outputs: the versions of the job name it no longer.
update :"ledger".transform_versions set old_table = null where job = $1 and target_schema = $2 and old_table = $3;

-- part: retry  (statement)
-- Purpose: let poison groups be tried again.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: the number of groups.
update :"ledger".transform_groups
set status = 'waiting', losses = 0, failures = 0, error = null
where version_id = $1 and status = 'poison';

-- part: whole_again  (statement, before members_again)
-- Purpose: keep only one row of each partition that is done again, because a giant is not split any more.
-- Inputs:  $1 version_id, $2 partition_nos; :"ledger".
-- Outputs: none; the rows of further parts are deleted.
delete from :"ledger".transform_partitions
where version_id = $1 and partition_no = any ($2::integer[]) and part_no > 0;

-- part: members_again  (statement, before groups_again)
-- Purpose: make each partition that is done again a group of its own.
-- Inputs:  $1 version_id, $2 partition_nos, $3 rows; :"ledger".
-- Outputs: the partitions' rows.
update :"ledger".transform_partitions as part
set group_no = 1000000000 + part.partition_no, rows_planned = changed.rows_planned
from unnest($2::integer[], $3::bigint[]) as changed (partition_no, rows_planned)
where part.version_id = $1 and part.partition_no = changed.partition_no;

-- part: groups_again  (statement)
-- Purpose: make these groups wait again.
-- Inputs:  $1 version_id, $2 partition_nos, $3 rows; :"ledger".
-- Outputs: the groups' rows.
insert into :"ledger".transform_groups (version_id, group_no, position, rows_planned, is_written)
select $1, 1000000000 + changed.partition_no, 1000000000 + changed.partition_no, changed.rows_planned, true
from unnest($2::integer[], $3::bigint[]) as changed (partition_no, rows_planned)
on conflict (version_id, group_no) do update
set status = 'waiting', rows_planned = excluded.rows_planned, is_written = true, losses = 0, failures = 0, error = null,
    bucket_no = null;

-- part: changed  (statement)
-- Purpose: note why a version whose partitions are all done is not put in place.
-- Inputs:  $1 version_id, $2 the reason in words; :"ledger".
-- Outputs: its run has the error.
update :"ledger".runs set error = $2 where run_id = $1 and status = 'running';

-- part: swapped  (statement)
-- Purpose: record that a version is in place and its run has ended, and that the version before it is not in place any more.
-- Inputs:  $1 version_id, $2 the new name of the table before it (null: there was none); :"ledger".
-- Outputs: its row, if the version was open. Otherwise somebody has paused it, and nothing is changed.
with marked as (
    update :"ledger".transform_versions
    set state = 'swapped', swapped_at = clock_timestamp(), old_table = $2
    where version_id = $1 and state = 'open'
    returning version_id, job
),
counted as (
    select
        coalesce(sum(rows_in), 0) as rows_in,
        coalesce(sum(rows_out), 0) as rows_out
    from :"ledger".transform_partitions
    where version_id = $1
),
ended as (
    update :"ledger".runs as run
    set status = 'completed',
        finished_at = clock_timestamp(),
        error = null,
        counts = jsonb_build_object('rows_in', counted.rows_in, 'rows_out', counted.rows_out)
    from counted, marked
    where run.run_id = marked.version_id and run.status = 'running'
),
before as (
    update :"ledger".transform_versions as old
    set state = 'superseded'
    from marked
    where old.job = marked.job and old.state = 'swapped' and old.version_id <> marked.version_id
)
select version_id from marked;
