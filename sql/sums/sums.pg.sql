-- Purpose: sums of records by day, place or zone, and branch, which a dataset declares and the promotion keeps: what a batch, an undo or
--          a purge does not touch is not looked at. In this order: begin; gone and cells, before any row goes; come and cells, when
--          all rows are there; apply; days; pieces. When they must be made of all records: clear, all, cells, then as before.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/sums/sums.pg.sql

-- part: passed_over  (statement)
-- Purpose: has the last commit kept the sums? One of an older program, which does not know them, has not.
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: passed_over: true or false; true where nothing has committed.
select coalesce(
    (
        select steps.details -> 'sums' is null
        from :"ledger".steps join :"ledger".runs using (run_id)
        where runs.dataset = $1
            and runs.target_schema = $2
            and not runs.dry_run
            -- They change neither when nor where a record counts.
            and runs.kind not in ('backfill', 'reference')
            and steps.step in ('promote', 'purge')
            and steps.status = 'completed'
        order by steps.step_no desc
        limit 1
    ),
    true
) as passed_over;

-- part: places_differ  (statement)
-- Purpose: are the places others than those that the program knows?
-- Inputs:  $1 postcodes, $2 latitudes, $3 longitudes and $4 zones of these; :"schema".:"places".
-- Outputs: differ: true or false.
with told as (
    select postcode, lat::numeric as lat, lon::numeric as lon, zone
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as given (postcode, lat, lon, zone)
)
select exists (
    select
    from told full join :"schema".:"places" as known on known.postcode = told.postcode
    where (told.lat, told.lon, told.zone) is distinct from (known.lat, known.lon, known.zone)
) as differ;

-- part: put_places  (statement)
-- Purpose: take on the places that the program knows.
-- Inputs:  $1 postcodes, $2 latitudes, $3 longitudes and $4 zones; :"schema".:"places", empty; :'places'.
-- Outputs: the places; pg_temp.counted, how many there had to be, and are.
with put as (
    insert into :"schema".:"places" (postcode, lat, lon, zone)
    select postcode, lat::numeric, lon::numeric, zone
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as given (postcode, lat, lon, zone)
    order by postcode
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select :'places', 'insert', cardinality($1::text[]), count(*)
from put;

-- part: counted  (script, in a purge)
-- Purpose: keep count of what had to change, where no plan does.
-- Inputs:  none.
-- Outputs: pg_temp.counted, empty.
create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- part: begin  (script)
-- Purpose: begin with nothing.
-- Inputs:  :"schema".:"parent", the table of the records, and its :"key".
-- Outputs: empty: pg_temp.summed, records to look at; pg_temp.sum_cells, what they count for; pg_temp.sum_changes, what becomes of the
--          sums; pg_temp.atom_months, months whose pieces are to be chosen anew.
create temp table summed on commit drop as
select parent.:"key" as record_id from :"schema".:"parent" as parent where false;

create temp table sum_cells (date date, postcode text, sbi text, hits bigint) on commit drop;

create temp table sum_changes (
    date date, zone text, postcode text, sbi text, hits bigint, delta bigint
) on commit drop;

create temp table atom_months (month date) on commit drop;

-- part: gone  (script, before any row goes)
-- Purpose: look at the records whose rows go.
-- Inputs:  pg_temp.touched.
-- Outputs: pg_temp.summed.
delete from pg_temp.summed;

insert into pg_temp.summed (record_id) select record_id from pg_temp.touched;

analyze pg_temp.summed;

-- part: come  (script, when all rows are there)
-- Purpose: look at the records whose rows have come.
-- Inputs:  pg_temp.plan.
-- Outputs: pg_temp.summed.
delete from pg_temp.summed;

insert into pg_temp.summed (record_id) select record_id from pg_temp.plan where action = 'load';

analyze pg_temp.summed;

-- part: all  (script, after clear)
-- Purpose: look at all records.
-- Inputs:  :"schema".:"parent", the table of the records, and its :"key".
-- Outputs: pg_temp.summed.
insert into pg_temp.summed (record_id) select parent.:"key" from :"schema".:"parent" as parent;

analyze pg_temp.summed;

-- part: clear  (script)
-- Purpose: forget all sums, to make them of all records. Not truncate: who reads them would wait.
-- Inputs:  :"schema".:"place_days", :"zone_days", :"days" and :"atoms".
-- Outputs: the first three without rows; pg_temp.summed, sum_cells and sum_changes empty; pg_temp.atom_months with the months that have
--          pieces.
delete from :"schema".:"place_days";

delete from :"schema".:"zone_days";

delete from :"schema".:"days";

delete from pg_temp.summed;

delete from pg_temp.sum_cells;

delete from pg_temp.sum_changes;

insert into pg_temp.atom_months (month)
select distinct date_trunc('month', first)::date from :"schema".:"atoms";

-- part: cells  (script)
-- Purpose: count some records by day, place and branch. One with several postcodes counts once, at the first that is a place.
-- Inputs:  pg_temp.candidates, which the dataset makes of pg_temp.summed: record_id, date, sbi, postcode; :"schema".:"places"; :sign, 1, or
--          -1 for those that go.
-- Outputs: rows of pg_temp.sum_cells.
insert into pg_temp.sum_cells (date, postcode, sbi, hits)
with counted as (
    select distinct on (candidate.record_id) candidate.date, candidate.postcode, candidate.sbi
    from pg_temp.candidates as candidate join :"schema".:"places" as place on place.postcode = candidate.postcode
    where candidate.date is not null and isfinite(candidate.date)
    order by candidate.record_id, candidate.postcode collate "C"
)
select date, postcode, sbi, :sign * count(*)
from counted
group by date, postcode, sbi;

-- part: apply  (script)
-- Purpose: bring the sums up to date. A record counts on its day, and :earlier_days later as what that day is compared with.
-- Inputs:  pg_temp.sum_cells; :earlier_days; :"schema".:"places", :"place_days" and :"zone_days"; :'place_days' and :'zone_days'.
-- Outputs: pg_temp.sum_changes; both tables, without rows of nothing; pg_temp.counted, how many rows had to change, and did.
insert into pg_temp.sum_changes (date, zone, postcode, sbi, hits, delta)
with cell as (
    select date, postcode, sbi, hits, 0 as delta from pg_temp.sum_cells
    union all
    select date + :earlier_days, postcode, sbi, 0, hits from pg_temp.sum_cells
)
select cell.date, place.zone, cell.postcode, cell.sbi, sum(cell.hits), sum(cell.delta)
from cell join :"schema".:"places" as place on place.postcode = cell.postcode
group by cell.date, place.zone, cell.postcode, cell.sbi
having sum(cell.hits) <> 0 or sum(cell.delta) <> 0
order by cell.date, place.zone, cell.postcode, cell.sbi;

analyze pg_temp.sum_changes;

with put as (
    insert into :"schema".:"place_days" as rollup (date, zone, postcode, sbi, hits, delta)
    select date, zone, postcode, sbi, hits, delta
    from pg_temp.sum_changes
    order by date, zone, postcode, sbi
    on conflict (date, zone, postcode, sbi) do update
    set hits = rollup.hits + excluded.hits, delta = rollup.delta + excluded.delta
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select :'place_days', 'change', (select count(*) from pg_temp.sum_changes), (select count(*) from put);

-- Only what something was taken off can be nothing now.
delete from :"schema".:"place_days" as rollup
using pg_temp.sum_changes as change
where (rollup.date, rollup.zone, rollup.postcode, rollup.sbi)
    = (change.date, change.zone, change.postcode, change.sbi)
    and (change.hits < 0 or change.delta < 0)
    and rollup.hits = 0
    and rollup.delta = 0;

with change as materialized (
    select date, zone, sbi, sum(hits) as hits, sum(delta) as delta
    from pg_temp.sum_changes
    group by date, zone, sbi
    having sum(hits) <> 0 or sum(delta) <> 0
),
put as (
    insert into :"schema".:"zone_days" as rollup (date, zone, sbi, hits, delta)
    select date, zone, sbi, hits, delta
    from change
    order by date, zone, sbi
    on conflict (date, zone, sbi) do update
    set hits = rollup.hits + excluded.hits, delta = rollup.delta + excluded.delta
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select :'zone_days', 'change', (select count(*) from change), (select count(*) from put);

delete from :"schema".:"zone_days" as rollup
using (
    select distinct date, zone, sbi from pg_temp.sum_changes where hits < 0 or delta < 0
) as change
where (rollup.date, rollup.zone, rollup.sbi) = (change.date, change.zone, change.sbi)
    and rollup.hits = 0
    and rollup.delta = 0;

-- part: analyze  (script, when the sums of all records are made)
-- Purpose: tell the planner.
-- Inputs:  :"schema".:"places", :"place_days" and :"zone_days".
-- Outputs: their statistics.
analyze :"schema".:"places", :"schema".:"place_days", :"schema".:"zone_days";

-- part: below_nothing  (statement)
-- Purpose: sums that are less than nothing: somebody changed a record by hand, so what went was not what had been counted.
-- Inputs:  pg_temp.sum_changes; :"schema".:"place_days".
-- Outputs: below_nothing: true or false.
select exists (
    select
    from :"schema".:"place_days" as rollup
        join pg_temp.sum_changes as change
            on (rollup.date, rollup.zone, rollup.postcode, rollup.sbi)
                = (change.date, change.zone, change.postcode, change.sbi)
    where (change.hits < 0 or change.delta < 0) and (rollup.hits < 0 or rollup.delta < 0)
) as below_nothing;

-- part: days  (script, after apply)
-- Purpose: the days that are loaded: from the first of which a record tells, but not of a day more than fifty years back, which is a
--          mistake, to :'newest', the last of which records can tell.
-- Inputs:  pg_temp.sum_changes; :"schema".:"zone_days" and :"days"; :'newest', empty where that is not known; :earlier_days.
-- Outputs: :"schema".:"days": date, hits, and delta, null where the day that it is compared with is not loaded; pg_temp.atom_months with the
--          months of the days that changed.
create temp table sum_bounds on commit drop as
select first.date as first, known.last
from (select nullif(:'newest', '')::date as last) as known
    cross join lateral (
        select date
        from :"schema".:"zone_days"
        where hits > 0 and date between known.last - 18263 and known.last
        order by date
        limit 1
    ) as first;

with gone as (
    delete from :"schema".:"days" as day
    where not exists (select from pg_temp.sum_bounds where day.date between first and last)
        or exists (select from pg_temp.sum_bounds where (day.date - :earlier_days < first) <> (day.delta is null))
        or day.date in (select date from pg_temp.sum_changes)
    returning day.date
)
insert into pg_temp.atom_months (month)
select distinct date_trunc('month', date)::date from gone;

with given as materialized (
    select bounds.first, day::date as date
    from pg_temp.sum_bounds as bounds
        cross join lateral generate_series(bounds.first::timestamp, bounds.last::timestamp, '1 day') as day
    where not exists (select from :"schema".:"days" as known where known.date = day::date)
),
come as (
    insert into :"schema".:"days" (date, hits, delta)
    select
        given.date,
        coalesce(told.hits, 0),
        case when given.date - :earlier_days >= given.first then coalesce(told.delta, 0) end
    from given
        cross join lateral (
            select sum(rollup.hits) as hits, sum(rollup.delta) as delta
            from :"schema".:"zone_days" as rollup
            where rollup.date = given.date
        ) as told
    order by given.date
    returning date
)
insert into pg_temp.atom_months (month)
select distinct date_trunc('month', date)::date from come;

drop table pg_temp.sum_bounds;

-- part: pieces  (script, when the sums are there)
-- Purpose: of the months that changed, choose pieces anew: of zone, days and branch, that share no day, of :pieces_least hits or more each, or
--          without hits where a month has fewer.
-- Inputs:  pg_temp.atom_months; :pieces_least; :"schema".:"zone_days", :"days" and :"atoms", :'atoms'; :"ledger".table_changes, :'run_id', :batch.
-- Outputs: the pieces of these months; :"ledger".table_changes with their change, where that has a row of the table.
-- A piece is as short as it can be: the days of a week if each of them that has hits has enough, else the week, else the month.
-- Weeks end with their month, so a month is the most that a new day can change. What the hits are compared with is of other days,
-- which have pieces of their own: where both are told, their difference is a smaller one. So it is told of none.
analyze pg_temp.atom_months;

with gone as (
    delete from :"schema".:"atoms" as atom
    where date_trunc('month', atom.first)::date in (select month from pg_temp.atom_months)
    returning 1
)
update :"ledger".table_changes as change
set deleted = counted.gone, rows_after = change.rows_before - counted.gone
from (select count(*) as gone from gone) as counted
where change.run_id = :'run_id' and change.batch = :batch and change.table_name = :'atoms';

with wanted as (
    select distinct month from pg_temp.atom_months
),
cell as (
    select
        rollup.zone,
        rollup.sbi,
        rollup.date,
        rollup.hits,
        wanted.month,
        greatest(date_trunc('week', rollup.date)::date, wanted.month) as week
    from wanted
        join :"schema".:"days" as day
            on day.date >= wanted.month and day.date < (wanted.month + interval '1 month')::date
        join :"schema".:"zone_days" as rollup on rollup.date = day.date
    where rollup.hits > 0
),
week as (
    select zone, sbi, month, week, sum(hits) as hits, min(hits) as least
    from cell
    group by zone, sbi, month, week
),
month as (
    select zone, sbi, month, sum(hits) as hits, min(hits) as least_week
    from week
    group by zone, sbi, month
),
piece as (
    select cell.zone, cell.date as first, cell.date as last, cell.sbi, cell.hits::numeric as hits
    from cell
        join week using (zone, sbi, month, week)
        join month using (zone, sbi, month)
    where month.least_week >= :pieces_least and week.least >= :pieces_least
    union all
    select
        week.zone,
        week.week,
        least(
            (date_trunc('week', week.week) + interval '6 days')::date,
            (week.month + interval '1 month - 1 day')::date
        ),
        week.sbi,
        week.hits
    from week join month using (zone, sbi, month)
    where month.least_week >= :pieces_least and week.least < :pieces_least
    union all
    select
        zone, month, (month + interval '1 month - 1 day')::date, sbi, case when hits >= :pieces_least then hits end
    from month
    where least_week < :pieces_least
),
made as (
    insert into :"schema".:"atoms" (zone, first, last, sbi, hits)
    select zone, first, last, sbi, hits
    from piece
    order by zone, first, sbi
    returning 1
)
update :"ledger".table_changes as change
set inserted = counted.made, rows_after = change.rows_after + counted.made
from (select count(*) as made from made) as counted
where change.run_id = :'run_id' and change.batch = :batch and change.table_name = :'atoms';
