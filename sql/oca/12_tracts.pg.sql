-- Purpose: census tracts, for the view oca_addresses_with_ct.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: oca_tracts, without rows; an existing one is left as it is. Its geometry: 12_tracts_keys.pg.sql.
create table if not exists :"schema".oca_tracts (
    geoid text,
    countyfp text
);
