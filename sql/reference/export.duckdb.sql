-- Purpose: write a table of a reference to the file that is kept.
-- Engine:  DuckDB
-- Inputs:  :"table"; :order, the columns by which its rows are sorted; :'file'.
-- Outputs: the Parquet file.
copy (select * from :"table" order by :order) to :'file' (format parquet, compression zstd);
