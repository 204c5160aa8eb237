-- Purpose: create the tables for data points and places in the local staging store of one run.
-- Engine:  DuckDB
-- Inputs:  none; the parser appends to datapoints and datapoint_places, the columns in this order.
-- Outputs: datapoints, whose record numbers are those of the lines; datapoint_places; known_datapoint_places, which the engine
--          fills from production; datapoint_places_now, the places that apply to this batch; datapoint_days,
--          datapoint_place_days and datapoint_zone_days, which stay empty, because the export computes them from the points.
create table datapoint_days (
    record_no bigint not null,
    date date,
    points bigint,
    hits bigint,
    delta bigint
);

create table datapoints (
    record_no bigint not null,
    date date,
    hour integer,
    id_activity bigint,
    postcode varchar,
    hits integer,
    delta integer,
    sbi varchar
);

create table datapoint_place_days (
    record_no bigint not null,
    date date,
    zone varchar,
    postcode varchar,
    sbi varchar,
    hits bigint,
    delta bigint
);

create table datapoint_zone_days (
    record_no bigint not null,
    date date,
    zone varchar,
    sbi varchar,
    hits bigint,
    delta bigint
);

create table datapoint_places (
    record_no bigint not null,
    postcode varchar,
    lat varchar,
    lon varchar,
    zone varchar
);

create table known_datapoint_places (
    postcode varchar,
    lat varchar,
    lon varchar,
    zone varchar
);

-- The places of places.csv replace all places that production knows.
create view datapoint_places_now as
select postcode, lat, lon, zone from datapoint_places
union all
select postcode, lat, lon, zone
from known_datapoint_places
where not exists (select 1 from datapoint_places);
