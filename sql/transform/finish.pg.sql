-- Purpose: end a group: commit its rows and its row in the ledger together, or record that it has failed.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/finish.pg.sql

-- part: fence  (statement, inside the transaction that writes the rows)
-- Purpose: prove that the claim is still the newest, and that the version is still being made.
-- Inputs:  $1 version_id, $2 group_no, $3 token; :"ledger".
-- Outputs: one row if so. It stays locked until the end of the transaction.
select groups.group_no
from :"ledger".transform_groups as groups
    join :"ledger".transform_versions as version on version.version_id = groups.version_id
where groups.version_id = $1
    and groups.group_no = $2
    and groups.token = $3
    -- Compared as an expression: otherwise the server searches the index of running groups instead of the key, and must pass
    -- the dead entries of all earlier claims while a session holds an old snapshot. The same holds for all statements below.
    and groups.status || '' = 'running'
    and version.state in ('open', 'paused')
for update of groups;

-- part: fence_version  (statement, at the end of the transaction that writes the rows)
-- Purpose: prove once more that the version is still being made. Rows have been written since the first look, which may take
--          minutes, and a lock that was held all that time would keep a pause, a plan and a drop waiting, for as long as workers
--          overlap.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row if so. It stays locked until the end of the transaction, so that no other version can be planned before: two
--          versions that replace partitions in place would mix them.
select version_id
from :"ledger".transform_versions
where version_id = $1 and state in ('open', 'paused')
for share;

-- part: outcome  (statement, on a new connection)
-- Purpose: find out whether a commit without an answer succeeded.
-- Inputs:  $1 version_id, $2 group_no; :"ledger".
-- Outputs: one row: token, status.
select token, status from :"ledger".transform_groups where version_id = $1 and group_no = $2;

-- part: lock_rows  (script, inside the transaction that deletes)
-- Purpose: take the lock of a delete before it, so that nobody makes a rule, a trigger or a foreign key meanwhile.
-- Inputs:  :"schema", :"table".
-- Outputs: the lock.
lock table :"schema".:"table" in row exclusive mode;

-- part: remove  (script)
-- Purpose: delete the rows of partitions that were written before.
-- Inputs:  :"schema", :"table", :'schema', :'table', :"key", :key_type, :'keys' (the text of an array), :'with_null' (true or false).
-- Outputs: one row: the rows that were there; the rows that were deleted; whether a trigger may have put some there again.
with there as (
    select count(*) as rows
    from :"schema".:"table"
    where :"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null)
),
gone as (
    delete from :"schema".:"table"
    where :"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null)
    returning 1
)
select
    there.rows as rows_there,
    (select count(*) from gone) as rows_gone,
    exists (
        select
        from pg_trigger
        -- 8 stands for a delete.
        where tgrelid = format('%I.%I', :'schema', :'table')::regclass and not tgisinternal and tgtype & 8 > 0
    ) as may_return
from there;

-- part: write  (script)
-- Purpose: write the clean rows of a group.
-- Inputs:  :"schema", :"table", :columns.
-- Outputs: the rows that the client sends, in the table.
copy :"schema".:"table" (:columns) from stdin;

-- part: kept  (script)
-- Purpose: count the rows that a group has in the table itself, by key: a trigger may have changed the keys that were sent.
-- Inputs:  :"schema", :"table", :"key", :key_type, :'keys' (the text of an array), :'with_null' (true or false).
-- Outputs: a row for each key that has rows: key as text, rows.
select :"key"::text as key, count(*) as rows
from :"schema".:"table"
where :"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null)
group by :"key";

-- part: partitions  (statement)
-- Purpose: record the counts of each partition.
-- Inputs:  $1 version_id, $2 partition_nos, $3 part_nos, $4 rows in, $5 rows out, $6 fingerprints; :"ledger".
-- Outputs: the partitions' rows.
update :"ledger".transform_partitions as part
set rows_in = counted.rows_in, rows_out = counted.rows_out, fingerprint = counted.fingerprint
from unnest($2::integer[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[])
    as counted (partition_no, part_no, rows_in, rows_out, fingerprint)
where part.version_id = $1
    and part.partition_no = counted.partition_no
    and part.part_no = counted.part_no;

-- part: done  (statement)
-- Purpose: record that the group is done.
-- Inputs:  $1 version_id, $2 group_no, $3 token, $4 bytes read, $5 read_ms, $6 clean_ms, $7 write_ms, $8 peak_memory_bytes;
--          :"ledger".
-- Outputs: one row, if the token is the newest.
update :"ledger".transform_groups
set status = 'done',
    is_written = true,
    finished_at = clock_timestamp(),
    bytes_in = $4,
    read_ms = $5,
    clean_ms = $6,
    write_ms = $7,
    peak_memory_bytes = $8,
    error = null
where version_id = $1 and group_no = $2 and token = $3 and status || '' = 'running';

-- part: failed  (statement)
-- Purpose: record that an attempt failed: the group is tried again after all others, or becomes poison.
-- Inputs:  $1 version_id, $2 group_no, $3 token, $4 the error, $5 the failures that make it poison; :"ledger".
-- Outputs: status, if the token is the newest.
update :"ledger".transform_groups
set status = case when failures + 1 >= $5 then 'poison' else 'waiting' end,
    position = position + 1000000000,
    failures = failures + 1,
    error = $4,
    worker_id = null,
    finished_at = clock_timestamp()
where version_id = $1 and group_no = $2 and token = $3 and status || '' = 'running'
returning status;

-- part: split  (statement)
-- Purpose: split a group that failed, so that each of its partitions becomes a group of its own: the good ones are not lost
--          with the bad one.
-- Inputs:  $1 version_id, $2 group_no, $3 token, $4 the error; :"ledger".
-- Outputs: the new groups; none if the token is not the newest.
with old as (
    update :"ledger".transform_groups
    set status = 'split', error = $4, worker_id = null, finished_at = clock_timestamp()
    where version_id = $1 and group_no = $2 and token = $3 and status || '' = 'running'
    returning version_id, position, is_written, bucket_no
),
numbered as (
    select
        part.partition_no,
        part.part_no,
        part.rows_planned,
        -- The plan numbers groups from 1 on; numbers above 1000000000 belong to groups of single partitions.
        1000000000 + part.partition_no as new_no
    from :"ledger".transform_partitions as part, old
    where part.version_id = $1 and part.group_no = $2
),
moved as (
    update :"ledger".transform_partitions as part
    set group_no = numbered.new_no
    from numbered
    where part.version_id = $1
        and part.partition_no = numbered.partition_no
        and part.part_no = numbered.part_no
)
insert into :"ledger".transform_groups (version_id, group_no, position, rows_planned, is_written, bucket_no)
select old.version_id, numbered.new_no, old.position + 1000000000, numbered.rows_planned, old.is_written, old.bucket_no
from old, numbered
returning group_no;

-- part: put_off  (statement, inside a transaction)
-- Purpose: note that the partitions of a group have no rows yet. No partition of the source has a fingerprint below zero, so they
--          are done again; it counts how often they were put off since they had rows.
-- Inputs:  $1 version_id, $2 group_no, $3 how often they may be; :"ledger".
-- Outputs: the partitions' rows, if none was put off that often before.
update :"ledger".transform_partitions as part
set rows_in = 0, rows_out = 0, fingerprint = (least(coalesce(part.fingerprint::numeric, 0), 0) - 1)::text
where part.version_id = $1
    and part.group_no = $2
    and not exists (
        select
        from :"ledger".transform_partitions as often
        where often.version_id = $1 and often.group_no = $2 and often.fingerprint::numeric <= -($3::integer)
    );

-- part: join  (statement)
-- Purpose: make one group of the poison groups that collide, unless that was done before or they are too large.
-- Inputs:  $1 version_id, $2 the number of the new group, $3 the beginning of their errors, $4 the most rows, $5 the most groups;
--          :"ledger".
-- Outputs: the groups that became one, if they did.
with collided as (
    select group_no, rows_planned
    from :"ledger".transform_groups
    where version_id = $1 and status = 'poison' and kind = 'partitions' and group_no <> $2::integer and starts_with(error, $3)
    for update
),
joined as (
    insert into :"ledger".transform_groups (version_id, group_no, position, rows_planned)
    select $1, $2::integer, $2::integer, sum(rows_planned)::bigint
    from collided
    having count(*) between 2 and $5::bigint and sum(rows_planned) <= $4::bigint
    on conflict do nothing
    returning group_no
),
moved as (
    update :"ledger".transform_partitions as part
    set group_no = joined.group_no
    from collided, joined
    where part.version_id = $1 and part.group_no = collided.group_no
)
update :"ledger".transform_groups as old
set status = 'split'
from collided, joined
where old.version_id = $1 and old.group_no = collided.group_no;
