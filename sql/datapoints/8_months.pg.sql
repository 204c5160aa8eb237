-- Purpose: pack the months that have changed anew: for each place or zone, a line for each day and branch; and their days: for
--          each zone, a line for each place and branch.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after 7_zones.pg.sql
-- Inputs:  :"schema".datapoint_days, datapoint_place_days and datapoint_zone_days; pg_temp.atom_months.
-- Outputs: :"schema".datapoint_zone_points, datapoint_place_months and datapoint_zone_months for these months, or for all if a
--          table was empty. A line has the postcode or the day of the month, hits, delta (nothing if unknown) and branch,
--          separated by commas.
create temp table packed_months on commit drop as
select month from pg_temp.atom_months
union
select distinct date_trunc('month', date)::date
from :"schema".datapoint_days
where not exists (select from :"schema".datapoint_zone_points)
    or not exists (select from :"schema".datapoint_place_months)
    or not exists (select from :"schema".datapoint_zone_months);

analyze pg_temp.packed_months;

delete from :"schema".datapoint_zone_points as packed
using pg_temp.packed_months
where packed.date >= packed_months.month and packed.date < (packed_months.month + interval '1 month')::date;

delete from :"schema".datapoint_place_months where month in (select month from pg_temp.packed_months);

delete from :"schema".datapoint_zone_months where month in (select month from pg_temp.packed_months);

insert into :"schema".datapoint_zone_points (date, zone, cells)
select
    rollup.date,
    rollup.zone,
    string_agg(
        rollup.postcode || ',' || rollup.hits || ',' || coalesce(rollup.delta::text, '') || ',' || rollup.sbi, chr(10)
    )
from pg_temp.packed_months as packed
    join :"schema".datapoint_place_days as rollup
        on rollup.date >= packed.month and rollup.date < (packed.month + interval '1 month')::date
where rollup.zone is not null
group by rollup.date, rollup.zone
order by rollup.date, rollup.zone;

insert into :"schema".datapoint_place_months (month, zone, postcode, hits, delta, cells)
select
    packed.month,
    rollup.zone,
    rollup.postcode,
    sum(rollup.hits),
    case when count(*) = count(rollup.delta) then sum(rollup.delta) end,
    string_agg(
        (rollup.date - packed.month + 1) || ',' || rollup.hits || ',' || coalesce(rollup.delta::text, '') || ','
            || rollup.sbi,
        chr(10)
    )
from pg_temp.packed_months as packed
    join :"schema".datapoint_place_days as rollup
        on rollup.date >= packed.month and rollup.date < (packed.month + interval '1 month')::date
where rollup.zone is not null
group by packed.month, rollup.zone, rollup.postcode
order by packed.month, rollup.zone, rollup.postcode;

insert into :"schema".datapoint_zone_months (month, zone, cells)
select
    packed.month,
    rollup.zone,
    string_agg(
        (rollup.date - packed.month + 1) || ',' || rollup.hits || ',' || coalesce(rollup.delta::text, '') || ','
            || rollup.sbi,
        chr(10)
    )
from pg_temp.packed_months as packed
    join :"schema".datapoint_zone_days as rollup
        on rollup.date >= packed.month and rollup.date < (packed.month + interval '1 month')::date
group by packed.month, rollup.zone
order by packed.month, rollup.zone;
