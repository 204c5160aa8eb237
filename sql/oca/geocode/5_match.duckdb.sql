-- Purpose: find the ranges in which the typed numbers lie, by joins on street and bucket alone.
-- Engine:  DuckDB
-- Inputs:  places, place_boroughs and streets of 2_places; lines, line_more and street_texts of 3_lines; street_keys of 4_keys;
--          :'ranges', a Parquet file of the reference.
-- Outputs: line_streets: for each typed street and borough the street that it is; candidates: the lots that a line may
--          mean, with how they agree with the postal code.

-- Of what a text may mean, the likeliest that is a street of the borough.
create or replace table line_streets as
with meant as (
    select
        texts.rest,
        streets.boro,
        arg_min({ 'street': streets.street, 'suffix': texts.suffix, 'name': texts.name }, texts.turn)
            filter (where streets.has_numbers) as numbered,
        arg_min({ 'street': streets.street, 'suffix': texts.suffix, 'name': texts.name }, texts.turn)
            filter (where streets.has_places and texts.turn <= 3) as named
    from street_texts as texts
    join street_keys as keys on keys.name = texts.name
    join streets on streets.key = keys.key
    group by texts.rest, streets.boro
)
select rest, boro, numbered, named from meant;

create or replace table met_lines as
select
    lines.q,
    lines.part,
    lines.place,
    found.boro,
    lines.has_number,
    case when lines.has_number then found.numbered.street else found.named.street end as street,
    lines.n1,
    case when lines.has_number then nullif(found.numbered.suffix, '') end as suffix,
    lines.more is not null as has_more
from lines
join place_boroughs as boroughs using (place)
join line_streets as found on found.rest = lines.rest and found.boro = boroughs.boro
where case when lines.has_number then found.numbered.street else found.named.street end is not null;

-- A hyphen is part of the number in Queens and a range elsewhere; 388-90 is 388-390. A word of the street that belongs to
-- the number belongs to its last piece. Numbers are tried as typed (turn 1); 3512 in Queens is 35-12 then (turn 2).
create or replace table line_ends as
with met as (
    select
        met.q, met.part, met.place, met.boro, met.street, met.has_number, met.n1, coalesce(met.suffix, '') as suffix,
        coalesce(more.typed1, met.n1::varchar) as typed1, coalesce(more.n2, '') as n2, coalesce(more.n3, '') as n3,
        coalesce(more.m3, '') as m3, coalesce(more.s1, '') as s1, coalesce(more.s2, '') as s2, coalesce(more.s3, '') as s3
    from met_lines as met left join line_more as more using (q, part)
    where met.has_more or met.suffix is not null
),
pieces as (
    select
        q, part, place, boro, street, 1 as turn, 1 as piece, 1 as pieces,
        0 as hyphen, case when has_number then n1 else -1 end as before, 0 as behind,
        case when has_number then s1 || suffix else '' end as suffix
    from met
    where not has_number or n2 = '' and n3 = ''
    union all
    select
        q, part, place, boro, street, 2 as turn, 1 as piece, 1 as pieces,
        1 as hyphen, n1 // 100 as before, n1 % 100 as behind, s1 || suffix as suffix
    from met
    where has_number and boro = 4 and n2 = '' and n3 = '' and n1 between 100 and 99999
    union all
    select
        q, part, place, boro, street, 1 as turn, 1 as piece, case when n3 = '' then 1 else 2 end as pieces,
        1 as hyphen, n1 as before, try_cast(n2 as integer) as behind,
        case when s1 <> '' then '?' when n3 = '' then s2 || suffix else s2 end as suffix
    from met
    where has_number and boro = 4 and n2 <> '' and length(n2) <= 3
    union all
    -- 35-12 - 35-16, or 35-12/16.
    select
        q, part, place, boro, street, 1 as turn, 2 as piece, 2 as pieces,
        1 as hyphen,
        case when m3 <> '' then try_cast(n3 as integer) else n1 end as before,
        case when m3 <> '' then try_cast(m3 as integer) else try_cast(n3 as integer) end as behind,
        s3 || suffix as suffix
    from met
    where has_number and boro = 4 and n2 <> '' and length(n2) <= 3 and n3 <> ''
    union all
    select
        q, part, place, boro, street, 1 as turn, 1 as piece,
        1 + (n2 <> '')::integer + (n3 <> '')::integer as pieces, 0 as hyphen, n1 as before, 0 as behind, s1 as suffix
    from met
    where has_number and (n2 <> '' or n3 <> '') and not (boro = 4 and n2 <> '' and length(n2) <= 3)
    union all
    select
        q, part, place, boro, street, 1 as turn, 2 as piece,
        1 + (n2 <> '')::integer + (n3 <> '')::integer as pieces, 0 as hyphen, range_end(typed1, n2) as before, 0 as behind,
        case when n3 = '' then s2 || suffix else s2 end as suffix
    from met
    where has_number and n2 <> '' and not (boro = 4 and length(n2) <= 3)
    union all
    select
        q, part, place, boro, street, 1 as turn, 3 as piece,
        1 + (n2 <> '')::integer + (n3 <> '')::integer as pieces, 0 as hyphen,
        case when m3 = '' then range_end(typed1, n3) else -1 end as before, 0 as behind, s3 || suffix as suffix
    from met
    where has_number and n3 <> '' and not (boro = 4 and n2 <> '' and length(n2) <= 3)
),
ranked as (
    select
        pieces.q, pieces.part, pieces.place, pieces.boro, pieces.street, pieces.turn, pieces.piece, pieces.pieces,
        pieces.hyphen, pieces.before, pieces.behind, suffixes.rank
    from pieces
    join house_suffixes as suffixes using (suffix)
    union all
    -- Most lines are one number and nothing beside it.
    select
        q, part, place, boro, street, 1 as turn, 1 as piece, 1 as pieces,
        0 as hyphen, case when has_number then n1 else -1 end as before, 0 as behind, suffix_rank('AA') as rank
    from met_lines
    where not has_more and suffix is null
    union all
    select
        q, part, place, boro, street, 2 as turn, 1 as piece, 1 as pieces,
        1 as hyphen, n1 // 100 as before, n1 % 100 as behind, suffix_rank('AA') as rank
    from met_lines
    where not has_more and suffix is null and has_number and boro = 4 and n1 between 100 and 99999
),
keyed as (
    select
        q, part, place, boro, street, turn, piece, pieces,
        (case when hyphen = 1 then behind else before end % 2)::tinyint as odd,
        case
            when before = -1 and hyphen = 0 and pieces = 1 then -1
            when before between 1 and 99999 and behind between 0 and 999
                then house_key(hyphen, before, behind, rank)
        end as number
    from ranked
)
select
    q, part, place, boro, street, turn::tinyint as turn, piece::tinyint as piece, pieces::tinyint as pieces, odd, number,
    house_bucket(number) as bucket
from keyed
where number is not null;

drop table met_lines;

create or replace table candidates as
select
    ends.q, ends.part, ends.place, ends.boro, ends.street, ends.turn, ends.piece, ends.pieces, ranges.bbl, ranges.bin, ranges.zip
from line_ends as ends
join read_parquet(:'ranges') as ranges
    on ranges.street = ends.street and ranges.bucket = ends.bucket
    and ends.number between ranges.low and ranges.high
    and (ends.number < 0 or ranges.parity = 0 or ranges.parity % 2 = ends.odd);

drop table line_ends;
