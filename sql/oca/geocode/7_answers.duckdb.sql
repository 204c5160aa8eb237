-- Purpose: one answer for each question; only one building lot is a match.
-- Engine:  DuckDB
-- Inputs:  known_cities and streets of 2_reference; places and place_boroughs of 3_places; lines, other_lines and
--          line_more of 4_lines; line_streets and found of 6_match.
-- Outputs: answers_pad, a view for one look: key, status (match, tie, no_number, no_street, outside, no_line) and what is known
--          of the address.

-- What follows a comma may name another city than the city does.
create or replace table beyond_boroughs as
with texts as (
    select
        q,
        trim(regexp_replace(trim(unnest(string_split(beyond, ','))), '( NEW YORK| NY| N Y)?( [0-9]{5})?[ 0-9-]*$', '')) as part
    from (select q, beyond from lines union all select q, beyond from other_lines)
    where beyond <> ''
)
select texts.q, min(known.borough) as low, max(known.borough) as high
from texts
join known_cities as known on known.city = city_name(texts.part)
where not is_wide_city(known.city)
group by texts.q;

-- Of lines without a lot: is the text a street, or a place?
create or replace table known_texts as
select lines.q, bool_or(streets.numbered is not null) as is_street
from lines
anti join found on found.q = lines.q and found.bbl is not null
join place_boroughs as boroughs on boroughs.place = lines.place
join line_streets as streets on streets.rest = lines.rest and streets.boro = boroughs.boro
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

create or replace view answers_pad as
with decided as (
    select
        lines.q, lines.key, lines.rest, lines.n1, lines.has_number, more.* exclude (q, part),
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
        found.bbl, found.has_bins, found.bin, found.rank, found.zip, found.street, found.turn, found.is_first,
        case when lines.has_line then coalesce(found.boro, place_answers.borough) else place_answers.zip_borough end
            as borough,
        found.has_lot, found.lat, found.lon, found.cd, found.ct2010, found.council
    from lines
    left join place_answers using (place)
    left join found on found.q = lines.q
    left join beyond_boroughs as beyond on beyond.q = lines.q
    left join known_texts on known_texts.q = lines.q
    left join line_more as more on more.q = lines.q and more.part = 1
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
            when 'unplaced' then 'neither city nor postal code is one of New York City'
            when 'foreign' then 'the city is not in New York City, but the postal code is'
            else 'not in New York City' end
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
        when shown.rank = 1 then 'the directory has it under another postal code'
    end as msg2,
    case when shown.status = 'match' then lpad(shown.zip::varchar, 5, '0') end as zip_code
from shown
left join streets on streets.street = shown.street;

