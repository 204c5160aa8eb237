-- Purpose: a group ends: its rows and its row in the ledger are committed together, or it has failed.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/finish.pg.sql

-- part: fence  (statement, inside the transaction that writes the rows)
-- Purpose: proof that the claim is still the newest, and that the version is still made.
-- Inputs:  $1 version_id, $2 group_no, $3 token; :"ledger".
-- Outputs: one row if it is; it stays locked until the end of the transaction, and no other version is planned until then: two that
--          replace partitions in place would mix them.
select groups.group_no
from :"ledger".transform_groups as groups
    join :"ledger".transform_versions as version on version.version_id = groups.version_id
where groups.version_id = $1
    and groups.group_no = $2
    and groups.token = $3
    -- Compared as an expression: else the server goes through the index of running groups instead of the key, and there are
    -- the dead entries of all claims as long as somebody holds an old snapshot. So it is with all statements below.
    and groups.status || '' = 'running'
    and version.state in ('open', 'paused')
for update of groups
for share of version;

-- part: outcome  (statement, on a new connection)
-- Purpose: what became of a commit of which no answer came?
-- Inputs:  $1 version_id, $2 group_no; :"ledger".
-- Outputs: one row: token, status.
select token, status from :"ledger".transform_groups where version_id = $1 and group_no = $2;

-- part: remove  (script)
-- Purpose: the rows of partitions that were written before.
-- Inputs:  :"schema", :"table", :"key", :key_type, :'keys' (an array's text), :'with_null' (true or false).
-- Outputs: they are gone.
delete from :"schema".:"table"
where :"key" = any (cast(:'keys' as :key_type[])) or (:'with_null'::boolean and :"key" is null);

-- part: write  (script)
-- Purpose: the clean rows of a group.
-- Inputs:  :"schema", :"table", :columns.
-- Outputs: what the client sends.
copy :"schema".:"table" (:columns) from stdin;

-- part: partitions  (statement)
-- Purpose: what was counted of each partition.
-- Inputs:  $1 version_id, $2 partition_nos, $3 part_nos, $4 rows in, $5 rows out, $6 fingerprints; :"ledger".
-- Outputs: their rows.
update :"ledger".transform_partitions as part
set rows_in = counted.rows_in, rows_out = counted.rows_out, fingerprint = counted.fingerprint
from unnest($2::integer[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[])
    as counted (partition_no, part_no, rows_in, rows_out, fingerprint)
where part.version_id = $1
    and part.partition_no = counted.partition_no
    and part.part_no = counted.part_no;

-- part: done  (statement)
-- Purpose: the group is done.
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
-- Purpose: an attempt ended in an error: the group is tried again behind all others, or is poison.
-- Inputs:  $1 version_id, $2 group_no, $3 token, $4 the error, $5 failures that make it poison; :"ledger".
-- Outputs: the row, if the token is the newest: status.
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
-- Purpose: of a group that failed, each partition becomes a group of its own: the good ones are not lost with the bad one.
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
        -- Numbers of groups are counted from 1 by the plan; the ones from here on are those of the partitions.
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
