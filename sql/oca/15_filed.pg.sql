-- Purpose: where and when cases were filed.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of a promotion, an undo or a purge
-- Inputs:  pg_temp.summed, the cases that are counted; :"schema".oca_index and oca_addresses.
-- Outputs: pg_temp.candidates: record_id, date, sbi, the kind of case, and postcode, a row for each postal code of the case.
create or replace temp view candidates as
select
    filed.indexnumberid as record_id,
    filed.fileddate as date,
    -- No longer than a request may name it, because it is part of keys.
    coalesce(nullif(btrim(left(btrim(filed.classification), 40)), ''), 'unknown') as sbi,
    substring(btrim(address.postalcode) from '^[0-9]{5}') as postcode
from pg_temp.summed
    join :"schema".oca_index as filed on filed.indexnumberid = summed.record_id
    join :"schema".oca_addresses as address on address.indexnumberid = summed.record_id;
