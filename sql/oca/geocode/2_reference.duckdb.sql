-- Purpose: what all portions of the questions are looked up in, as far as it is small. Ranges and lots are read from their files
--          each time: as tables they would be spilled and read back, which takes longer.
-- Engine:  DuckDB
-- Inputs:  :'ranges' and :'streets', Parquet files of the reference.
-- Outputs: known_cities; streets; zip_boroughs; street_zips, the postal codes of a street; line_streets and known_rests, what is
--          known of typed streets, as yet nothing.
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

create or replace table street_zips as
select distinct street, zip from read_parquet(:'ranges') where zip > 0;

-- Which boroughs a postal code lies in by the directory: 10463 is of the Bronx and of Marble Hill.
create or replace table zip_boroughs as
select distinct street_zips.zip, streets.boro
from street_zips join streets using (street);

-- A street is understood once, however many lines name it.
create or replace table known_rests (rest varchar);

create or replace table line_streets (
    rest varchar,
    boro integer,
    numbered integer,
    suffix varchar,
    named integer
);
