-- Purpose: where an address says that it is: the boroughs in which it may be, or none.
-- Engine:  DuckDB
-- Inputs:  the table questions, of which the rows :from to :to are the portion; the tables of 2_reference.
-- Outputs: the view questioned: the questions of the portion by number, q, with the number of their place, for one look; the
--          table places, one a city, state and postal code: zip (0: none that can be read), verdict (inside, outside,
--          foreign: its city is not in New York City, or unplaced), city_borough and zip_borough (0: not said), is_wide and
--          needs_zip; the table place_boroughs, where to look.

-- Nine digits say no more than the first five.
create or replace macro zip_code(text) as case
    when regexp_full_match(text, '[0-9]{5}(-[0-9]{4})?') then text[1:5]::integer
    else coalesce(
        try_cast(nullif(regexp_extract(text, '^\s*([0-9]{5})(?:[- ]?[0-9]{4})?\s*$', 1), '') as integer), 0)
end;

create or replace table place_texts as
select row_number() over ()::integer as place, city, state, zip
from (
    select distinct coalesce(city, '') as city, coalesce(state, '') as state, zip_code(postalcode) as zip
    from questions
    where rowid between :from and :to
);

create or replace view questioned as
select questions.rowid::integer as q, place_texts.place, questions.key, questions.street1, questions.street2
from questions
join place_texts
    on place_texts.city = coalesce(questions.city, '')
    and place_texts.state = coalesce(questions.state, '')
    and place_texts.zip = zip_code(questions.postalcode)
where questions.rowid between :from and :to;

create or replace table places as
with typed as (
    select
        place,
        trim(regexp_replace(replace(replace(upper(city), '''', ''), '’', ''), '[^A-Z,/]+', ' ', 'g')) as city,
        trim(regexp_replace(upper(state), '[^A-Z]+', ' ', 'g')) as state,
        zip
    from place_texts
),
-- `Jamaica, Queens` says two things, which may not contradict each other.
parts as (
    select distinct place, part
    from (
        select
            place,
            case when part = 'EAST NEW YORK' then part
                else city_name(regexp_replace(part, '( NEW YORK| NY| N Y| NYC| USA| U S A| US)+$', ''))
            end as part
        from (
            select
                place,
                trim(unnest(regexp_split_to_array(
                    regexp_replace(
                        regexp_replace(city, '^(THE|CITY OF|BOROUGH OF) ', ''),
                        '([A-Z]{3}) (QUEENS|BROOKLYN|BRONX|MANHATTAN|STATEN ISLAND)$', '\1,\2'),
                    '[,/]'))) as part
            from typed
        )
    )
    where length(part) > 1 and part not in ('NY', 'N Y', 'USA', 'U S A', 'UNKNOWN', 'NA', 'N A', 'NONE')
),
unknown_parts as (
    select distinct part from parts where part not in (select city from known_cities)
),
-- Mistyped names: one letter is wrong in a name of at least five, or two in a long one or in a borough's. If two boroughs are
-- equally near, it is neither.
near_parts as (
    select part, min(city) as city
    from (
        select unknown_parts.part, known.city, known.borough
        from unknown_parts
        join known_cities as known
            on known.borough > 0
            and abs(length(known.city) - length(unknown_parts.part)) <= 2
            and damerau_levenshtein(known.city, unknown_parts.part) <= case
                when length(known.city) >= 10 or known.city in ('BROOKLYN', 'MANHATTAN', 'NEW YORK') then 2
                when length(known.city) >= 5 then 1
                else 0
            end
        qualify rank() over (
            partition by unknown_parts.part order by damerau_levenshtein(known.city, unknown_parts.part)
        ) = 1
    )
    group by part
    having count(distinct borough) = 1
),
named as (
    select parts.place, coalesce(near_parts.city, parts.part) as name, near_parts.city is not null as is_near
    from parts left join near_parts using (part)
),
cities as (
    select
        named.place,
        bool_or(known.borough = 0) as is_elsewhere,
        -- No name of the city is among them, and one is unknown.
        bool_or(known.city is null) and not bool_or(known.city is not null and not is_wide) as is_foreign,
        bool_or(known.borough is null or is_near) as is_unsure,
        -- New York is a borough when nothing else is said.
        count(distinct known.borough) filter (where known.borough > 0 and not is_wide) as boroughs,
        max(known.borough) filter (where known.borough > 0 and not is_wide) as narrow,
        max(known.borough) filter (where known.borough > 0 and not is_near) as borough,
        bool_and(is_wide) as is_wide,
        max(known.zone) as zone
    from (
        select *, is_wide_city(name) as is_wide from named
    ) as named
    left join known_cities as known on known.city = named.name
    group by named.place
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
    coalesce(cities.is_unsure, true) or zipped.zip > 0 and zipped.zip_borough = 0 as needs_zip,
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
        -- A postal code is mistyped as easily as a city, so alone it decides nothing.
        when cities.is_foreign and zipped.zip_borough > 0 then 'foreign'
        when cities.is_foreign then 'unplaced'
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
