-- Purpose: update the rollups of places that have moved to other zones, and list the months that have changed.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  :"schema".datapoint_days, datapoint_place_days and datapoint_zone_days; pg_temp.moved (6_promote.pg.sql);
--          pg_temp.completed.
-- Outputs: the zones of datapoint_place_days, null for postcodes without a place; datapoint_zone_days, computed anew if any
--          zone has changed; a warning if places are gone; pg_temp.rezoned, the number of changed rows; pg_temp.atom_months, the months whose pieces must be
--          chosen anew (sums/sums.pg.sql).
create temp table rezoned (rows bigint) on commit drop;

-- The rows of this batch have their zones already, so nothing is read if there are no others.
with updated as (
    update :"schema".datapoint_place_days as rollup
    set zone = moved.zone
    from pg_temp.moved
    where moved.postcode = rollup.postcode
        and rollup.zone is distinct from moved.zone
        and exists (
            select from :"schema".datapoint_days as day
            where not exists (select from pg_temp.completed where completed.record_id::date = day.date)
        )
    returning 1
)
insert into pg_temp.rezoned (rows)
select count(*) from updated having count(*) > 0;

-- A "do" block cannot read psql variables, so it reads the setting of 6_promote.pg.sql.
do $$
declare
    places bigint;
    hits bigint;
    days bigint;
begin
    select count(*) into places from pg_temp.moved where zone is null;
    if places = 0 then
        return;
    end if;
    execute format(
        'select coalesce(sum(hits), 0), count(distinct date) from %I.datapoint_place_days
        where postcode in (select postcode from pg_temp.moved where zone is null)',
        current_setting('merganser.schema')
    ) into hits, days;
    raise warning using errcode = 'MG001', message = format(
        'places.csv no longer names %s: the hits there (%s, on %s) stay in the tables and are not served. '
        'Next: if that is a mistake, put the lines back and run again',
        case places when 1 then '1 known place' else places || ' known places' end,
        hits,
        case days when 1 then '1 day' else days || ' days' end
    );
end
$$;

delete from :"schema".datapoint_zone_days where exists (select from pg_temp.rezoned);

insert into :"schema".datapoint_zone_days (date, zone, sbi, hits, delta)
select date, zone, sbi, sum(hits), case when count(*) = count(delta) then sum(delta) end
from :"schema".datapoint_place_days
where zone is not null and exists (select from pg_temp.rezoned)
group by date, zone, sbi
order by date, zone, sbi;

create temp table atom_months on commit drop as
select distinct date_trunc('month', record_id)::date as month from pg_temp.completed
union
select distinct date_trunc('month', date)::date
from :"schema".datapoint_days
where exists (select from pg_temp.rezoned);
