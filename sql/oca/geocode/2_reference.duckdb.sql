-- Purpose: what all portions of the questions are looked up in, as far as it is small. Ranges and lots are read from their files
--          each time: as tables they would be spilled and read back, which takes longer.
-- Engine:  DuckDB
-- Inputs:  :'ranges' and :'streets', Parquet files of the reference; the macros of 1_words.
-- Outputs: the macros city_name() and is_wide_city(), and known_cities; streets; zip_boroughs; street_zips, the postal codes
--          of a street; line_streets and known_rests, what is known of typed streets, still empty.

-- A city's name in one spelling: `S Ozone Pk` is `SOUTH OZONE PARK`.
create or replace macro city_name(text) as regexp_replace(regexp_replace(regexp_replace(
    array_to_string(list_transform(string_split(text, ' '), lambda word: case word
        when 'HL' then 'HILL' when 'HLS' then 'HILLS' when 'IS' then 'ISLAND' when 'VILL' then 'VILLAGE'
        when 'EST' then 'ESTATES' when 'SPRNGFLD' then 'SPRINGFIELD' when 'SPFLD' then 'SPRINGFIELD'
        else street_word(word) end), ' '),
    '^(S|SO) ([A-Z]{3})', 'SOUTH \2'),
    '^E ([A-Z]{3})', 'EAST \1'),
    '^ST ', 'SAINT ');

-- Is it a name that is used for all five boroughs?
create or replace macro is_wide_city(name) as name in ('NEW YORK', 'NEW YORK CITY', 'NYC', 'N Y C', 'NY CITY');

-- The names of boroughs and of Queens' post offices, which say the borough.
create or replace table known_cities as
select city, borough, zone from (values
    ('LONG ISLAND CITY', 4, '111'), ('LIC', 4, '111'), ('L I C', 4, '111'), ('L I CITY', 4, '111'),
    ('ASTORIA', 4, '111'), ('SUNNYSIDE', 4, '111'), ('FLUSHING', 4, '113'), ('WHITESTONE', 4, '113'),
    ('BAYSIDE', 4, '113'), ('BAYSIDE HILLS', 4, '113'), ('LITTLE NECK', 4, '113'), ('DOUGLASTON', 4, '113'),
    ('OAKLAND GARDENS', 4, '113'), ('FRESH MEADOWS', 4, '113'), ('COLLEGE POINT', 4, '113'),
    ('CORONA', 4, '113'), ('EAST ELMHURST', 4, '113'), ('ELMHURST', 4, '113'), ('JACKSON HEIGHTS', 4, '113'),
    ('REGO PARK', 4, '113'), ('FOREST HILLS', 4, '113'), ('WOODSIDE', 4, '113'), ('MASPETH', 4, '113'),
    ('MIDDLE VILLAGE', 4, '113'), ('RIDGEWOOD', 4, '113'), ('GLENDALE', 4, '113'),
    ('KEW GARDENS HILLS', 4, '113'), ('BEECHHURST', 4, '113'), ('MALBA', 4, '113'), ('POMONOK', 4, '113'),
    ('JAMAICA', 4, '114'), ('KEW GARDENS', 4, '114'), ('RICHMOND HILL', 4, '114'),
    ('SOUTH RICHMOND HILL', 4, '114'), ('OZONE PARK', 4, '114'), ('SOUTH OZONE PARK', 4, '114'),
    ('WOODHAVEN', 4, '114'), ('HOWARD BEACH', 4, '114'), ('SAINT ALBANS', 4, '114'),
    ('SPRINGFIELD GARDENS', 4, '114'), ('HOLLIS', 4, '114'), ('HOLLIS HILLS', 4, '114'),
    ('QUEENS VILLAGE', 4, '114'), ('BELLEROSE MANOR', 4, '114'), ('CAMBRIA HEIGHTS', 4, '114'),
    ('ROSEDALE', 4, '114'), ('LAURELTON', 4, '114'), ('JAMAICA ESTATES', 4, '114'), ('BRIARWOOD', 4, '114'),
    ('FAR ROCKAWAY', 4, '116'), ('ROCKAWAY PARK', 4, '116'), ('ROCKAWAY BEACH', 4, '116'),
    ('ROCKAWAY POINT', 4, '116'), ('ARVERNE', 4, '116'), ('BREEZY POINT', 4, '116'), ('BELLE HARBOR', 4, '116'),
    ('NEPONSIT', 4, '116'), ('BROAD CHANNEL', 4, '116'), ('EDGEMERE', 4, '116'), ('MANHATTAN', 1, ''),
    ('NEW YORK COUNTY', 1, ''), ('HARLEM', 1, ''), ('EAST HARLEM', 1, ''), ('WASHINGTON HEIGHTS', 1, ''),
    ('ROOSEVELT ISLAND', 1, ''), ('MARBLE HILL', 1, ''), ('NEW YORK', 1, ''), ('NEW YORK CITY', 1, ''),
    ('NYC', 1, ''), ('N Y C', 1, ''), ('NY CITY', 1, ''), ('BRONX', 2, ''), ('BX', 2, ''), ('BRONX COUNTY', 2, ''),
    ('CITY ISLAND', 2, ''), ('RIVERDALE', 2, ''), ('BROOKLYN', 3, ''), ('BKLYN', 3, ''), ('BKLN', 3, ''),
    ('KINGS', 3, ''), ('KINGS COUNTY', 3, ''), ('BK', 3, ''), ('CONEY ISLAND', 3, ''), ('QUEENS', 4, ''),
    ('QUEENS COUNTY', 4, ''), ('GLEN OAKS', 4, ''), ('QNS', 4, ''), ('STATEN ISLAND', 5, ''),
    ('RICHMOND', 5, ''), ('RICHMOND COUNTY', 5, ''), ('SI', 5, ''), ('S I', 5, '')
) as known (city, borough, zone)
union all
-- Without a borough: neighbourhoods whose names other places may have too. They are in the city if the postal code is.
select city, null as borough, '' as zone
from (select unnest([
    'ADDISLEIGH PARK', 'ALLERTON', 'ANNADALE', 'ARDEN HEIGHTS', 'ARLINGTON', 'AUBURNDALE', 'BATH BEACH',
    'BATTERY PARK CITY', 'BAY RIDGE', 'BAY TERRACE', 'BAYCHESTER', 'BAYSWATER', 'BED STUY', 'BEDFORD PARK',
    'BEDFORD STUYVESANT', 'BELLEROSE', 'BELMONT', 'BENSONHURST', 'BERGEN BEACH', 'BOERUM HILL', 'BORO PARK',
    'BOROUGH PARK', 'BRIGHTON BEACH', 'BROOKLYN HEIGHTS', 'BROWNSVILLE', 'BULLS HEAD', 'BUSHWICK', 'CANARSIE',
    'CARROLL GARDENS', 'CASTLE HILL', 'CASTLETON', 'CHARLESTON', 'CHELSEA', 'CHINATOWN', 'CLIFTON',
    'CLINTON HILL', 'CO OP CITY', 'COBBLE HILL', 'COOP CITY', 'COUNTRY CLUB', 'CROTONA PARK', 'CROWN HEIGHTS',
    'CYPRESS HILLS', 'DONGAN HILLS', 'DUMBO', 'DYKER HEIGHTS', 'EAST FLATBUSH', 'EAST NEW YORK', 'EAST VILLAGE',
    'EAST WILLIAMSBURG', 'EDENWALD', 'ELTINGVILLE', 'EMERSON HILL', 'FINANCIAL DISTRICT', 'FLATBUSH',
    'FLATLANDS', 'FORDHAM', 'FORT GREENE', 'FORT HAMILTON', 'FRESH POND', 'GERRITSEN BEACH', 'GOVERNORS ISLAND',
    'GOWANUS', 'GRAMERCY', 'GRAMERCY PARK', 'GRANITEVILLE', 'GRANT CITY', 'GRASMERE', 'GRAVESEND',
    'GREAT KILLS', 'GREENPOINT', 'GREENWICH VILLAGE', 'GRYMES HILL', 'HAMILTON BEACH', 'HAMILTON HEIGHTS',
    'HELLS KITCHEN', 'HIGHBRIDGE', 'HILLCREST', 'HILLSIDE', 'HOLLISWOOD', 'HUGUENOT', 'HUNTS POINT', 'INWOOD',
    'JAMAICA HILLS', 'KENSINGTON', 'KINGSBRIDGE', 'KIPS BAY', 'LEFRAK CITY', 'LENOX HILL', 'LINDEN HILL',
    'LINDENWOOD', 'LITTLE ITALY', 'LONGWOOD', 'LOWER EAST SIDE', 'MANHATTAN BEACH', 'MANHATTANVILLE',
    'MARINE PARK', 'MARINERS HARBOR', 'MELROSE', 'MIDLAND BEACH', 'MIDTOWN', 'MIDWOOD', 'MILL BASIN',
    'MORNINGSIDE', 'MORNINGSIDE HEIGHTS', 'MORRIS HEIGHTS', 'MORRIS PARK', 'MORRISANIA', 'MOTT HAVEN', 'MOUNT HOPE',
    'MURRAY HILL', 'NEW BRIGHTON', 'NEW DORP', 'NEW SPRINGVILLE', 'NOHO', 'NOLITA', 'NORTH CORONA', 'NORWOOD',
    'OAKWOOD', 'OCEAN HILL', 'PARK SLOPE', 'PARKCHESTER', 'PELHAM BAY', 'PELHAM PARKWAY', 'PLEASANT PLAINS',
    'PORT MORRIS', 'PORT RICHMOND', 'PRINCES BAY', 'PROSPECT HEIGHTS', 'RANDALLS ISLAND', 'RAVENSWOOD',
    'RED HOOK', 'RICHMONDTOWN', 'ROCHDALE', 'ROCHDALE VILLAGE', 'ROCKAWAY', 'ROCKAWAYS', 'ROSEBANK',
    'ROSSVILLE', 'ROXBURY', 'SAINT GEORGE', 'SEA GATE', 'SHEEPSHEAD BAY', 'SILVER LAKE', 'SOHO', 'SOUNDVIEW',
    'SOUTH BEACH', 'SOUTH JAMAICA', 'SPANISH HARLEM', 'SPRING CREEK', 'SPUYTEN DUYVIL', 'STAPLETON',
    'STARRETT CITY', 'STEINWAY', 'STUYVESANT TOWN', 'SUGAR HILL', 'SUNSET PARK', 'THROGGS NECK', 'THROGS NECK',
    'TODT HILL', 'TOMPKINSVILLE', 'TOTTENVILLE', 'TRAVIS', 'TREMONT', 'TRIBECA', 'TUDOR CITY',
    'UNIVERSITY HEIGHTS', 'UPPER EAST SIDE', 'UPPER WEST SIDE', 'UTOPIA', 'VAN NEST', 'VINEGAR HILL',
    'WAKEFIELD', 'WALL STREET', 'WARDS ISLAND', 'WAVE CREST', 'WEST BRIGHTON', 'WEST FARMS', 'WEST VILLAGE',
    'WESTCHESTER SQUARE', 'WESTERLEIGH', 'WILLIAMSBRIDGE', 'WILLIAMSBURG', 'WILLOWBROOK', 'WINDSOR TERRACE',
    'WOODLAWN', 'YORKVILLE'
]) as city)
union all
-- Borough 0 is elsewhere: cities, counties and villages of the state outside the five boroughs, and some whose
-- name is nearly that of a place in the city.
select city, 0 as borough, '' as zone
from (select unnest([
    'ALBANY', 'AMSTERDAM', 'AUBURN', 'BATAVIA', 'BEACON', 'BINGHAMTON', 'BUFFALO', 'CANANDAIGUA', 'COHOES',
    'CORNING', 'CORTLAND', 'DUNKIRK', 'ELMIRA', 'FULTON', 'GENEVA', 'GLEN COVE', 'GLENS FALLS', 'GLOVERSVILLE',
    'HORNELL', 'HUDSON', 'ITHACA', 'JAMESTOWN', 'JOHNSTOWN', 'KINGSTON', 'LACKAWANNA', 'LITTLE FALLS',
    'LOCKPORT', 'LONG BEACH', 'MECHANICVILLE', 'MIDDLETOWN', 'MOUNT VERNON', 'NEW ROCHELLE', 'NEWBURGH',
    'NIAGARA FALLS', 'NORTH TONAWANDA', 'NORWICH', 'OGDENSBURG', 'OLEAN', 'ONEIDA', 'ONEONTA', 'OSWEGO',
    'PEEKSKILL', 'PLATTSBURGH', 'PORT JERVIS', 'POUGHKEEPSIE', 'RENSSELAER', 'ROCHESTER', 'ROME', 'RYE',
    'SALAMANCA', 'SARATOGA SPRINGS', 'SCHENECTADY', 'SHERRILL', 'SYRACUSE', 'TONAWANDA', 'TROY', 'UTICA',
    'WATERTOWN', 'WATERVLIET', 'WHITE PLAINS', 'YONKERS', 'HEMPSTEAD', 'FREEPORT', 'NASSAU', 'SUFFOLK',
    'WESTCHESTER', 'ERIE', 'MONROE', 'ONONDAGA', 'ROCKLAND', 'ORANGE', 'DUTCHESS', 'ULSTER', 'PUTNAM', 'BROOME',
    'NIAGARA', 'SARATOGA', 'CHAUTAUQUA', 'JEFFERSON', 'CHEMUNG', 'TOMPKINS', 'VALLEY STREAM', 'ELMONT',
    'FLORAL PARK', 'NEW HYDE PARK', 'GREAT NECK', 'FRANKLIN SQUARE', 'LAWRENCE', 'CEDARHURST', 'HEWLETT',
    'WOODMERE', 'ROSLYN', 'MINEOLA', 'GARDEN CITY', 'UNIONDALE', 'ROOSEVELT', 'BALDWIN', 'ROCKVILLE CENTRE',
    'LYNBROOK', 'OCEANSIDE', 'MASSAPEQUA', 'AMITYVILLE', 'BABYLON', 'ISLIP', 'CENTRAL ISLIP', 'BRENTWOOD',
    'BAY SHORE', 'HUNTINGTON', 'SMITHTOWN', 'PATCHOGUE', 'RIVERHEAD', 'BROOKHAVEN', 'PELHAM', 'BRONXVILLE',
    'TUCKAHOE', 'EASTCHESTER', 'SCARSDALE', 'HARRISON', 'PORT CHESTER', 'MAMARONECK', 'LARCHMONT',
    'HASTINGS ON HUDSON', 'DOBBS FERRY', 'TARRYTOWN', 'SLEEPY HOLLOW', 'OSSINING', 'SPRING VALLEY', 'NYACK',
    'HAVERSTRAW', 'SUFFERN', 'MONTICELLO', 'LIBERTY', 'CHEEKTOWAGA', 'AMHERST', 'WEST SENECA', 'IRONDEQUOIT',
    'GREECE', 'COLONIE', 'JERSEY CITY', 'NEWARK', 'HOBOKEN', 'MALTA', 'ROSENDALE', 'WHITESTOWN'
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
