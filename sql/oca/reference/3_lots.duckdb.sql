-- Purpose: PLUTO's lots, of either dialect, with their coordinates and districts.
-- Engine:  DuckDB
-- Inputs:  :'pluto', its CSV; what each column is called there, or null where a release lacks it: :bbl, :cd, :council,
--          :ct, :cb, :bct, :bctcb, :zip, :address, :units_res, :units_total, :latitude, :longitude, :version.
-- Outputs: lots, one a bbl; lots_version, the versions that the rows name.
create or replace table pluto_rows as
select
    try_cast(split_part(replace(trim(:bbl), ',', ''), '.', 1) as bigint) as bbl,
    nullif(split_part(replace(trim(:cd), ',', ''), '.', 1), '') as cd,
    nullif(split_part(replace(trim(:council), ',', ''), '.', 1), '') as council,
    nullif(replace(trim(:ct), ',', ''), '') as ct2010,
    nullif(split_part(replace(trim(:cb), ',', ''), '.', 1), '') as cb2010,
    nullif(split_part(replace(trim(:bct), ',', ''), '.', 1), '') as bct2020,
    nullif(split_part(replace(trim(:bctcb), ',', ''), '.', 1), '') as bctcb2020,
    nullif(split_part(replace(trim(:zip), ',', ''), '.', 1), '') as zipcode,
    nullif(trim(:address), '') as address,
    try_cast(split_part(replace(trim(:units_res), ',', ''), '.', 1) as integer) as unitsres,
    try_cast(split_part(replace(trim(:units_total), ',', ''), '.', 1) as integer) as unitstotal,
    try_cast(trim(:latitude) as double) as lat,
    try_cast(trim(:longitude) as double) as lon,
    nullif(trim(:version), '') as version
from read_csv(:'pluto', header = true, delim = ',', quote = '"', escape = '"', all_varchar = true);

-- Coordinates outside the city become null: a wrong coordinate is worse than none.
create or replace table lots as
select
    bbl,
    min(cd) as cd,
    min(council) as council,
    min(ct2010) as ct2010,
    min(cb2010) as cb2010,
    min(bct2020) as bct2020,
    min(bctcb2020) as bctcb2020,
    min(zipcode) as zipcode,
    min(address) as address,
    max(unitsres) as unitsres,
    max(unitstotal) as unitstotal,
    case when count(distinct (lat, lon)) = 1 and min(lat) between 40.4 and 41.0 and min(lon) between -74.3 and -73.6
        then min(lat) end as lat,
    case when count(distinct (lat, lon)) = 1 and min(lat) between 40.4 and 41.0 and min(lon) between -74.3 and -73.6
        then min(lon) end as lon
from pluto_rows
where bbl between 1000000001 and 5999999999
group by bbl;

create or replace table lots_version as
select version, count(*) as rows from pluto_rows where version is not null group by version order by rows desc, version;

drop table pluto_rows;
