-- Purpose: find the ranges in which the typed numbers lie, by joins on street and bucket alone.
-- Engine:  DuckDB
-- Inputs:  places, place_boroughs and streets of 2_places; lines and street_texts of 3_lines; street_keys of 4_keys;
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

create or replace table line_ends as
with met as (
    select
        lines.q,
        lines.line,
        lines.has_number,
        found.boro,
        case when lines.has_number then found.numbered else found.named end as street,
        lines.n1, lines.n2, lines.n3, lines.m3, lines.typed1,
        lines.s1, lines.s2, lines.s3
    from lines
    join place_boroughs as boroughs using (place)
    join line_streets as found on found.rest = lines.rest and found.boro = boroughs.boro
),
-- A hyphen is part of the number in Queens and a range elsewhere; 388-90 is 388-390. A word of the street that belongs to
-- the number belongs to its last piece.
ended as (
    select
        q,
        line,
        boro,
        street.street as street,
        case
            when not has_number then [{ 'turn': 1, 'piece': 1, 'hyphen': 0, 'before': -1, 'behind': 0, 'suffix': '' }]
            when boro = 4 and n2 <> '' and length(n2) <= 3 then list_filter([
                { 'turn': 1, 'piece': 1, 'hyphen': 1, 'before': n1, 'behind': try_cast(n2 as integer),
                  'suffix': case when s1 <> '' then '?' else s2 || case when n3 = '' then street.suffix else '' end end },
                case
                    when m3 <> '' and length(m3) <= 3
                        then { 'turn': 1, 'piece': 2, 'hyphen': 1, 'before': try_cast(n3 as integer), 'behind': try_cast(m3 as integer),
                               'suffix': s3 || street.suffix }
                    when n3 <> '' then { 'turn': 1, 'piece': 2, 'hyphen': 1, 'before': n1,
                        'behind': case when m3 = '' and length(n3) <= 3 then try_cast(n3 as integer) else -1 end,
                        'suffix': s3 || street.suffix }
                end
            ], lambda piece: piece is not null)
            else list_filter([
                { 'turn': 1, 'piece': 1, 'hyphen': 0, 'before': n1, 'behind': 0,
                  'suffix': s1 || case when n2 = '' and n3 = '' then street.suffix else '' end },
                case when n2 <> '' then { 'turn': 1, 'piece': 2, 'hyphen': 0, 'before': range_end(typed1, n2), 'behind': 0,
                    'suffix': s2 || case when n3 = '' then street.suffix else '' end } end,
                case when n3 <> '' then { 'turn': 1, 'piece': 3, 'hyphen': 0,
                    'before': case when m3 = '' then range_end(typed1, n3) else -1 end, 'behind': 0,
                    'suffix': s3 || street.suffix } end,
                -- 3512 in Queens, where there is no such number, is 35-12.
                case when boro = 4 and n2 = '' and n3 = '' and n1 between 100 and 99999
                    then { 'turn': 2, 'piece': 1, 'hyphen': 1, 'before': (n1 // 100)::integer, 'behind': (n1 % 100)::integer,
                           'suffix': s1 || street.suffix } end
            ], lambda piece: piece is not null)
        end as pieces,
        has_number
    from met
    where street is not null
),
spread as (
    select q, line, boro, street, has_number, unnest(pieces) as piece
    from ended
)
select
    spread.q,
    spread.line,
    spread.boro,
    spread.street,
    spread.piece.turn as turn,
    spread.piece.piece as piece,
    case when spread.has_number then
        (case when spread.piece.hyphen = 1 then spread.piece.behind else spread.piece.before end % 2)::tinyint end as odd,
    case
        when not spread.has_number then -1
        when spread.piece.before between 1 and 99999 and spread.piece.behind between 0 and 999
            then house_key(spread.piece.hyphen, spread.piece.before, spread.piece.behind, suffixes.rank)
    end as number
from spread
left join house_suffixes as suffixes on suffixes.suffix = spread.piece.suffix;

create or replace table candidates as
with hit as (
    select
        ends.q, ends.line, ends.boro, ends.street, ends.turn, ends.piece, ranges.bbl, ranges.bin, ranges.zip
    from (
        select *, house_bucket(number) as bucket from line_ends where number is not null
    ) as ends
    join read_parquet(:'ranges') as ranges
        on ranges.street = ends.street and ranges.bucket = ends.bucket
        and ends.number between ranges.low and ranges.high
        and (ends.number < 0 or ranges.parity = 0 or ranges.parity % 2 = ends.odd)
)
select hit.*, questioned.place
from hit join questioned using (q);
