-- Purpose: create the same tables in staging, without partitions, because the rows of a batch are read once.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the tables; existing ones are left as they are.
create table if not exists :"schema".datapoint_days (
    date date,
    points bigint,
    hits bigint,
    delta bigint
);

create table if not exists :"schema".datapoints (
    date date,
    hour int,
    id_activity bigint,
    postcode text,
    hits int,
    delta int,
    sbi text
);

create table if not exists :"schema".datapoint_place_days (
    date date,
    zone text,
    postcode text,
    sbi text,
    hits bigint,
    delta bigint
);

create table if not exists :"schema".datapoint_zone_days (
    date date,
    zone text,
    sbi text,
    hits bigint,
    delta bigint
);

create table if not exists :"schema".datapoint_places (
    postcode text,
    lat numeric,
    lon numeric,
    zone text
);

create table if not exists :"schema".datapoint_atoms (
    zone text,
    first date,
    last date,
    sbi text,
    hits bigint
);
