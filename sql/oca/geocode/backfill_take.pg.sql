-- Purpose: put the answers of a backfill's batch to the addresses of production, and to no other column.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" of production; pg_temp.open_rows and pg_temp.answer_rank of backfill_open.pg.sql; pg_temp.address_key;
--          pg_temp.answers, one a key, all as text.
-- Outputs: rows of oca_addresses that say something else now; the last statement counts them.
update :"schema".oca_addresses as address
set
    status = answer.status,
    house_number = answer.house_number,
    street_name = answer.street_name,
    borough_code = answer.borough_code,
    place_name = answer.place_name,
    sname = answer.sname,
    hnum = answer.hnum,
    boro = answer.boro,
    lat = answer.lat::real,
    bin = answer.bin,
    bbl = answer.bbl,
    cd = answer.cd,
    ct = answer.ct,
    council = answer.council,
    grc = answer.grc,
    grc2 = answer.grc2,
    msg = answer.msg,
    msg2 = answer.msg2,
    lon = answer.lon::real,
    zip_code = answer.zip_code
from pg_temp.open_rows, pg_temp.answers as answer
where open_rows.key = answer.key
    and address.indexnumberid = open_rows.record_id
    and pg_temp.address_key(
        address.street1, address.street2, address.city, address.state, address.postalcode
    ) = answer.key
    -- A service that does not answer, or knows nothing better, removes no known place, and a point replaces no lot; but the way that
    -- gave a place may take it back.
    and (
        open_rows.is_outdated
        or (address.bbl is null and address.lat is null)
        or pg_temp.answer_rank(answer.status, answer.bbl, answer.lat::real)
        <= pg_temp.answer_rank(address.status, address.bbl, address.lat)
    )
    and (answer.status <> 'failed' or coalesce(address.status, 'failed') = 'failed')
    and (
        address.status, address.house_number, address.street_name, address.borough_code, address.place_name,
        address.sname, address.hnum, address.boro, address.lat, address.bin, address.bbl, address.cd, address.ct,
        address.council, address.grc, address.grc2, address.msg, address.msg2, address.lon, address.zip_code
    ) is distinct from (
        answer.status, answer.house_number, answer.street_name, answer.borough_code, answer.place_name,
        answer.sname, answer.hnum, answer.boro, answer.lat::real, answer.bin, answer.bbl, answer.cd, answer.ct,
        answer.council, answer.grc, answer.grc2, answer.msg, answer.msg2, answer.lon::real, answer.zip_code
    );
