-- Purpose: tax lots of the city, from PLUTO, with the columns that the view oca_addresses_with_bbl needs.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: oca_lots, without rows; an existing one is left as it is. What fills it, anew and in one
--          transaction: COPY oca_lots (bbl, unitsres, cd, council, bct2020, bctcb2020, ct2010, cb2010) FROM STDIN (FORMAT csv).
create table if not exists :"schema".oca_lots (
    bbl text,
    unitsres int,
    cd text,
    council text,
    bct2020 text,
    bctcb2020 text,
    ct2010 text,
    cb2010 text
);
