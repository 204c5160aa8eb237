-- Purpose: what a new edition of PLUTO says otherwise than the one in use.
-- Engine:  DuckDB
-- Inputs:  lots of 3_lots; :'before', a Parquet file of the reference in use.
-- Outputs: one row: lots that are new, and lots that are gone.
select
    (select count(*) from lots anti join read_parquet(:'before') as before using (bbl)) as added,
    (select count(*) from read_parquet(:'before') as before anti join lots using (bbl)) as removed;
