-- Purpose: write points, days, rollups and places as CSV for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  datapoints, datapoint_places, datapoint_places_now, records, failed, losers; :'dir', the folder for the files.
-- Outputs: datapoint_days.csv, datapoints.csv, datapoint_place_days.csv, datapoint_zone_days.csv and datapoint_places.csv, each
--          with a header row; the view kept_points and the table place_sums, of which they are made. Points are ordered by date
--          and place, so that a day is stored together on disk. If one of several deltas is unknown, so is their sum.
create or replace view kept_points as
select points.*
from datapoints as points
    join records
        on records.record_no >> 32 = points.record_no >> 32 and cast(records.record_id as date) = points.date
where records.record_no not in (select record_no from losers)
    and points.record_no not in (select record_no from failed);

-- Summed into a table, because DuckDB frees none of a sum's memory for the sort after it, and fails if both do not fit.
create or replace table place_sums as
select
    date,
    postcode,
    sbi,
    cast(sum(hits) as bigint) as hits,
    case when count(*) = count(delta) then cast(sum(delta) as bigint) end as delta
from kept_points
group by date, postcode, sbi;

copy (
    select
        date,
        count(*) as points,
        sum(hits) as hits,
        case when count(*) = count(delta) then sum(delta) end as delta
    from kept_points
    group by date
    order by date
) to (:'dir' || '/datapoint_days.csv') (format csv, header, nullstr '');

copy (
    select date, hour, id_activity, postcode, hits, delta, sbi
    from kept_points
    order by date, postcode, sbi, hour, id_activity, record_no
) to (:'dir' || '/datapoints.csv') (format csv, header, nullstr '');

copy (
    select sums.date, places.zone, sums.postcode, sums.sbi, sums.hits, sums.delta
    from place_sums as sums join datapoint_places_now as places on places.postcode = sums.postcode
    order by sums.date, places.zone, sums.postcode, sums.sbi
) to (:'dir' || '/datapoint_place_days.csv') (format csv, header, nullstr '');

copy (
    select
        sums.date,
        places.zone,
        sums.sbi,
        cast(sum(sums.hits) as bigint) as hits,
        case when count(*) = count(sums.delta) then cast(sum(sums.delta) as bigint) end as delta
    from place_sums as sums join datapoint_places_now as places on places.postcode = sums.postcode
    group by sums.date, places.zone, sums.sbi
    order by sums.date, places.zone, sums.sbi
) to (:'dir' || '/datapoint_zone_days.csv') (format csv, header, nullstr '');

copy (
    select postcode, lat, lon, zone
    from datapoint_places
    order by postcode
) to (:'dir' || '/datapoint_places.csv') (format csv, header, nullstr '');
