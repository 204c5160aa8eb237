-- Purpose: the addresses of production that a backfill has to do with.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" of production, :"ledger", :'dataset' and :'enrichment', their names in the ledger; :'ways', a JSON array of
--          {"way", "version"} in the order of asking, :'since', a date as text or nothing: cases filed from then on.
-- Outputs: the temporary tables open_rows (record_id, key and the fields of a question) and answers, which takes those of
--          a batch; the temporary function address_key, which makes the key as questions.duckdb.sql does.
create or replace function pg_temp.key_text(line text) returns text
language sql immutable parallel safe
as $$
    select translate(
        trim(both ' ' from regexp_replace(coalesce(line, ''), '[\x01-\x20]+', ' ', 'g')),
        'abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
    )
$$;

create or replace function pg_temp.address_key(
    street1 text, street2 text, city text, state text, postalcode text
) returns text
language sql immutable parallel safe
as $$
    select md5(
        concat_ws(
            chr(31),
            pg_temp.key_text(street1),
            pg_temp.key_text(street2),
            pg_temp.key_text(city),
            pg_temp.key_text(state),
            pg_temp.key_text(postalcode)
        )
    )
$$;

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
        address.status
    from :"schema".oca_addresses as address
    where nullif(:'since', '') is null
        or address.indexnumberid in (
            select indexnumberid from :"schema".oca_index where fileddate >= nullif(:'since', '')::date
        )
)
select record_id, key, street1, street2, city, state, postalcode
from addresses
where status is null
    or status = 'failed'
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
