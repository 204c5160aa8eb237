-- Purpose: the differences between a new edition of PLUTO and the current one.
-- Engine:  DuckDB
-- Inputs:  lots of 3_lots; :'before', a Parquet file of the reference in use.
-- Outputs: one row: the numbers of new and of removed lots.
select
    (select count(*) from lots anti join read_parquet(:'before') as before using (bbl)) as added,
    (select count(*) from read_parquet(:'before') as before anti join lots using (bbl)) as removed;
