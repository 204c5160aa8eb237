-- Purpose: a file of Parquet as a CSV of the same rows in the same order, which the parsers of CSV read.
-- Engine:  DuckDB
-- Inputs:  :'parquet', the file; :'csv', the file to write.
-- Outputs: the CSV, packed by zstd, with a header that has the names of the columns. Texts that older programs wrote as bytes are texts.
copy (
    select *
    from read_parquet(:'parquet', binary_as_string = true, hive_partitioning = false)
) to :'csv' (format csv, header, compression zstd);
