-- Purpose: create the packed tables, of days by zone and of whole months by place and by zone: reading ten thousand places row
--          by row, or adding up a year of them day by day, would take too long while somebody waits.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the three tables with their keys, without rows; existing ones are left as they are. The index of the places holds
--          their totals, so that these are read without the table.
create table if not exists :"schema".datapoint_zone_points (
    date date,
    zone text,
    cells text,
    primary key (date, zone)
);

create table if not exists :"schema".datapoint_place_months (
    month date,
    zone text,
    postcode text,
    hits bigint,
    delta bigint,
    cells text,
    primary key (month, zone, postcode) include (hits, delta)
);

create table if not exists :"schema".datapoint_zone_months (
    month date,
    zone text,
    cells text,
    primary key (month, zone)
);
