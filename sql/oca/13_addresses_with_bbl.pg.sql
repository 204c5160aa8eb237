-- Purpose: addresses with their districts, and with their lot where more than ten families live on it.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".oca_addresses and oca_lots; :"into", the schema of the view.
-- Outputs: the view oca_addresses_with_bbl, with the columns that the older job gave it, in their order.

-- Columns finer than a postal code or a tract (lot, census block, place, the geocoder's words, number of dwellings)
-- would reveal who lives in a small building: they are NULL unless PLUTO says that there are more than ten dwellings.
create or replace view :"into".oca_addresses_with_bbl as
select
    address.indexnumberid,
    address.city,
    address.state,
    address.postalcode,
    address.borough_code,
    case when lot.unitsres > 10 then address.place_name end as place_name,
    address.boro,
    address.cd,
    -- Always the tract of 2010, which existing users of this column expect.
    lot.ct2010 as ct,
    lot.bct2020,
    case when lot.unitsres > 10 then lot.bctcb2020 end as bctcb2020,
    lot.ct2010,
    case when lot.unitsres > 10 then lot.cb2010 end as cb2010,
    address.council,
    address.grc,
    address.grc2,
    case when lot.unitsres > 10 then address.msg end as msg,
    case when lot.unitsres > 10 then address.msg2 end as msg2,
    case when lot.unitsres > 10 then lot.unitsres end as unitsres,
    case when lot.unitsres > 10 then address.bbl end as bbl
from :"schema".oca_addresses as address left join :"schema".oca_lots as lot on lot.bbl = address.bbl;
