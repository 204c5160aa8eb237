-- Purpose: prove that the addresses of a backfill's batch say what was answered.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema" of production; pg_temp.open_rows, pg_temp.address_key, pg_temp.answer_rank and pg_temp.answers.
-- Outputs: the number of rows of the batch, and how many of them say something else.
select
    count(*) as rows,
    count(*) filter (
        where (
            address.status, address.house_number, address.street_name, address.borough_code, address.place_name,
            address.sname, address.hnum, address.boro, address.lat, address.bin, address.bbl, address.cd, address.ct,
            address.council, address.grc, address.grc2, address.msg, address.msg2, address.lon, address.zip_code
        ) is distinct from (
            answer.status, answer.house_number, answer.street_name, answer.borough_code, answer.place_name,
            answer.sname, answer.hnum, answer.boro, answer.lat::real, answer.bin, answer.bbl, answer.cd, answer.ct,
            answer.council, answer.grc, answer.grc2, answer.msg, answer.msg2, answer.lon::real, answer.zip_code
        )
    ) as others
from :"schema".oca_addresses as address,
    pg_temp.answers as answer,
    (
        select record_id, key, bool_or(is_outdated) as is_outdated
        from pg_temp.open_rows
        group by record_id, key
    ) as open_rows
where open_rows.key = answer.key
    and address.indexnumberid = open_rows.record_id
    and pg_temp.address_key(
        address.street1, address.street2, address.city, address.state, address.postalcode
    ) = answer.key
    and (
        open_rows.is_outdated
        or (address.bbl is null and address.lat is null)
        or pg_temp.answer_rank(answer.status, answer.bbl, answer.lat::real)
        <= pg_temp.answer_rank(address.status, address.bbl, address.lat)
    )
    and (answer.status <> 'failed' or coalesce(address.status, 'failed') = 'failed');
