-- Purpose: add keys and indexes to data points, places and rollups.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".datapoint_days, datapoints, datapoint_place_days, datapoint_zone_days, datapoint_places, datapoint_atoms
-- Outputs: the keys; for points and the rollup of places a small index of the days by their order on disk (BRIN), and for points
--          one from which the places of a day are read without the table. Partitions that are created later get them
--          automatically.
alter table :"schema".datapoint_days add primary key (date);
alter table :"schema".datapoint_places add primary key (postcode);
create index datapoints_date_idx on :"schema".datapoints using brin (date) with (pages_per_range = 32);
create index datapoints_place_idx on :"schema".datapoints (date, postcode) include (sbi, hits, delta);
create index datapoint_place_days_date_idx on :"schema".datapoint_place_days using brin (date) with (pages_per_range = 32);
create index datapoint_zone_days_zone_idx on :"schema".datapoint_zone_days (date, zone) include (sbi, hits, delta);
create index datapoint_atoms_zone_idx on :"schema".datapoint_atoms (zone, first);
