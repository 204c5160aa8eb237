-- Purpose: put the raw rows of a range into buckets, and join the files of a bucket on the local disk.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/bucketing.duckdb.sql

-- part: range  (script)
-- Purpose: create an empty table for the rows of a range.
-- Inputs:  :raw_columns, names and types; the columns written_by, row_id, key_hash and bucket_no follow them.
-- Outputs: range_rows.
create or replace table range_rows (
    :raw_columns,
    _merganser_written_by bigint,
    _merganser_row_id bigint,
    _merganser_key_hash bigint,
    _merganser_bucket_no integer
);

-- part: sorted  (script, after range)
-- Purpose: sort the rows by bucket, so that the rows of a bucket lie together.
-- Inputs:  range_rows.
-- Outputs: sorted_rows; range_rows is dropped.
create or replace table sorted_rows as
select * from range_rows order by _merganser_bucket_no, _merganser_key_hash, _merganser_row_id;
drop table range_rows;

-- part: counts  (query, after sorted)
-- Purpose: count the rows of the range in each bucket.
-- Inputs:  sorted_rows.
-- Outputs: a row each: bucket_no, rows.
select _merganser_bucket_no as bucket_no, count(*) as rows
from sorted_rows
group by _merganser_bucket_no
order by bucket_no

-- part: file  (script, after sorted)
-- Purpose: write the rows of one bucket as Parquet.
-- Inputs:  sorted_rows; :bucket_no; :'parquet', the file to write.
-- Outputs: the file.
copy (
    select * exclude (_merganser_bucket_no) from sorted_rows where _merganser_bucket_no = :bucket_no
) to :'parquet' (format parquet, compression zstd);

-- part: whole  (script)
-- Purpose: join the files of a bucket into one, in which the rows of partitions that are cleaned together lie together.
-- Inputs:  :files, a list of files; :'parquet', the file to write.
-- Outputs: the file.
copy (
    select * from read_parquet(:files) order by _merganser_key_hash, _merganser_row_id
) to :'parquet' (format parquet, compression lz4_raw, row_group_size 8192);

-- part: counted  (query, after whole)
-- Purpose: count the rows of the bucket.
-- Inputs:  :'parquet'.
-- Outputs: one row: rows.
select count(*) as rows from read_parquet(:'parquet')

-- part: partitions  (query, after whole)
-- Purpose: read the rows of some partitions, and of others whose keys have the same hashes, from some or all pages.
-- Inputs:  :'parquet'; :hashes, a list; :least_hash and :greatest_hash, its bounds; :first_page and :end_page, the page after
--          the last one.
-- Outputs: the columns of the raw table, written_by, row_id.
select * exclude (_merganser_key_hash)
from read_parquet(:'parquet')
where _merganser_key_hash between :least_hash and :greatest_hash
    and _merganser_key_hash in (:hashes)
    and _merganser_row_id >= :first_page * 65536
    and _merganser_row_id < :end_page * 65536
