-- Purpose: put the answers to the staged addresses.
-- Engine:  DuckDB
-- Inputs:  oca_addresses, best_answers, the macro address_key.
-- Outputs: oca_addresses_geocoded, in the order of the document, in the place of the view of that name.
drop view oca_addresses_geocoded;

create table oca_addresses_geocoded as
with addressed as (
    select
        rowid as row_no,
        address_key(street1, street2, city, state, postalcode) as key,
        oca_addresses.*
    from oca_addresses
)
select
    addressed.record_no,
    addressed.indexnumberid,
    addressed.street1,
    addressed.street2,
    addressed.city,
    addressed.state,
    addressed.postalcode,
    best.status,
    best.house_number,
    best.street_name,
    best.borough_code,
    best.place_name,
    best.sname,
    best.hnum,
    best.boro,
    best.lat,
    best.bin,
    best.bbl,
    best.cd,
    best.ct,
    best.council,
    best.grc,
    best.grc2,
    best.msg,
    best.msg2,
    best.lon,
    best.zip_code
from addressed left join best_answers as best using (key)
order by addressed.row_no;
