-- Purpose: the differences between a new edition of the address directory and the current one.
-- Engine:  DuckDB
-- Inputs:  ranges and streets of 2_ranges; :'before' and :'streets_before', Parquet files of the reference in use.
-- Outputs: one row: the numbers of new and of removed ranges.
with now as (
    select distinct streets.boro, streets.key, ranges.low, ranges.high, ranges.parity, ranges.bbl
    from ranges join streets using (street)
),
before as (
    select distinct streets.boro, streets.key, ranges.low, ranges.high, ranges.parity, ranges.bbl
    from read_parquet(:'before') as ranges join read_parquet(:'streets_before') as streets using (street)
)
select
    (select count(*) from (from now except from before)) as added,
    (select count(*) from (from before except from now)) as removed;
