-- Purpose: check that datapoint_places holds what the newest file says.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, at its end; only if the table
--          has a trigger or a rule that is not ours
-- Inputs:  :"schema".datapoint_places, :"staging".datapoint_places.
-- Outputs: one row for each table that differs: table_name; missing and unexpected, numbers of places.
with missing as (
    select postcode, lat, lon, zone from :"staging".datapoint_places
    except
    select postcode, lat, lon, zone from :"schema".datapoint_places
)
select 'datapoint_places' as table_name, count(*) as missing, 0::bigint as unexpected
from missing
having count(*) > 0;
