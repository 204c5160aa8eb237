-- Purpose: census tracts as the city publishes them, and the faults of their rows.
-- Engine:  DuckDB
-- Inputs:  :'tracts', the CSV with a geometry as text, in degrees; what its columns are called: :geometry, and (or null, where
--          an edition lacks it) :geoid, the census' eleven digits, or :boro_tract, the borough and six digits.
-- Outputs: tracts, one a row; tract_faults: reason and number of the rows that are not a tract of the state.
create or replace table tracts as
with typed as (
    select
        nullif(replace(trim(:geoid), ',', ''), '') as geoid,
        nullif(replace(trim(:boro_tract), ',', ''), '') as boro_tract,
        trim(:geometry) as geometry
    from read_csv(:'tracts', header = true, delim = ',', quote = '"', escape = '"', all_varchar = true)
)
select
    coalesce(
        geoid,
        -- The city numbers its boroughs, the census its counties.
        '36' || ['061', '005', '047', '081', '085'][try_cast(boro_tract[1] as integer)] || boro_tract[2:]) as geoid,
    geometry,
    regexp_extract(geometry, '^MULTIPOLYGON *\(\(\( *(-?[0-9.]+) +(-?[0-9.]+)|^POLYGON *\(\( *(-?[0-9.]+) +(-?[0-9.]+)', 0) as start
from typed;

create or replace table tract_faults as
with places as (
    select
        *,
        try_cast(regexp_extract(start, '\( *(-?[0-9.]+) +(-?[0-9.]+)$', 1) as double) as lon,
        try_cast(regexp_extract(start, '\( *(-?[0-9.]+) +(-?[0-9.]+)$', 2) as double) as lat
    from tracts
),
looked_at as (
    select
        case
            when coalesce(not regexp_full_match(geoid, '36[0-9]{9}'), true) then 'no number of a tract of the state'
            when count(*) over (partition by geoid) > 1 then 'a tract that is there twice'
            when coalesce(start, '') = '' or not ends_with(geometry, '))') then 'no polygon'
            when coalesce(lon not between -80 and -71.5 or lat not between 40 and 45.5, true)
                then 'a place that is not in the state, in degrees of longitude and latitude'
        end as reason
    from places
)
select reason, count(*) as rows from looked_at where reason is not null group by reason order by reason;
