-- Purpose: one answer for each question; only one building lot is a match.
-- Engine:  DuckDB
-- Inputs:  places, place_boroughs, known_cities and streets of 2_places; lines and line_more of 3_lines; line_streets and
--          candidates of 5_match; :'ranges' and :'lots', Parquet files of the reference.
-- Outputs: answers_pad, a view for one look: key, status (match, tie, no_number, no_street, outside, no_line) and what is known of the address.

-- Streets that a postal code has; asked only where a number was found under another code.
create or replace table street_zips as
select distinct street, zip
from read_parquet(:'ranges')
where zip > 0 and street in (
    select candidates.street
    from candidates join places using (place)
    where candidates.zip > 0 and places.zip > 0 and candidates.zip <> places.zip
);

-- How a lot agrees with city and postal code. Another code than the typed one (weight 1) is borne only where nothing
-- speaks against it: the city names the borough, the code is of it, and the street has no such code; never in Queens, where
-- one name stands for two streets.
create or replace table weighed as
select
    candidates.q, candidates.part, candidates.boro, candidates.street, candidates.turn, candidates.piece, candidates.pieces,
    candidates.bbl, candidates.bin, candidates.zip,
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

-- Of a line all typed numbers must be found, and a number as typed goes before one that is split: which of them are to be
-- left out.
create or replace table unfinished as
with tried as (
    select q, part, boro, turn, pieces, count(distinct piece) as had
    from weighed
    where pieces > 1 or boro = 4
    group by q, part, boro, turn, pieces
),
-- A turn that is whole ends the search.
first_whole as (
    select q, part, boro, min(turn) as turn from tried where had = pieces group by q, part, boro
)
select tried.q, tried.part, tried.boro, tried.turn
from tried
left join first_whole using (q, part, boro)
where tried.turn is distinct from first_whole.turn;

-- Another name of the building that is known under another postal code alone is not outvoted by the first.
create or replace table heard as
with best as (
    select q, part, max(weight) as weight
    from weighed
    where q in (select q from weighed where part > 1)
    group by q, part
)
select q, part from best where weight = 1;

-- The postal code decides: what has another one counts only where nothing has the right one or none.
create or replace table found as
with counted as (
    select weighed.* replace (case when heard.q is not null then 2 else weighed.weight end as weight)
    from weighed
    anti join unfinished using (q, part, boro, turn)
    left join heard using (q, part)
),
summed as (
    select
        q,
        max(weight) as weight,
        min(bbl) as any_low,
        min(bbl) filter (where weight >= 2) as low, max(bbl) filter (where weight >= 2) as high,
        min(bbl) filter (where weight = 1) as other_low, max(bbl) filter (where weight = 1) as other_high,
        min(bin) filter (where weight >= 2 and bin > 0) as low_bin, max(bin) filter (where weight >= 2 and bin > 0) as high_bin,
        min(bin) filter (where weight = 1 and bin > 0) as other_low_bin,
        max(bin) filter (where weight = 1 and bin > 0) as other_high_bin,
        min(zip) filter (where weight >= 2 and zip > 0) as zip, min(zip) filter (where weight = 1) as other_zip,
        -- Of several names the one that comes first is shown.
        min(part * 8 + boro) filter (where weight > 0) as first,
        arg_min(street, part * 8 + boro) filter (where weight > 0) as street,
        min(turn) filter (where weight > 0) as turn
    from counted
    group by q
)
select
    q,
    weight,
    coalesce(low, other_low) as bbl,
    case when low is null then other_low <> other_high else low <> high end as is_tied,
    case when low is null then other_low_bin else low_bin end as bin,
    case when low is null then other_low_bin <> other_high_bin else low_bin <> high_bin end as has_bins,
    case when low is null then other_zip else zip end as zip,
    first // 8 as part,
    first % 8 as boro,
    street,
    turn
from summed;

drop table weighed;
drop table candidates;

-- What follows a comma may name another city than the city does.
create or replace table beyond_boroughs as
with texts as (
    select
        q,
        trim(regexp_replace(trim(unnest(string_split(beyond, ','))), '( NEW YORK| NY| N Y)?( [0-9]{5})?[ 0-9-]*$', '')) as part
    from lines
    where beyond <> ''
)
select texts.q, min(known.borough) as low, max(known.borough) as high
from texts
join known_cities as known on known.city = texts.part
where known.city not in ('NEW YORK', 'NEW YORK CITY', 'NYC')
group by texts.q;

-- Of lines without a lot: is the text a street, or a place?
create or replace table known_texts as
select lines.q, bool_or(streets.numbered is not null) as is_street
from lines
anti join found on found.q = lines.q and found.bbl is not null
join place_boroughs as boroughs on boroughs.place = lines.place
join line_streets as streets on streets.rest = lines.rest and streets.boro = boroughs.boro
where lines.part = 1
group by lines.q;

create or replace table place_answers as
select
    place,
    verdict,
    is_contradictory,
    case
        when verdict <> 'inside' or is_contradictory then null
        when city_borough > 0 then city_borough
        when zip_borough > 0 then zip_borough
        when is_wide then 1
    end as borough,
    nullif(zip_borough, 0) as zip_borough
from places;

-- A lot's districts as one number: few lots have districts of their own, and a join of few columns needs little memory.
create or replace table districts as
select row_number() over ()::integer as district, cd, ct2010, council
from (select distinct cd, ct2010, council from read_parquet(:'lots'));

create or replace table numbered_lots as
select lots.bbl, lots.lat, lots.lon, districts.district
from read_parquet(:'lots') as lots
join districts
    on districts.cd is not distinct from lots.cd
    and districts.ct2010 is not distinct from lots.ct2010
    and districts.council is not distinct from lots.council;

create or replace view answers_pad as
with decided as (
    select
        lines.q, lines.key, lines.rest, lines.n1, lines.has_number, more.*,
        place_answers.verdict,
        place_answers.is_contradictory,
        case
            when not lines.has_line then 'no_line'
            when place_answers.verdict <> 'inside' or beyond.low = 0 then 'outside'
            when place_answers.is_contradictory and found.q is not null then 'tie'
            when found.is_tied then 'tie'
            when found.bbl is not null and (beyond.low <> beyond.high or beyond.low <> found.boro) then 'tie'
            when found.bbl is not null then 'match'
            when known_texts.is_street or known_texts.q is not null and not lines.has_number then 'no_number'
            else 'no_street'
        end as status,
        found.q is not null as is_found,
        coalesce(found.is_tied, false) as is_tied,
        found.bbl, found.has_bins, found.bin, found.weight, found.zip, found.street, found.turn,
        found.part = 1 as is_first,
        case when lines.has_line then coalesce(found.boro, place_answers.borough) else place_answers.zip_borough end
            as borough,
        lots.bbl is not null as has_lot,
        lots.lat, lots.lon, districts.cd, districts.ct2010, districts.council
    from lines
    join place_answers using (place)
    left join found on found.q = lines.q
    left join numbered_lots as lots on lots.bbl = found.bbl
    left join districts on districts.district = lots.district
    left join beyond_boroughs as beyond on beyond.q = lines.q
    left join known_texts on known_texts.q = lines.q
    left join line_more as more on more.q = lines.q and more.part = lines.part
    where lines.part = 1
),
shown as (
    select
        decided.* exclude (q, n1, has_number, typed1, n2, n3, m3, s1, s2, s3),
        has_number,
        case
            when not has_number then null
            when typed1 is null then n1::varchar
            when s1 = '' and n2 = '' and n3 = '' then typed1
            else typed1
                || case when contains(s1, '/') then ' ' || s1 else s1 end
                || case when n2 <> '' then '-' || n2 || s2 else '' end
                || case when n3 <> '' then '-' || n3 || s3 else '' end
                || case when m3 <> '' then '-' || m3 else '' end
        end as house_number
    from decided
)
select
    shown.key,
    shown.status,
    case when shown.status not in ('no_line', 'outside') then shown.house_number end as house_number,
    case when shown.status not in ('no_line', 'outside') and shown.has_number then shown.rest end as street_name,
    case when shown.status <> 'outside' then shown.borough::varchar end as borough_code,
    case when shown.status = 'match' and not shown.has_number then streets.shown end as place_name,
    case when shown.status = 'match' and shown.has_number then streets.shown end as sname,
    case
        when shown.status <> 'match' or not shown.is_first then null
        -- A number that was split shows as it is there.
        when shown.turn = 2 then regexp_replace(shown.house_number, '^([0-9]+)([0-9]{2})', '\1-\2')
        else shown.house_number
    end as hnum,
    case when shown.status <> 'outside'
        then ['MANHATTAN', 'BRONX', 'BROOKLYN', 'QUEENS', 'STATEN ISLAND'][shown.borough] end as boro,
    case when shown.status = 'match' then shown.lat end as lat,
    case when shown.status = 'match' then shown.lon end as lon,
    case when shown.status = 'match' and not shown.has_bins then shown.bin::varchar end as bin,
    case when shown.status = 'match' then shown.bbl::varchar end as bbl,
    case when shown.status = 'match' then shown.cd end as cd,
    case when shown.status = 'match' then shown.ct2010 end as ct,
    case when shown.status = 'match' then shown.council end as council,
    null::varchar as grc,
    null::varchar as grc2,
    case shown.status
        when 'no_line' then null
        when 'outside' then case shown.verdict
            when 'unplaced' then 'neither city nor postal code is one of New York City' else 'not in New York City' end
        when 'tie' then case
            when shown.is_contradictory then 'city and postal code are of two boroughs'
            when shown.is_tied then 'several lots have this address'
            else 'the line names another borough' end
        when 'match' then case
            when shown.has_bins then 'several buildings of the lot have this address'
            when shown.bin is null then 'the building has no number of its own' end
        when 'no_street' then 'no such street or place'
        else case
            when shown.is_found then 'the directory has it under another postal code'
            when not shown.has_number then 'no house number'
            else 'no such house number' end
    end as msg,
    case
        when shown.status <> 'match' then null
        when not shown.has_lot then 'PLUTO has no such lot'
        when shown.weight = 1 then 'the directory has it under another postal code'
    end as msg2,
    case when shown.status = 'match' then lpad(shown.zip::varchar, 5, '0') end as zip_code
from shown
left join streets on streets.street = shown.street;

