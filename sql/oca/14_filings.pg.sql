-- Purpose: where cases are filed: places, and sums by day, place or zone, and kind of case, which the server reads.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the five tables with their keys, without rows; existing ones are left as they are.
create table if not exists :"schema".oca_filing_places (
    postcode text primary key,
    lat numeric,
    lon numeric,
    zone text
);

create table if not exists :"schema".oca_filing_days (
    date date primary key,
    hits bigint,
    delta bigint
);

-- The index answers queries for the places of a day without reading the table.
create table if not exists :"schema".oca_filing_place_days (
    date date,
    zone text,
    postcode text,
    sbi text,
    hits bigint,
    delta bigint,
    primary key (date, zone, postcode, sbi) include (hits, delta)
);

create table if not exists :"schema".oca_filing_zone_days (
    date date,
    zone text,
    sbi text,
    hits bigint,
    delta bigint,
    primary key (date, zone, sbi) include (hits, delta)
);

create table if not exists :"schema".oca_filing_atoms (
    zone text,
    first date,
    last date,
    sbi text,
    hits bigint,
    primary key (zone, first, sbi)
);
