-- Purpose: addresses that were located before their table had a geometry.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside a transaction
-- Inputs:  :"schema".oca_addresses.
-- Outputs: pg_temp.unfinished: record_id, one row an address with lat and lon and without geom; empty where the table has no such
--          column. 9_geometry.pg.sql completes them.
-- "geom" means the column of "absent" only if the table has no column of this name.
create temporary table unfinished on commit drop as
select located.record_id
from (select true as geom) as absent
    cross join lateral (
        select indexnumberid as record_id
        from :"schema".oca_addresses
        where lat is not null and lon is not null and geom is null
    ) as located;
