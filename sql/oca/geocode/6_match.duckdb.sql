-- Purpose: find the ranges in which the typed numbers lie, by joins on street and bucket alone.
-- Engine:  DuckDB
-- Inputs:  places and place_boroughs of 3_places; lines, other_lines, line_more and street_texts of 4_lines; street_keys of
--          5_keys; streets and street_zips of 2_reference; :'ranges' and :'lots', Parquet files of the reference.
-- Outputs: line_streets: for each typed street and borough the street that it is; found, one a question that has a lot: q, rank
--          (how it agrees with the postal code), bbl, is_tied, bin, has_bins (several), zip, is_first (by its first address), boro,
--          street, turn, and what PLUTO has of the lot.

-- A number behind its rank: the least one is that of the best rank.
create or replace macro ranked(rank, number) as rank * 10000000000 + number;

create or replace macro rank_of(ranked) as ranked // 10000000000;

create or replace macro number_of(ranked) as ranked % 10000000000;

-- Of what a text may mean, the likeliest that is a street of the borough.
insert into line_streets
select
    texts.rest,
    streets.boro,
    arg_min(streets.street, texts.turn) filter (where streets.has_numbers) as numbered,
    arg_min(texts.suffix, texts.turn) filter (where streets.has_numbers) as suffix,
    arg_min(streets.street, texts.turn) filter (where streets.has_places and texts.turn <= 3) as named
from street_texts as texts
join street_keys as keys on keys.name = texts.name
join streets on streets.key = keys.key
group by texts.rest, streets.boro;

-- One statement, because a table costs more to write than what these steps hand on costs to make.
create or replace table found as
with met_lines as materialized (
    with met as (
        select
            lines.q,
            lines.part,
            lines.place,
            boroughs.boro,
            lines.has_number,
            case when lines.has_number then meant.numbered else meant.named end as street,
            lines.n1,
            case when lines.has_number then nullif(meant.suffix, '') end as suffix,
            lines.has_more
        from (
            select q, 1 as part, place, has_number, n1, rest, has_more from lines
            union all
            select q, part, place, has_number, n1, rest, has_more from other_lines
        ) as lines
        join place_boroughs as boroughs using (place)
        join line_streets as meant on meant.rest = lines.rest and meant.boro = boroughs.boro
    )
    select *, has_more or suffix is not null as is_hard
    from met
    where street is not null
),
-- A hyphen is part of the number in Queens and a range elsewhere; 388-90 is 388-390. A word of the street that belongs to
-- the number belongs to its last piece. Numbers are tried as typed (turn 1); 3512 in Queens is 35-12 then (turn 2).
hard as materialized (
    select
        met.q, met.part, met.place, met.boro, met.street, met.has_number, met.n1, coalesce(met.suffix, '') as suffix,
        coalesce(more.typed1, met.n1::varchar) as typed1, coalesce(more.n2, '') as n2, coalesce(more.n3, '') as n3,
        coalesce(more.m3, '') as m3, coalesce(more.s1, '') as s1, coalesce(more.s2, '') as s2, coalesce(more.s3, '') as s3
    from met_lines as met left join line_more as more using (q, part)
    where met.is_hard
),
pieces as (
    select
        q, part, place, boro, street, 1 as turn, 1 as piece, 1 as pieces,
        0 as hyphen, case when has_number then n1 else -1 end as before, 0 as behind,
        case when has_number then s1 || suffix else '' end as suffix
    from hard
    where not has_number or n2 = '' and n3 = ''
    union all
    select
        q, part, place, boro, street, 2 as turn, 1 as piece, 1 as pieces,
        1 as hyphen, n1 // 100 as before, n1 % 100 as behind, s1 || suffix as suffix
    from hard
    where has_number and boro = 4 and n2 = '' and n3 = '' and n1 between 100 and 99999
    union all
    select
        q, part, place, boro, street, 1 as turn, 1 as piece, case when n3 = '' then 1 else 2 end as pieces,
        1 as hyphen, n1 as before, try_cast(n2 as integer) as behind,
        case when s1 <> '' then '?' when n3 = '' then s2 || suffix else s2 end as suffix
    from hard
    where has_number and boro = 4 and n2 <> '' and length(n2) <= 3
    union all
    -- 35-12 - 35-16, or 35-12/16.
    select
        q, part, place, boro, street, 1 as turn, 2 as piece, 2 as pieces,
        1 as hyphen,
        case when m3 <> '' then try_cast(n3 as integer) else n1 end as before,
        case when m3 <> '' then try_cast(m3 as integer) else try_cast(n3 as integer) end as behind,
        s3 || suffix as suffix
    from hard
    where has_number and boro = 4 and n2 <> '' and length(n2) <= 3 and n3 <> ''
    union all
    select
        q, part, place, boro, street, 1 as turn, 1 as piece,
        1 + (n2 <> '')::integer + (n3 <> '')::integer as pieces, 0 as hyphen, n1 as before, 0 as behind, s1 as suffix
    from hard
    where has_number and (n2 <> '' or n3 <> '') and not (boro = 4 and n2 <> '' and length(n2) <= 3)
    union all
    select
        q, part, place, boro, street, 1 as turn, 2 as piece,
        1 + (n2 <> '')::integer + (n3 <> '')::integer as pieces, 0 as hyphen, range_end(typed1, n2) as before, 0 as behind,
        case when n3 = '' then s2 || suffix else s2 end as suffix
    from hard
    where has_number and n2 <> '' and not (boro = 4 and length(n2) <= 3)
    union all
    select
        q, part, place, boro, street, 1 as turn, 3 as piece,
        1 + (n2 <> '')::integer + (n3 <> '')::integer as pieces, 0 as hyphen,
        case when m3 = '' then range_end(typed1, n3) else -1 end as before, 0 as behind, s3 || suffix as suffix
    from hard
    where has_number and n3 <> '' and not (boro = 4 and n2 <> '' and length(n2) <= 3)
),
ranked as (
    select
        pieces.q, pieces.part, pieces.place, pieces.boro, pieces.street, pieces.turn, pieces.piece, pieces.pieces,
        pieces.hyphen, pieces.before, pieces.behind, suffixes.rank
    from pieces
    join house_suffixes as suffixes using (suffix)
    union all
    select
        q, part, place, boro, street, 2 as turn, 1 as piece, 1 as pieces,
        1 as hyphen, n1 // 100 as before, n1 % 100 as behind, suffix_rank('AA') as rank
    from met_lines
    where not is_hard and has_number and boro = 4 and n1 between 100 and 99999
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
),
plain_ends as (
    -- Most lines are one number and nothing beside it.
    select
        q, part, place, boro, street, 1::tinyint as turn, 1::tinyint as piece, 1::tinyint as pieces,
        (n1 % 2)::tinyint as odd,
        case when has_number then house_key(0, n1, 0, suffix_rank('AA')) else -1 end as number
    from met_lines
    where not is_hard and (not has_number or n1 between 1 and 99999)
),
ends as (
    select q, part, place, boro, street, turn, piece, pieces, odd, number, house_bucket(number) as bucket from plain_ends
    union all
    select
        q, part, place, boro, street, turn::tinyint as turn, piece::tinyint as piece, pieces::tinyint as pieces, odd, number,
        house_bucket(number) as bucket
    from keyed
    where number is not null
),
candidates as not materialized (
    select
        ends.q, ends.part, ends.place, ends.boro, ends.street, ends.turn, ends.piece, ends.pieces, ranges.bbl, ranges.bin,
        ranges.zip
    from ends
    join read_parquet(:'ranges') as ranges
        on ranges.street = ends.street and ranges.bucket = ends.bucket
        and ends.number between ranges.low and ranges.high
        and (ends.number < 0 or ranges.parity = 0 or ranges.parity % 2 = ends.odd)
),
-- How a lot agrees with city and postal code. Another code than the typed one (weight 1) is borne only where nothing
-- speaks against it: the city names the borough, the code is of it, and the street has no such code; never in Queens, where
-- one name stands for two streets.
weighed as materialized (
    select
        candidates.q, candidates.part, candidates.boro, candidates.street, candidates.turn, candidates.piece, candidates.pieces,
        candidates.bbl, candidates.bin, candidates.zip,
        (case
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
        end)::tinyint as weight
    from candidates
    join places using (place)
    left join street_zips on street_zips.street = candidates.street and street_zips.zip = places.zip
),
-- Of a line all typed numbers must be found, and a number as typed goes before one that is split: which of them are to be
-- left out.
unfinished as (
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
    where tried.turn is distinct from first_whole.turn
),
-- Another name of the building that is known under another postal code alone is not outvoted by the first.
heard as (
    with best as (
        select q, part, max(weight) as weight
        from weighed
        where q in (select q from weighed where part > 1)
        group by q, part
    )
    select q, part from best where weight = 1
),
-- The postal code decides: what has another one (rank 1) counts only where nothing has the right one or none (rank 0); rank 2
-- does not count.
counted as (
    select
        weighed.q, weighed.part, weighed.boro, weighed.street, weighed.turn, weighed.bbl, weighed.bin, weighed.zip,
        case when heard.q is not null or weighed.weight >= 2 then 0 when weighed.weight = 1 then 1 else 2 end::bigint as rank
    from weighed
    anti join unfinished using (q, part, boro, turn)
    left join heard using (q, part)
),
summed as (
    select
        q,
        min(ranked(rank, bbl)) as low,
        max(ranked(2 - rank, bbl)) as high,
        min(case when bin > 0 then ranked(rank, bin) end) as low_bin,
        max(case when bin > 0 then ranked(2 - rank, bin) end) as high_bin,
        min(case when zip > 0 then ranked(rank, zip) end) as zip,
        -- Of several names the one that comes first is shown.
        min(case when rank < 2 then ranked(part::bigint * 8 + boro, street) end) as first,
        min(case when rank < 2 then turn end) as turn
    from counted
    group by q
),
chosen as (
    select
        q,
        rank_of(low) as rank,
        case when rank_of(low) < 2 then number_of(low) end as bbl,
        case when rank_of(low) < 2 then number_of(low) <> number_of(high) end as is_tied,
        case when rank_of(low) < 2 and rank_of(low_bin) = rank_of(low) then number_of(low_bin) end as bin,
        case when rank_of(low) < 2 and rank_of(low_bin) = rank_of(low) then number_of(low_bin) <> number_of(high_bin) end
            as has_bins,
        case when rank_of(low) < 2 and rank_of(zip) = rank_of(low) then number_of(zip) end as zip,
        rank_of(first) // 8 as part,
        rank_of(first) % 8 as boro,
        number_of(first)::integer as street,
        turn
    from summed
)
select
    chosen.q,
    chosen.rank::tinyint as rank,
    chosen.bbl,
    chosen.is_tied,
    chosen.bin::integer as bin,
    chosen.has_bins,
    chosen.zip::integer as zip,
    chosen.part = 1 as is_first,
    chosen.boro::tinyint as boro,
    chosen.street,
    chosen.turn,
    lots.bbl is not null as has_lot,
    lots.lat,
    lots.lon,
    lots.cd,
    lots.ct2010,
    lots.council
from chosen left join read_parquet(:'lots') as lots on lots.bbl = chosen.bbl;
