-- Purpose: does datapoint_places say what the newest file says?
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, last: only if something stands on it that is
--          not ours
-- Inputs:  :"schema".datapoint_places, :"staging".datapoint_places.
-- Outputs: one row a table with a difference: table_name; missing and unexpected, numbers of places.
with missing as (
    select postcode, lat, lon, zone from :"staging".datapoint_places
    except
    select postcode, lat, lon, zone from :"schema".datapoint_places
)
select 'datapoint_places' as table_name, count(*) as missing, 0::bigint as unexpected
from missing
having count(*) > 0;
