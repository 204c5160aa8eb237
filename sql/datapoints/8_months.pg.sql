-- Purpose: pack the months that have changed again: for each place or zone, a line for each day and branch; and their days: for
--          each zone, a line for each place and branch.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after 7_zones.pg.sql
-- Inputs:  :"schema".datapoint_days, datapoint_place_days and datapoint_zone_days; :'schema', the same as a text;
--          pg_temp.atom_months.
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

-- A "do" block cannot read psql variables, so it reads a setting.
select set_config('merganser.schema', :'schema', true);

-- One month at a time fits into the memory of a hash aggregate, which takes a third less time than a sorted one; the planner
-- expects far more groups than there are.
select set_config('work_mem', '256MB', true), set_config('enable_sort', 'off', true);

-- Packs the long lines several times as fast, where the server can.
select set_config('default_toast_compression', 'lz4', true)
from pg_settings
where name = 'default_toast_compression' and 'lz4' = any(enumvals);

do $$
declare
    schema text := current_setting('merganser.schema');
    month date;
begin
    for month in select packed.month from pg_temp.packed_months as packed order by packed.month
    loop
        execute format(
            $insert$
            insert into %1$I.datapoint_zone_points (date, zone, cells)
            select date, zone, cells
            from (
                select
                    date,
                    zone,
                    string_agg(concat_ws(',', postcode, hits, coalesce(delta::text, ''), sbi), chr(10)) as cells
                from %1$I.datapoint_place_days
                where date >= %2$L and date < %3$L and zone is not null
                group by date, zone
            ) as packed
            order by date, zone collate "C"
            $insert$,
            schema, month, (month + interval '1 month')::date
        );
        execute format(
            $insert$
            insert into %1$I.datapoint_place_months (month, zone, postcode, hits, delta, cells)
            select %2$L::date, zone, postcode, hits, delta, cells
            from (
                select
                    zone,
                    postcode,
                    sum(hits) as hits,
                    case when count(*) = count(delta) then sum(delta) end as delta,
                    string_agg(concat_ws(',', date - %2$L + 1, hits, coalesce(delta::text, ''), sbi), chr(10)) as cells
                from %1$I.datapoint_place_days
                where date >= %2$L and date < %3$L and zone is not null
                group by zone, postcode
            ) as packed
            order by zone collate "C", postcode collate "C"
            $insert$,
            schema, month, (month + interval '1 month')::date
        );
        execute format(
            $insert$
            insert into %1$I.datapoint_zone_months (month, zone, cells)
            select %2$L::date, zone, cells
            from (
                select
                    zone,
                    string_agg(concat_ws(',', date - %2$L + 1, hits, coalesce(delta::text, ''), sbi), chr(10)) as cells
                from %1$I.datapoint_zone_days
                where date >= %2$L and date < %3$L
                group by zone
            ) as packed
            order by zone collate "C"
            $insert$,
            schema, month, (month + interval '1 month')::date
        );
    end loop;
end
$$;

reset work_mem;

reset enable_sort;

reset default_toast_compression;
