-- Purpose: the words of which addresses are made, in their different spellings.
-- Engine:  DuckDB
-- Inputs:  none.
-- Outputs: the macros address_text() (a typed line in plain capitals), street_word(), direction(), is_direction(),
--          is_street_type(), suffix_rank(), house_key(), house_hyphen(), house_bucket(), and the table house_suffixes, the directory's codes of what stands behind a house number.

-- Control characters, accents and odd punctuation never tell two addresses apart. Most lines have none.
create or replace macro address_text(line) as case
    when regexp_full_match(line, '[A-Za-z0-9/,;&()#-]+( [A-Za-z0-9/,;&()#-]+)*') then upper(line)
    else trim(regexp_replace(
        upper(strip_accents(replace(replace(replace(left(line, 400), '½', ' 1/2'), '’', ''), '''', ''))),
        '[^A-Z0-9/,;&()#-]+', ' ', 'g'))
end;

-- Words that have several spellings; each stands for itself wherever it is in a name.
create or replace macro street_word(word) as case
    when word in ('AV', 'AVE', 'AVEN', 'AVENU', 'AVN', 'AVNUE') then 'AVENUE'
    when word in ('STR', 'STRT', 'STREEET', 'STEET') then 'STREET'
    when word in ('BLVD', 'BLV', 'BVLD', 'BOUL', 'BOULV') then 'BOULEVARD'
    when word in ('PL', 'PLC') then 'PLACE'
    when word in ('CT', 'CRT') then 'COURT'
    when word in ('TER', 'TERR', 'TRCE') then 'TERRACE'
    when word in ('PKWY', 'PKY', 'PWY', 'PARKWY', 'PKWAY') then 'PARKWAY'
    when word in ('EXPY', 'EXPWY', 'EXP', 'EXPRESSWY') then 'EXPRESSWAY'
    when word in ('TPKE', 'TPK', 'TNPK') then 'TURNPIKE'
    when word in ('HWY', 'HGWY', 'HIWAY') then 'HIGHWAY'
    when word in ('CRES', 'CRESC') then 'CRESCENT'
    when word in ('CONC', 'CONCRSE') then 'CONCOURSE'
    when word in ('HTS', 'HGTS') then 'HEIGHTS'
    when word in ('EXT', 'EXTN') then 'EXTENSION'
    when word in ('BWAY', 'BDWAY', 'BDWY', 'BRDWAY', 'BROADWY') then 'BROADWAY'
    when word in ('CTR', 'CNTR') then 'CENTER'
    when word in ('BRG', 'BRDG') then 'BRIDGE'
    else case word
        when 'RD' then 'ROAD' when 'LN' then 'LANE' when 'SQ' then 'SQUARE'
        when 'PLZ' then 'PLAZA' when 'CIR' then 'CIRCLE' when 'ALY' then 'ALLEY'
        when 'GDNS' then 'GARDENS' when 'GDN' then 'GARDEN' when 'PK' then 'PARK'
        when 'BCH' then 'BEACH' when 'FT' then 'FORT' when 'MT' then 'MOUNT'
        when 'BLDG' then 'BUILDING' when 'TNNL' then 'TUNNEL' when 'APPR' then 'APPROACH'
        when 'SVC' then 'SERVICE' when 'ISL' then 'ISLAND' when 'LNDG' then 'LANDING'
        when 'OVPS' then 'OVERPASS' when 'VLG' then 'VILLAGE' when 'PT' then 'POINT'
        when 'JUNIOR' then 'JR' when 'TRL' then 'TRAIL' when 'NE' then 'NORTHEAST'
        when 'NW' then 'NORTHWEST' when 'SE' then 'SOUTHEAST' when 'SW' then 'SOUTHWEST'
        when 'FIRST' then '1' when 'SECOND' then '2' when 'THIRD' then '3'
        when 'FOURTH' then '4' when 'FIFTH' then '5' when 'SIXTH' then '6'
        when 'SEVENTH' then '7' when 'EIGHTH' then '8' when 'NINTH' then '9'
        when 'TENTH' then '10' when 'ELEVENTH' then '11' when 'TWELFTH' then '12'
        when 'THIRTEENTH' then '13'
        else word
    end
end;

create or replace macro is_street_type(word) as word in (
    'AVENUE', 'STREET', 'ST', 'BOULEVARD', 'ROAD', 'PLACE', 'LANE', 'COURT', 'TERRACE', 'PARKWAY', 'DRIVE', 'EXPRESSWAY',
    'TURNPIKE', 'HIGHWAY', 'SQUARE', 'PLAZA', 'CRESCENT', 'CIRCLE', 'ALLEY', 'CONCOURSE', 'LOOP', 'WALK', 'WAY'
);

create or replace macro direction(word) as case word
    when 'N' then 'NORTH' when 'S' then 'SOUTH' when 'E' then 'EAST' when 'W' then 'WEST'
    when 'NO' then 'NORTH' when 'SO' then 'SOUTH' else word
end;

create or replace macro is_direction(word) as direction(word) in (
    'NORTH', 'SOUTH', 'EAST', 'WEST', 'NORTHEAST', 'NORTHWEST', 'SOUTHEAST', 'SOUTHWEST'
);

-- The directory's codes sort as texts do: digits before letters.
create or replace macro suffix_rank(code) as (
    (instr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', code[1]) - 1) * 36
    + instr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', code[2]) - 1
)::bigint;

-- A house number as one that sorts: hyphenated or not, the digits before the hyphen, those behind it, the suffix.
create or replace macro house_key(hyphen, before, behind, suffix) as
    ((hyphen::bigint * 100000 + before) * 1000 + behind) * 1296 + suffix;

create or replace macro house_hyphen(key) as key >= 129600000000;

-- Numbers that lie together: sixty-four of them, or what has the same digits before the hyphen. -1 is no number.
create or replace macro house_bucket(key) as (case
    when key < 0 then -1
    when house_hyphen(key) then 100000 + (key - 129600000000) // 1296000
    else key // 82944000
end)::integer;

create or replace table house_suffixes as
select suffix_rank(code) as rank, code, suffix
from (values
        ('AA', ''), ('AB', 'FRONT'), ('AC', 'REAR'), ('AD', 'FRONT-A'), ('AE', 'FRONT-B'), ('AF', 'REAR-A'),
        ('AG', 'REAR-B'), ('AH', '1/2'), ('AI', '1/2-A'), ('AJ', '1/2-B'), ('AK', '1/2FRTA'), ('AL', '1/2FRTB'),
        ('AM', '1/2REARA'), ('AN', '1/2REARB'), ('AO', 'NORTH'), ('AP', 'SOUTH'), ('BA', '1/2FRONT'), ('BC', 'INTER-A'),
        ('BD', 'INTER-B'), ('BE', 'INTER-C'), ('BF', 'AIR RGTS'), ('BG', 'COMMERCE'), ('BH', 'GARAGE'),
        ('BI', 'UNDRGRND'), ('BJ', '1/3'), ('BK', '1/4'), ('BL', 'WEST'), ('BM', 'EAST'), ('BN', '1/2-C'),
        ('BO', '1/2-D'), ('BP', '1/2-E'), ('B1', '1/2REAR'), ('CA', '1/2GARAG'), ('CB', 'INTER'), ('CD', 'AA'),
        ('CE', '1/2 R A'), ('CF', '1/2 R B'), ('CG', '1/2 FRT'), ('CH', '1/2 GAR'), ('CI', '1/2 FRTA'),
        ('CJ', '1/2 FRTB'), ('CK', '1/2 REAR'), ('CL', 'FRONT A'), ('CM', 'FRONT B'), ('CN', 'INTER A'),
        ('CO', 'INTER B'), ('CP', 'INTER C'), ('C2', '1/5'), ('D1', 'REAR A'), ('D2', 'REAR B'), ('D3', '1/2 A'),
        ('D4', '1/2 B'), ('D5', '1/2 C'), ('D6', '1/2 D'), ('D7', '1/2 E'), ('D8', 'A GARAGE'), ('DI', '3/4'),
        ('DJ', 'AF'), ('DK', 'AS'), ('DL', 'BB'), ('DM', 'SF'), ('DN', 'ED'), ('DO', 'BA'), ('DP', 'B GARAGE'),
        ('EA', 'C GARAGE'), ('EB', 'E-BLDG'), ('EC', 'E BLDG'), ('ED', 'W-BLDG'), ('EE', 'W BLDG'), ('MB', 'A'),
        ('MC', 'B'), ('MD', 'C'), ('ME', 'D'), ('MF', 'E'), ('MG', 'F'), ('MH', 'G'), ('MI', 'H'), ('MJ', 'I'), ('NB', 'J'),
        ('NC', 'K'), ('ND', 'L'), ('NE', 'M'), ('NF', 'N'), ('NG', 'O'), ('NH', 'P'), ('NI', 'Q'), ('NJ', 'R'), ('OC', 'S'),
        ('OD', 'T'), ('OE', 'U'), ('OF', 'V'), ('OG', 'W'), ('OH', 'X'), ('OI', 'Y'), ('OJ', 'Z')
    ) as codes (code, suffix);

-- A fraction while a line is taken apart, as it is typed.
create or replace macro fraction_text(letter) as case letter
    when 'H' then '1/2' when 'T' then '1/3' when 'Q' then '1/4' when 'R' then '3/4' when 'F' then '1/5' else '' end;

-- The second number of a typed range, 388-390 or 388-90; -1: it is none.
create or replace macro range_end(low, high) as case
    when try_cast(high as integer) >= try_cast(low as integer) then try_cast(high as integer)
    when length(high) < length(low) and try_cast(left(low, length(low) - length(high)) || high as integer) >= try_cast(low as integer)
        then try_cast(left(low, length(low) - length(high)) || high as integer)
    else -1
end;
