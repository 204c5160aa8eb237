-- Purpose: read raw rows by ranges of pages into buckets, and clean partitions from there.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/buckets.pg.sql

-- part: range  (script)
-- Purpose: read all rows in some pages.
-- Inputs:  :"schema", :"table", :expressions (the values to read from a row), :condition (the job's, in parentheses);
--          :first_page and :end_page, the page after the last one.
-- Outputs: the rows, in PostgreSQL's binary format.
copy (
    select :expressions
    from :"schema".:"table"
    where ctid >= format('(%s,0)', :first_page)::tid and ctid < format('(%s,0)', :end_page)::tid and :condition
) to stdout (format binary);

-- part: claim_near  (statement)
-- Purpose: claim the next group of a bucket that this worker has on its disk, as long as the version is open.
-- Inputs:  $1 version_id, $2 worker_id, $3 bucket_no; :"ledger".
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
            and waiting.bucket_no = $3
            and waiting.status = 'waiting'
            and exists (
                select from :"ledger".transform_versions as version
                where version.version_id = $1 and version.state = 'open' and version.filled_at is not null
            )
        order by waiting.position
        limit 1
        for update skip locked
    )
returning group_no, position, token, attempts, failures, first_page, end_page, is_written, losses, kind, bucket_no;

-- part: add_files  (statement)
-- Purpose: make the files of a range count; inside the transaction that ends the range.
-- Inputs:  $1 version_id, $2 group_no, $3 token, $4 bucket_nos, $5 rows, $6 sizes in bytes, $7 checksums; :"ledger".
-- Outputs: the files' rows in the ledger.
insert into :"ledger".transform_bucket_files (version_id, group_no, token, bucket_no, rows, size_bytes, sha256)
select $1, $2, $3, bucket_no, rows, size_bytes, sha256
from unnest($4::integer[], $5::bigint[], $6::bigint[], $7::text[]) as written (bucket_no, rows, size_bytes, sha256);

-- part: skipped  (statement)
-- Purpose: record how many rows of a range are in no bucket; inside the transaction that ends the range.
-- Inputs:  $1 version_id, $2 group_no, $3 the number of rows; :"ledger".
-- Outputs: the number in the range's row.
update :"ledger".transform_groups set rows_skipped = $3 where version_id = $1 and group_no = $2;

-- part: files  (statement)
-- Purpose: list the files that count.
-- Inputs:  $1 version_id, $2 bucket_no (null: all buckets); :"ledger".
-- Outputs: a row each, in order: bucket_no, group_no, token, rows, size_bytes, sha256.
select bucket_no, group_no, token, rows, size_bytes, sha256
from :"ledger".transform_bucket_files
where version_id = $1 and ($2::integer is null or bucket_no = $2)
order by bucket_no, group_no;

-- part: gaps  (statement)
-- Purpose: list the ranges with rows that are in no bucket.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: a row each: first_page, end_page.
select first_page, end_page
from :"ledger".transform_groups
where version_id = $1 and kind = 'range' and rows_skipped > 0
order by first_page;

-- part: filled  (statement)
-- Purpose: record that all ranges are in the buckets, so that partitions may be claimed.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: the version's row, if no other worker was faster.
update :"ledger".transform_versions
set filled_at = clock_timestamp()
where version_id = $1
    and state = 'open'
    and filled_at is null
    and not exists (
        select from :"ledger".transform_groups
        where transform_groups.version_id = $1 and kind = 'range' and status <> 'done'
    )
returning version_id;

-- part: place  (statement)
-- Purpose: find the buckets of a version.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: one row: buckets, bucket_store, is_filled.
select buckets, bucket_store, filled_at is not null as is_filled
from :"ledger".transform_versions
where version_id = $1;

-- part: left  (statement)
-- Purpose: find buckets that are no longer needed: of versions that are given up, or that are in place and do not keep them.
-- Inputs:  $1 job, $2 whether to include buckets that were to be kept; :"ledger".
-- Outputs: a row each: version_id, bucket_store.
select version_id, bucket_store
from :"ledger".transform_versions
where job = $1
    and bucket_store is not null
    and state not in ('open', 'paused')
    and ($2 or state in ('superseded', 'dropped') or not keeps_buckets)
order by planned_at;

-- part: removed  (statement)
-- Purpose: record that the buckets of a version are removed from the store.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: the ledger lists no files and no store for the version.
with gone as (
    delete from :"ledger".transform_bucket_files where version_id = $1
)
update :"ledger".transform_versions set bucket_store = null where version_id = $1;
