-- Purpose: the addresses of production that a backfill has to do with.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" of production, :"ledger", :'dataset' and :'enrichment', their names in the ledger; :'ways', a JSON array of
--          {"way", "version"} in the order of asking, :'since', a date as text or nothing: cases filed from then on.
-- Outputs: the temporary tables open_rows (record_id, key, the fields of a question, and is_outdated: its place is from
--          an older edition of a named way, which may no longer give it) and answers, which takes those of a batch; the
--          temporary function answer_rank, which ranks answers as questions.duckdb.sql does.
-- A way is asked where open.duckdb.sql would ask it. A lot from another program, for which no answer is remembered, is no worse.
create or replace function pg_temp.answer_rank(status text, bbl text, lat real) returns integer
language sql immutable parallel safe
as $$
    select case
        when bbl is not null then 1
        when lat is not null then 2
        when status = 'tie' then 3
        when status is null or status = 'failed' then 5
        else 4
    end
$$;

create temporary table open_rows on commit preserve rows as
with ways as (
    select number, way ->> 'way' as way, way ->> 'version' as version
    from jsonb_array_elements(:'ways'::jsonb) with ordinality as listed (way, number)
),
addresses as (
    select
        address.indexnumberid as record_id,
        pg_temp.address_key(
            address.street1, address.street2, address.city, address.state, address.postalcode
        ) as key,
        address.street1,
        address.street2,
        address.city,
        address.state,
        address.postalcode,
        address.status,
        address.bbl,
        address.bin,
        address.lat,
        address.lon
    from :"schema".oca_addresses as address
    where (
            nullif(:'since', '') is null
            or address.indexnumberid in (
                select indexnumberid from :"schema".oca_index where fileddate >= nullif(:'since', '')::date
            )
        )
        -- What is left of a sealed case is for purge, and nobody is told of it.
        and not exists (
            select
            from :"schema".oca_metadata as metadata
            where metadata.indexnumberid = address.indexnumberid and metadata.deletedate is not null
        )
),
remembered as (
    select
        answers.key,
        answers.way,
        ways.number,
        answers.version is not distinct from ways.version as is_current,
        answers.answered_at,
        answers.answer ->> 'status' as status,
        answers.answer ->> 'bbl' as bbl,
        answers.answer ->> 'bin' as bin,
        (answers.answer ->> 'lat')::real as lat,
        (answers.answer ->> 'lon')::real as lon
    from :"ledger".answers left join ways on ways.way = answers.way
    where answers.dataset = :'dataset' and answers.enrichment = :'enrichment' and answers.answer <> '{}'
),
best as (
    select distinct on (key) key, status, bbl, bin, lat, lon
    from remembered
    order by key, pg_temp.answer_rank(status, bbl, lat), number, answered_at desc, way
),
settled as (
    select given.key, array_agg(distinct asked.way) as ways
    from remembered as given cross join ways as asked
    where (given.way = asked.way and given.is_current)
        or (given.is_current and given.number < asked.number and given.status in ('match', 'tie', 'no_line'))
        or (
            asked.way <> 'pad'
            and given.way <> asked.way
            and (
                given.bbl is not null
                or given.status in ('tie', 'no_line')
                or (
                    asked.way = 'geosearch' and given.way = 'pad' and given.status = 'outside'
                    -- An answer by older rules is withdrawn by GeoSearch itself, and no request is sent for that.
                    and not exists (
                        select
                        from remembered as own
                        where own.key = given.key and own.way = asked.way and not own.is_current
                    )
                )
                or (given.lat is not null and asked.way = 'census')
            )
        )
    group by given.key
),
known as (
    select key, array_agg(way) as ways from remembered group by key
),
-- The places that named ways gave in older editions, whether or not they have been asked again since.
older as (
    select key, bbl, lat, lon
    from remembered
    where number is not null and not is_current and status = 'match'
    union all
    select answers.key, one.answer ->> 'bbl', (one.answer ->> 'lat')::real, (one.answer ->> 'lon')::real
    from :"ledger".answers join ways using (way) cross join jsonb_array_elements(answers.earlier) as one (answer)
    where answers.dataset = :'dataset'
        and answers.enrichment = :'enrichment'
        and one.answer ->> 'status' = 'match'
),
outdated as (
    select key, array_agg(concat_ws('|', bbl, lat, lon)) as places from older group by key
)
select
    record_id,
    addresses.key,
    street1,
    street2,
    city,
    state,
    postalcode,
    place.is_outdated
from addresses
left join best on best.key = addresses.key
left join settled on settled.key = addresses.key
left join known on known.key = addresses.key
left join outdated on outdated.key = addresses.key
cross join lateral (
    select
        coalesce(
            concat_ws('|', addresses.bbl, addresses.lat, addresses.lon) = any (outdated.places), false
        ) as is_outdated
) as place
where addresses.status is null
    or addresses.status = 'failed'
    -- It is remembered, and does not stand there: a run that asked it for another case, a backfill that was killed.
    or (
        best.key is not null
        and (addresses.status, addresses.bbl, addresses.bin, addresses.lat, addresses.lon) is distinct from (
            best.status, best.bbl, best.bin, best.lat, best.lon
        )
        -- A place that is known is kept where no better one is (backfill_take.pg.sql).
        and (
            (addresses.bbl is null and addresses.lat is null)
            or (place.is_outdated and best.status <> 'failed')
            or pg_temp.answer_rank(best.status, best.bbl, best.lat)
            <= pg_temp.answer_rank(addresses.status, addresses.bbl, addresses.lat)
        )
    )
    or exists (
        select
        from ways as asked
        where asked.way <> all (coalesce(settled.ways, '{}'))
            and (
                asked.way = 'pad'
                or addresses.bbl is null
                or asked.way = any (coalesce(known.ways, '{}'))
            )
    );

create index on open_rows (key);

analyze open_rows;

create temporary table answers (
    key text primary key,
    status text,
    house_number text,
    street_name text,
    borough_code text,
    place_name text,
    sname text,
    hnum text,
    boro text,
    lat text,
    lon text,
    bin text,
    bbl text,
    cd text,
    ct text,
    council text,
    grc text,
    grc2 text,
    msg text,
    msg2 text,
    zip_code text
);
