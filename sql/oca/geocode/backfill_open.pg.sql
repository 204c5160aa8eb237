-- Purpose: the addresses of production that a backfill has to do with.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" of production, :"ledger", :'dataset' and :'enrichment', their names in the ledger; :'ways', a JSON array of
--          {"way", "version"} in the order of asking, :'since', a date as text or nothing: cases filed from then on.
-- Outputs: the temporary tables open_rows (record_id, key and the fields of a question) and answers, which takes those of
--          a batch; the temporary function address_key, which makes the key as questions.duckdb.sql does.
-- A way that comes later is asked where no earlier one has settled the address.
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
-- What is remembered of these ways in these editions: the best of each address.
remembered as (
    select distinct on (answers.key) answers.key, answers.answer
    from :"ledger".answers join ways on ways.way = answers.way and ways.version = answers.version
    where answers.dataset = :'dataset' and answers.enrichment = :'enrichment'
    order by
        answers.key,
        case answers.answer ->> 'status' when 'match' then 1 when 'tie' then 2 else 3 end,
        ways.number
)
select record_id, addresses.key, street1, street2, city, state, postalcode
from addresses left join remembered on remembered.key = addresses.key
where status is null
    or status = 'failed'
    -- It is remembered, and does not stand there: a run that asked it for another case, a backfill that was killed.
    or (
        remembered.answer is not null
        and (status, bbl, bin, lat, lon) is distinct from (
            answer ->> 'status', answer ->> 'bbl', answer ->> 'bin', (answer ->> 'lat')::real,
            (answer ->> 'lon')::real
        )
        -- A place that is known is kept where no better one is (backfill_take.pg.sql).
        and (answer ->> 'status' = 'match' or lat is null)
    )
    or exists (
        select
        from ways
        where (number = 1 or addresses.status not in ('match', 'tie', 'no_line'))
            and not exists (
                select
                from :"ledger".answers
                where answers.dataset = :'dataset'
                    and answers.enrichment = :'enrichment'
                    and answers.key = addresses.key
                    and answers.way = ways.way
                    and answers.version = ways.version
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
