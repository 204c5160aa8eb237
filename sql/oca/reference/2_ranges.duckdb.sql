-- Purpose: streets and ranges in the form in which they are joined with typed addresses.
-- Engine:  DuckDB
-- Inputs:  directory_rows and billing_lots of 1_directory; street_keys of geocode/5_keys.
-- Outputs: streets, a borough's street or named place, by number; ranges, each in every bucket of numbers that it
--          touches, so that a typed number meets few of them.
create or replace table streets as
select row_number() over (order by boro, key)::integer as street, boro, key, shown, has_numbers, has_places
from (
    select
        rows.street_boro as boro,
        keys.key,
        min(rows.street) as shown,
        bool_or(rows.low >= 0) as has_numbers,
        bool_or(rows.low < 0) as has_places
    -- The lot's borough besides the street's: for Marble Hill and Rikers Island people name either.
    from (
        select street_boro, name, street, low from directory_rows
        union all
        select boro, name, street, low from directory_rows where boro <> street_boro
    ) as rows
    join street_keys as keys on keys.name = rows.name
    where keys.key <> ''
    group by rows.street_boro, keys.key
);

create or replace table unit_lots as
select units.block, units.lot, min(billing.bbl) as bbl
from (select distinct block, lot from directory_rows where lot between 1001 and 6999) as units
join billing_lots as billing
    on billing.block = units.block and units.lot between billing.low_lot and billing.high_lot
group by units.block, units.lot
-- A unit with two billing lots keeps its own lot.
having count(distinct billing.bbl) = 1;

create or replace table directory_ranges as
with placed as (
    select street_boro, name, block, lot, bin, low, high, parity, zip from directory_rows
    union all
    select boro, name, block, lot, bin, low, high, parity, zip from directory_rows where boro <> street_boro
)
select distinct
    streets.street,
    placed.low,
    placed.high,
    placed.parity::tinyint as parity,
    coalesce(unit_lots.bbl, placed.block::bigint * 10000 + placed.lot) as bbl,
    placed.bin,
    placed.zip
from placed
join street_keys as keys on keys.name = placed.name
join streets on streets.boro = placed.street_boro and streets.key = keys.key
left join unit_lots on unit_lots.block = placed.block and unit_lots.lot = placed.lot;

create or replace table ranges as
select
    street,
    unnest(range(house_bucket(low), house_bucket(high) + 1))::integer as bucket,
    low, high, parity, bbl, bin, zip
from directory_ranges;
