-- Purpose: write points, days, rollups and places as CSV for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  datapoints, datapoint_places, datapoint_places_now, records, failed, losers; :'dir', the folder for the files.
-- Outputs: datapoint_days.csv, datapoints.csv, datapoint_place_days.csv, datapoint_zone_days.csv and datapoint_places.csv, each
--          with a header row. Points are ordered by date and place, so that a day is stored together on disk. If one of several
--          deltas is unknown, so is their sum.
copy (
    with kept as (
        select points.*
        from datapoints as points
            join records
                on records.record_no >> 32 = points.record_no >> 32 and cast(records.record_id as date) = points.date
        where records.record_no not in (select record_no from losers)
            and points.record_no not in (select record_no from failed)
    )
    select
        date,
        count(*) as points,
        sum(kept.hits) as hits,
        case when count(*) = count(kept.delta) then sum(kept.delta) end as delta
    from kept
    group by date
    order by date
) to (:'dir' || '/datapoint_days.csv') (format csv, header, nullstr '');

copy (
    with kept as (
        select points.*
        from datapoints as points
            join records
                on records.record_no >> 32 = points.record_no >> 32 and cast(records.record_id as date) = points.date
        where records.record_no not in (select record_no from losers)
            and points.record_no not in (select record_no from failed)
    )
    select date, hour, id_activity, postcode, hits, delta, sbi
    from kept
    order by date, postcode, sbi, hour, id_activity, record_no
) to (:'dir' || '/datapoints.csv') (format csv, header, nullstr '');

-- The sums are made before the join with the zones, which takes less memory.
copy (
    select sums.date, places.zone, sums.postcode, sums.sbi, sums.hits, sums.delta
    from (
        with kept as (
            select points.*
            from datapoints as points
                join records
                    on records.record_no >> 32 = points.record_no >> 32
                    and cast(records.record_id as date) = points.date
            where records.record_no not in (select record_no from losers)
                and points.record_no not in (select record_no from failed)
        )
        select
            date,
            postcode,
            sbi,
            cast(sum(hits) as bigint) as hits,
            case when count(*) = count(delta) then cast(sum(delta) as bigint) end as delta
        from kept
        group by date, postcode, sbi
    ) as sums
        join datapoint_places_now as places on places.postcode = sums.postcode
    order by sums.date, places.zone, sums.postcode, sums.sbi
) to (:'dir' || '/datapoint_place_days.csv') (format csv, header, nullstr '');

copy (
    with kept as (
        select points.*
        from datapoints as points
            join records
                on records.record_no >> 32 = points.record_no >> 32 and cast(records.record_id as date) = points.date
        where records.record_no not in (select record_no from losers)
            and points.record_no not in (select record_no from failed)
    )
    select
        kept.date,
        places.zone,
        kept.sbi,
        cast(sum(kept.hits) as bigint) as hits,
        case when count(*) = count(kept.delta) then cast(sum(kept.delta) as bigint) end as delta
    from kept join datapoint_places_now as places on places.postcode = kept.postcode
    group by kept.date, places.zone, kept.sbi
    order by kept.date, places.zone, kept.sbi
) to (:'dir' || '/datapoint_zone_days.csv') (format csv, header, nullstr '');

copy (
    select postcode, lat, lon, zone
    from datapoint_places
    order by postcode
) to (:'dir' || '/datapoint_places.csv') (format csv, header, nullstr '');
