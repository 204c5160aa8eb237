-- Purpose: where census tracts wait for 9_tracts_take.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction (psql -1)
-- Inputs:  none.
-- Outputs: the temporary tables filling (geoid, countyfp, geom as text) and faults (subject, reason, hint), both empty.
create temporary table filling (
    geoid text,
    countyfp text,
    geom text
) on commit drop;

create temporary table faults (
    subject text,
    reason text,
    hint text
) on commit drop;
