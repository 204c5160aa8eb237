-- Purpose: one answer for each question; only one building lot is a match.
-- Engine:  DuckDB
-- Inputs:  questioned, places and known_cities of 2_places; lines of 3_lines; line_streets, line_ends and candidates of
--          5_match; :'ranges' and :'lots', Parquet files of the reference.
-- Outputs: answers_pad: key, status (match, tie, no_number, no_street, outside, no_line) and what is known of the address.

-- Streets that a postal code has; asked only where a number was found under another code.
create or replace table street_zips as
select distinct street, zip
from read_parquet(:'ranges')
where zip > 0 and street in (
    select candidates.street
    from candidates join places using (place)
    where candidates.zip > 0 and places.zip > 0 and candidates.zip <> places.zip
);

-- How a lot agrees with city and postal code. Another code than the typed one is borne only where nothing speaks against
-- it: the city names the borough, the code is of it, and the street has no such code; never in Queens, where one name
-- stands for two streets.
create or replace table weighed as
select
    candidates.q, candidates.line, candidates.boro, candidates.street, candidates.turn, candidates.piece, candidates.bbl,
    candidates.bin, candidates.zip,
    case
        when places.is_contradictory then 0
        when candidates.zip > 0 and candidates.zip = places.zip then 3
        when places.needs_zip then 0
        when candidates.zip = 0 and candidates.boro in (places.zip_borough, places.city_borough) then 2
        when places.zip = 0 and candidates.zip = 0 then 2
        when places.zip = 0 and (places.zone = '' or candidates.zip // 100 = try_cast(places.zone as integer)) then 2
        when places.zip > 0 and candidates.boro <> 4 and candidates.boro = places.zip_borough
            and (candidates.boro = places.city_borough or places.is_wide and candidates.boro = 1)
            and street_zips.zip is null
            then 1
        else 0
    end as weight
from candidates
join places using (place)
left join street_zips on street_zips.street = candidates.street and street_zips.zip = places.zip;

-- Of a line all typed numbers must be found; a number as typed goes before one that is split.
create or replace table found_lines as
with needed as (
    select q, line, boro, turn, count(*) as pieces from line_ends group by q, line, boro, turn
),
had as (
    select q, line, boro, turn, count(distinct piece) as pieces from weighed group by q, line, boro, turn
),
whole as (
    select had.q, had.line, had.boro, min(had.turn) as turn
    from had join needed using (q, line, boro, turn)
    where had.pieces = needed.pieces
    group by had.q, had.line, had.boro
),
kept as (
    select weighed.*
    from weighed semi join whole using (q, line, boro, turn)
),
best as (
    select q, line, max(weight) as weight from kept group by q, line
)
select kept.q, kept.line, kept.boro, kept.street, kept.turn, kept.bbl, kept.bin, kept.zip, kept.weight
from kept join best using (q, line)
-- A range without a code stays beside one with the right code: nothing decides between them.
where kept.weight = best.weight or kept.weight = 2 and best.weight = 3;

drop table weighed;

create or replace table found as
select
    q,
    count(distinct bbl) filter (where weight > 0) as lots,
    min(bbl) filter (where weight > 0) as bbl,
    count(distinct bin) filter (where weight > 0 and bin > 0) as bins,
    min(bin) filter (where weight > 0 and bin > 0) as bin,
    min(weight) filter (where weight > 0) as weight,
    min(nullif(zip, 0)) filter (where weight > 0) as zip,
    min(line) filter (where weight > 0) as line,
    arg_min(boro, line) filter (where weight > 0) as boro,
    arg_min(street, line) filter (where weight > 0) as street,
    arg_min(turn, line) filter (where weight > 0) as turn,
    count(distinct bbl) as all_lots
from found_lines
group by q;

-- What follows a comma may name another city than the city does.
create or replace table beyond_boroughs as
with texts as (
    select distinct beyond, trim(regexp_replace(part, '( NEW YORK| NY| N Y)?( [0-9]{5})?[ 0-9-]*$', '')) as part
    from (select beyond, unnest(string_split(beyond, ',')) as part from lines where beyond <> '')
)
select texts.beyond, min(known.borough) as low, max(known.borough) as high
from texts
join known_cities as known on known.city = trim(texts.part)
where known.city not in ('NEW YORK', 'NEW YORK CITY', 'NYC', 'NY')
group by texts.beyond;

create or replace table first_lines as
with first as (
    select q, min(line) as line, max(beyond) as beyond, count(*) as lines from lines group by q
)
select
    lines.q,
    lines.line,
    lines.has_number,
    lines.rest,
    case when not lines.has_number then null else
        lines.typed1 || lines.s1[1:case when contains(lines.s1, '/') then 0 else 9 end]
        || case when contains(lines.s1, '/') then ' ' || lines.s1 else '' end
        || case when lines.n2 <> '' then '-' || lines.n2 || lines.s2 else '' end
        || case when lines.n3 <> '' then '-' || lines.n3 || case when lines.m3 <> '' then '-' || lines.m3 else '' end
            || lines.s3 else '' end
    end as house_number,
    beyond.low as beyond_low,
    beyond.high as beyond_high
from first
join lines on lines.line = first.line
left join beyond_boroughs as beyond on beyond.beyond = first.beyond;

-- Lines of which some borough in question knows the street.
create or replace table known_streets as
select distinct lines.q
from lines
join place_boroughs as boroughs using (place)
join line_streets as found on found.rest = lines.rest and found.boro = boroughs.boro
where not lines.has_number or found.numbered is not null;

create or replace table decided as
select
    questioned.q,
    questioned.key,
    case
        when first_lines.q is null then 'no_line'
        when places.verdict <> 'inside' then 'outside'
        when first_lines.beyond_low = 0 then 'outside'
        when places.is_contradictory and found.all_lots > 0 then 'tie'
        when found.lots > 1 then 'tie'
        when found.lots = 1 and (
            first_lines.beyond_low <> first_lines.beyond_high or first_lines.beyond_low <> found.boro) then 'tie'
        when found.lots = 1 then 'match'
        when known_streets.q is not null then 'no_number'
        else 'no_street'
    end as status,
    case
        when first_lines.q is null then null
        when places.verdict = 'unplaced' then 'neither city nor postal code is one of New York City'
        when places.verdict <> 'inside' or first_lines.beyond_low = 0 then 'not in New York City'
        when places.is_contradictory and found.all_lots > 0 then 'city and postal code are of two boroughs'
        when found.lots > 1 then 'several lots have this address'
        when found.lots = 1 and (
            first_lines.beyond_low <> first_lines.beyond_high or first_lines.beyond_low <> found.boro)
            then 'the line names another borough'
        when found.lots = 1 and found.bins > 1 then 'several buildings of the lot have this address'
        when found.lots = 1 and coalesce(found.bins, 0) = 0 then 'the building has no number of its own'
        when found.lots = 1 then null
        when found.all_lots > 0 then 'the directory has it under another postal code alone'
        when known_streets.q is null then 'no such street or place'
        when not first_lines.has_number then 'no house number'
        else 'no such house number'
    end as msg,
    first_lines.has_number,
    first_lines.house_number,
    first_lines.rest,
    first_lines.line = found.line as is_first,
    found.bbl, found.bins, found.bin, found.weight, found.zip, found.boro, found.street, found.turn,
    -- Without a line the postal code alone says the borough.
    coalesce(
        found.boro,
        case when places.verdict = 'inside' or first_lines.q is null and places.zip_borough > 0 then
            case
                when places.is_contradictory then null
                when places.city_borough > 0 and first_lines.q is not null then places.city_borough
                when places.zip_borough > 0 then places.zip_borough
                when places.is_wide and first_lines.q is not null then 1
            end
        end) as borough
from questioned
join places using (place)
left join first_lines using (q)
left join found using (q)
left join known_streets using (q);

create or replace table answers_pad as
select
    decided.key,
    decided.status,
    case when decided.status not in ('no_line', 'outside') then decided.house_number end as house_number,
    case when decided.status not in ('no_line', 'outside') and decided.has_number then decided.rest end as street_name,
    case when decided.status <> 'outside' then decided.borough::varchar end as borough_code,
    case when decided.status = 'match' and not decided.has_number then streets.shown end as place_name,
    case when decided.status = 'match' and decided.has_number then streets.shown end as sname,
    case when decided.status = 'match' then case
        -- A number that was split shows as it is there.
        when decided.turn = 2 and decided.is_first
            then regexp_replace(decided.house_number, '^([0-9]+)([0-9]{2})', '\1-\2')
        when decided.is_first then decided.house_number
    end end as hnum,
    case when decided.status <> 'outside'
        then ['MANHATTAN', 'BRONX', 'BROOKLYN', 'QUEENS', 'STATEN ISLAND'][decided.borough] end as boro,
    case when decided.status = 'match' then lots.lat end as lat,
    case when decided.status = 'match' then lots.lon end as lon,
    case when decided.status = 'match' and decided.bins = 1 then decided.bin::varchar end as bin,
    case when decided.status = 'match' then decided.bbl::varchar end as bbl,
    case when decided.status = 'match' then lots.cd end as cd,
    case when decided.status = 'match' then lots.ct2010 end as ct,
    case when decided.status = 'match' then lots.council end as council,
    null::varchar as grc,
    null::varchar as grc2,
    decided.msg,
    case
        when decided.status <> 'match' then null
        when lots.bbl is null then 'PLUTO has no such lot'
        when decided.weight = 1 then 'the directory has it under another postal code'
    end as msg2,
    case when decided.status = 'match' then lpad(decided.zip::varchar, 5, '0') end as zip_code
from decided
left join streets on streets.street = decided.street
left join read_parquet(:'lots') as lots on lots.bbl = decided.bbl;
