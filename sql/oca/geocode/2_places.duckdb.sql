-- Purpose: where an address says that it is: which boroughs come into question, or none.
-- Engine:  DuckDB
-- Inputs:  the table questions; :'ranges' and :'streets', Parquet files of the reference; the macros of 1_words.
-- Outputs: the view questioned: the questions by number, q, with the number of their place, for one look; the table places, one a
--          city, state and postal code: zip (0: none that can be read), verdict (inside, outside or unplaced), city_borough
--          and zip_borough (0: not said), by_city_alone and needs_zip; the table place_boroughs, where to look.
create or replace table known_cities as
select city, borough, zone from (values
    ('LONG ISLAND CITY', 4, '111'), ('LIC', 4, '111'), ('L I C', 4, '111'), ('ASTORIA', 4, '111'),
    ('SUNNYSIDE', 4, '111'), ('FLUSHING', 4, '113'), ('WHITESTONE', 4, '113'), ('BAYSIDE', 4, '113'),
    ('BAYSIDE HILLS', 4, '113'), ('LITTLE NECK', 4, '113'), ('DOUGLASTON', 4, '113'),
    ('OAKLAND GARDENS', 4, '113'), ('FRESH MEADOWS', 4, '113'), ('COLLEGE POINT', 4, '113'),
    ('CORONA', 4, '113'), ('EAST ELMHURST', 4, '113'), ('ELMHURST', 4, '113'), ('JACKSON HEIGHTS', 4, '113'),
    ('JACKSON HTS', 4, '113'), ('REGO PARK', 4, '113'), ('FOREST HILLS', 4, '113'), ('WOODSIDE', 4, '113'),
    ('MASPETH', 4, '113'), ('MIDDLE VILLAGE', 4, '113'), ('RIDGEWOOD', 4, '113'), ('GLENDALE', 4, '113'),
    ('KEW GARDENS HILLS', 4, '113'), ('BEECHHURST', 4, '113'), ('MALBA', 4, '113'), ('POMONOK', 4, '113'),
    ('JAMAICA', 4, '114'), ('KEW GARDENS', 4, '114'), ('RICHMOND HILL', 4, '114'),
    ('SOUTH RICHMOND HILL', 4, '114'), ('S RICHMOND HILL', 4, '114'), ('OZONE PARK', 4, '114'),
    ('SOUTH OZONE PARK', 4, '114'), ('S OZONE PARK', 4, '114'), ('SO OZONE PARK', 4, '114'),
    ('WOODHAVEN', 4, '114'), ('HOWARD BEACH', 4, '114'), ('SAINT ALBANS', 4, '114'), ('ST ALBANS', 4, '114'),
    ('SPRINGFIELD GARDENS', 4, '114'), ('SPRINGFIELD GDNS', 4, '114'), ('HOLLIS', 4, '114'),
    ('HOLLIS HILLS', 4, '114'), ('QUEENS VILLAGE', 4, '114'), ('BELLEROSE MANOR', 4, '114'),
    ('CAMBRIA HEIGHTS', 4, '114'), ('CAMBRIA HTS', 4, '114'), ('ROSEDALE', 4, '114'),
    ('LAURELTON', 4, '114'), ('JAMAICA ESTATES', 4, '114'), ('BRIARWOOD', 4, '114'),
    ('FAR ROCKAWAY', 4, '116'), ('ROCKAWAY PARK', 4, '116'), ('ROCKAWAY BEACH', 4, '116'),
    ('ROCKAWAY POINT', 4, '116'), ('ARVERNE', 4, '116'), ('BREEZY POINT', 4, '116'),
    ('BELLE HARBOR', 4, '116'), ('NEPONSIT', 4, '116'), ('BROAD CHANNEL', 4, '116'), ('EDGEMERE', 4, '116'),
    ('QUEENS', 4, ''), ('QUEENS COUNTY', 4, ''), ('GLEN OAKS', 4, ''), ('QNS', 4, ''), ('MANHATTAN', 1, ''),
    ('NEW YORK COUNTY', 1, ''), ('HARLEM', 1, ''), ('EAST HARLEM', 1, ''), ('WASHINGTON HEIGHTS', 1, ''),
    ('ROOSEVELT ISLAND', 1, ''), ('MARBLE HILL', 1, ''), ('BRONX', 2, ''), ('THE BRONX', 2, ''),
    ('BX', 2, ''), ('BRONX COUNTY', 2, ''), ('CITY ISLAND', 2, ''), ('RIVERDALE', 2, ''),
    ('BROOKLYN', 3, ''), ('BKLYN', 3, ''), ('BKLN', 3, ''), ('KINGS', 3, ''), ('KINGS COUNTY', 3, ''),
    ('BK', 3, ''), ('CONEY ISLAND', 3, ''), ('STATEN ISLAND', 5, ''), ('RICHMOND', 5, ''),
    ('RICHMOND COUNTY', 5, ''), ('SI', 5, ''), ('S I', 5, ''), ('STATEN IS', 5, ''), ('NEW YORK', 1, ''),
    ('NEW YORK CITY', 1, ''), ('NYC', 1, ''), ('N Y C', 1, '')
) as known (city, borough, zone)
union all
-- Borough 0 is elsewhere: cities, counties and villages of the state that are not of the five boroughs.
select city, 0 as borough, '' as zone
from (select unnest([
    'ALBANY', 'AMSTERDAM', 'AUBURN', 'BATAVIA', 'BEACON', 'BINGHAMTON', 'BUFFALO', 'CANANDAIGUA', 'COHOES',
    'CORNING', 'CORTLAND', 'DUNKIRK', 'ELMIRA', 'FULTON', 'GENEVA', 'GLEN COVE', 'GLENS FALLS',
    'GLOVERSVILLE', 'HORNELL', 'HUDSON', 'ITHACA', 'JAMESTOWN', 'JOHNSTOWN', 'KINGSTON', 'LACKAWANNA',
    'LITTLE FALLS', 'LOCKPORT', 'LONG BEACH', 'MECHANICVILLE', 'MIDDLETOWN', 'MOUNT VERNON', 'MT VERNON',
    'NEW ROCHELLE', 'NEWBURGH', 'NIAGARA FALLS', 'NORTH TONAWANDA', 'NORWICH', 'OGDENSBURG', 'OLEAN',
    'ONEIDA', 'ONEONTA', 'OSWEGO', 'PEEKSKILL', 'PLATTSBURGH', 'PORT JERVIS', 'POUGHKEEPSIE', 'RENSSELAER',
    'ROCHESTER', 'ROME', 'RYE', 'SALAMANCA', 'SARATOGA SPRINGS', 'SCHENECTADY', 'SHERRILL', 'SYRACUSE',
    'TONAWANDA', 'TROY', 'UTICA', 'WATERTOWN', 'WATERVLIET', 'WHITE PLAINS', 'YONKERS', 'HEMPSTEAD',
    'FREEPORT', 'NASSAU', 'SUFFOLK', 'WESTCHESTER', 'ERIE', 'MONROE', 'ONONDAGA', 'ROCKLAND', 'ORANGE',
    'DUTCHESS', 'ULSTER', 'PUTNAM', 'BROOME', 'NIAGARA', 'SARATOGA', 'CHAUTAUQUA', 'JEFFERSON', 'CHEMUNG',
    'TOMPKINS', 'VALLEY STREAM', 'ELMONT', 'FLORAL PARK', 'NEW HYDE PARK', 'GREAT NECK', 'FRANKLIN SQUARE',
    'LAWRENCE', 'CEDARHURST', 'HEWLETT', 'WOODMERE', 'ROSLYN', 'MINEOLA', 'GARDEN CITY',
    'UNIONDALE', 'ROOSEVELT', 'BALDWIN', 'ROCKVILLE CENTRE', 'LYNBROOK', 'OCEANSIDE', 'MASSAPEQUA',
    'AMITYVILLE', 'BABYLON', 'ISLIP', 'CENTRAL ISLIP', 'BRENTWOOD', 'BAY SHORE', 'HUNTINGTON', 'SMITHTOWN',
    'PATCHOGUE', 'RIVERHEAD', 'BROOKHAVEN', 'PELHAM', 'BRONXVILLE', 'TUCKAHOE', 'EASTCHESTER', 'SCARSDALE',
    'HARRISON', 'PORT CHESTER', 'MAMARONECK', 'LARCHMONT', 'HASTINGS ON HUDSON', 'DOBBS FERRY', 'TARRYTOWN',
    'SLEEPY HOLLOW', 'OSSINING', 'SPRING VALLEY', 'NYACK', 'HAVERSTRAW', 'SUFFERN', 'MONTICELLO', 'LIBERTY',
    'CHEEKTOWAGA', 'AMHERST', 'WEST SENECA', 'IRONDEQUOIT', 'GREECE', 'COLONIE', 'JERSEY CITY', 'NEWARK',
    'HOBOKEN'
]) as city);

create or replace table streets as
select street, boro, key, shown, has_numbers, has_places from read_parquet(:'streets');

-- Which boroughs a postal code lies in by the directory: 10463 is of the Bronx and of Marble Hill.
create or replace table zip_boroughs as
select distinct ranges.zip, streets.boro
from (select distinct zip, street from read_parquet(:'ranges') where zip > 0) as ranges
join streets using (street);

create or replace table place_texts as
select row_number() over ()::integer as place, city, state, postalcode
from (
    select distinct coalesce(city, '') as city, coalesce(state, '') as state, coalesce(postalcode, '') as postalcode
    from questions
);

create or replace view questioned as
select questions.rowid::integer as q, place_texts.place, questions.key, questions.street1, questions.street2
from questions
join place_texts
    on place_texts.city = coalesce(questions.city, '')
    and place_texts.state = coalesce(questions.state, '')
    and place_texts.postalcode = coalesce(questions.postalcode, '');

create or replace table places as
with typed as (
    select
        place,
        trim(regexp_replace(upper(city), '[^A-Z,/]+', ' ', 'g')) as city,
        trim(regexp_replace(upper(state), '[^A-Z]+', ' ', 'g')) as state,
        coalesce(
            try_cast(nullif(regexp_extract(postalcode, '^\s*([0-9]{5})(?:[- ]?[0-9]{4})?\s*$', 1), '') as integer),
            0) as zip
    from place_texts
),
-- `Jamaica, Queens` says two things, which may not contradict each other.
parts as (
    select distinct place, trim(regexp_replace(trim(part), '( NEW YORK| NY| N Y| NYC)$', '')) as part
    from (
        select place, unnest(regexp_split_to_array(city, '[,/]')) as part
        from typed
    )
    where trim(part) not in ('', 'NY', 'N Y', 'UNKNOWN', 'NA', 'N A')
),
cities as (
    select
        parts.place,
        bool_or(known.borough = 0) as is_elsewhere,
        bool_or(known.borough is null) as is_unknown,
        -- New York is a borough when nothing else is said.
        count(distinct known.borough) filter (where known.borough > 0 and not is_wide) as boroughs,
        max(known.borough) filter (where known.borough > 0 and not is_wide) as narrow,
        max(known.borough) filter (where known.borough > 0) as borough,
        bool_and(is_wide) as is_wide,
        max(known.zone) as zone
    from (select *, part in ('NEW YORK', 'NEW YORK CITY', 'NYC', 'N Y C') as is_wide from parts) as parts
    left join known_cities as known on known.city = parts.part
    group by parts.place
),
zipped as (
    select
        place, city, state, zip,
        case
            when zip in (11004, 11005) then 4
            when zip // 100 in (100, 101, 102) then 1
            when zip // 100 = 103 then 5
            when zip // 100 = 104 then 2
            when zip // 100 = 112 then 3
            when zip // 100 in (111, 113, 114, 116) then 4
            else 0
        end as zip_borough,
        -- Of a village's code some edge lies in the city.
        zip in (select zip from zip_boroughs) as is_known
    from typed
)
select
    zipped.place,
    zipped.zip,
    zipped.zip_borough,
    coalesce(cities.zone, '') as zone,
    case
        when coalesce(cities.is_wide, true) then 0 else coalesce(cities.narrow, 0)
    end as city_borough,
    coalesce(cities.is_wide, false) as is_wide,
    -- Nothing but the postal code says that it is here.
    coalesce(cities.is_unknown, true) or zipped.zip > 0 and zipped.zip_borough = 0 as needs_zip,
    coalesce(cities.boroughs, 0) > 1
    or coalesce(cities.boroughs, 0) = 1 and not cities.is_wide and zipped.zip_borough > 0
        and cities.narrow <> zipped.zip_borough
        and not exists (
            select 1 from zip_boroughs as also where also.zip = zipped.zip and also.boro = cities.narrow
        ) as is_contradictory,
    case
        when zipped.state not in ('', 'NY', 'N Y', 'NEW YORK', 'NYS', 'NEW YORK STATE') then 'outside'
        when cities.is_elsewhere and not (zipped.zip in (11004, 11005) and zipped.city in ('FLORAL PARK', 'NEW HYDE PARK'))
            then 'outside'
        when zipped.zip > 0 and zipped.zip_borough = 0 and not (zipped.is_known and cities.narrow is not null)
            then 'outside'
        when zipped.zip_borough > 0 then 'inside'
        when cities.borough is null then 'unplaced'
        else 'inside'
    end as verdict
from zipped
left join cities using (place);

create or replace table place_boroughs as
select distinct place, boro from (
    select place, city_borough as boro from places where verdict = 'inside' and city_borough > 0
    union all
    select place, 1 as boro from places where verdict = 'inside' and is_wide and zip_borough = 0
    union all
    select place, zip_borough as boro from places where verdict = 'inside' and zip_borough > 0
    union all
    select places.place, also.boro
    from places join zip_boroughs as also using (zip)
    where places.verdict = 'inside'
);
