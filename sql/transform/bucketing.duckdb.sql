-- Purpose: raw rows of a range are put into buckets; a bucket's files become one on the local disk.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/bucketing.duckdb.sql

-- part: range  (script)
-- Purpose: an empty table for the rows of a range.
-- Inputs:  :raw_columns, names and types; written_by, row_id, key_hash and bucket_no come behind them.
-- Outputs: range_rows.
create or replace table range_rows (
    :raw_columns,
    _merganser_written_by bigint,
    _merganser_row_id bigint,
    _merganser_key_hash bigint,
    _merganser_bucket_no integer
);

-- part: sorted  (script, after range)
-- Purpose: the rows by bucket, so that the rows of one lie together.
-- Inputs:  range_rows.
-- Outputs: sorted_rows; range_rows is gone.
create or replace table sorted_rows as
select * from range_rows order by _merganser_bucket_no, _merganser_key_hash, _merganser_row_id;
drop table range_rows;

-- part: counts  (query, after sorted)
-- Purpose: which buckets have rows of the range?
-- Inputs:  sorted_rows.
-- Outputs: a row each: bucket_no, rows.
select _merganser_bucket_no as bucket_no, count(*) as rows
from sorted_rows
group by _merganser_bucket_no
order by bucket_no

-- part: file  (script, after sorted)
-- Purpose: the rows of one bucket as Parquet.
-- Inputs:  sorted_rows; :bucket_no; :'parquet', the file to write.
-- Outputs: the file.
copy (
    select * exclude (_merganser_bucket_no) from sorted_rows where _merganser_bucket_no = :bucket_no
) to :'parquet' (format parquet, compression zstd);

-- part: whole  (script)
-- Purpose: the files of a bucket as one file, in which the rows of partitions that are cleaned together lie together.
-- Inputs:  :files, a list of files; :'parquet', the file to write.
-- Outputs: the file.
copy (
    select * from read_parquet(:files) order by _merganser_key_hash, _merganser_row_id
) to :'parquet' (format parquet, compression lz4_raw, row_group_size 8192);

-- part: counted  (query, after whole)
-- Purpose: how many rows has the bucket?
-- Inputs:  :'parquet'.
-- Outputs: one row: rows.
select count(*) as rows from read_parquet(:'parquet')

-- part: partitions  (query, after whole)
-- Purpose: the rows of some partitions, and of others of the same hash; of all pages, or of some.
-- Inputs:  :'parquet'; :hashes, a list; :least_hash, :greatest_hash of them; :first_page, :end_page, which is not among them.
-- Outputs: the columns of the raw table, written_by, row_id.
select * exclude (_merganser_key_hash)
from read_parquet(:'parquet')
where _merganser_key_hash between :least_hash and :greatest_hash
    and _merganser_key_hash in (:hashes)
    and _merganser_row_id >= :first_page * 65536
    and _merganser_row_id < :end_page * 65536
