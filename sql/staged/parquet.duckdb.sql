-- Purpose: a file of Parquet as a CSV of the same rows in the same order, which the parsers of CSV read.
-- Engine:  DuckDB
-- Inputs:  :'parquet', the file; :'columns', the names that the dataset takes, in small letters with commas between; :'csv', the file
--          to write.
-- Outputs: the CSV, packed by zstd, with a header that has the names of the columns. Texts that older programs wrote as bytes are texts.
--          Other columns are not read: unpacked they may need more memory than there is.
copy (
    select columns(name -> list_contains(string_split(:'columns', ','), lower(trim(name))))
    from read_parquet(:'parquet', binary_as_string = true, hive_partitioning = false)
) to :'csv' (format csv, header, compression zstd);
