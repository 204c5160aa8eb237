-- Purpose: where places are in other zones now, the rollups follow; and of the months that changed, atoms are chosen anew.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  :"schema".datapoint_place_days, datapoint_zone_days and datapoint_atoms; pg_temp.moved (6_promote.pg.sql);
--          pg_temp.completed; :"ledger".table_changes, :'run_id', :batch.
-- Outputs: the zones of datapoint_place_days, null where no place has the postcode any more; datapoint_zone_days, made anew;
--          datapoint_atoms: pieces of zone, days and branch that share no day, of ten hits or more each, or without hits where a
--          month has fewer; :"ledger".table_changes with the change of the atoms.
update :"schema".datapoint_place_days as rollup
set zone = moved.zone
from pg_temp.moved
where moved.postcode = rollup.postcode and rollup.zone is distinct from moved.zone;

delete from :"schema".datapoint_zone_days where exists (select from pg_temp.moved);

insert into :"schema".datapoint_zone_days (date, zone, sbi, hits, delta)
select date, zone, sbi, sum(hits), case when count(*) = count(delta) then sum(delta) end
from :"schema".datapoint_place_days
where zone is not null and exists (select from pg_temp.moved)
group by date, zone, sbi
order by date, zone, sbi;

create temp table atom_months on commit drop as
select distinct date_trunc('month', record_id)::date as month from pg_temp.completed
union
select distinct date_trunc('month', date)::date
from :"schema".datapoint_days
where exists (select from pg_temp.moved);

analyze pg_temp.atom_months;

-- A piece is as short as it can be: the days of a week if each of them that has hits has enough, else the week, else the month.
-- Weeks end with their month, so a month is the most that a new day can change. What the hits are compared with is of other days,
-- which have pieces of their own: where both are told, their difference is a smaller one. So it is told of none.
with gone as (
    delete from :"schema".datapoint_atoms as atom
    using pg_temp.atom_months
    where date_trunc('month', atom.first)::date = atom_months.month
    returning 1
),
cell as (
    select
        rollup.zone,
        rollup.sbi,
        rollup.date,
        rollup.hits,
        atom_months.month,
        greatest(date_trunc('week', rollup.date)::date, atom_months.month) as week
    from pg_temp.atom_months
        join :"schema".datapoint_zone_days as rollup
            on rollup.date >= atom_months.month and rollup.date < (atom_months.month + interval '1 month')::date
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
    where month.least_week >= 10 and week.least >= 10
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
    where month.least_week >= 10 and week.least < 10
    union all
    select
        zone, month, (month + interval '1 month - 1 day')::date, sbi, case when hits >= 10 then hits end
    from month
    where least_week < 10
),
made as (
    insert into :"schema".datapoint_atoms (zone, first, last, sbi, hits)
    select zone, first, last, sbi, hits
    from piece
    order by zone, first, sbi
    returning 1
)
update :"ledger".table_changes as change
set inserted = counted.made,
    deleted = counted.gone,
    rows_after = change.rows_before + counted.made - counted.gone
from (select (select count(*) from made) as made, (select count(*) from gone) as gone) as counted
where change.run_id = :'run_id' and change.batch = :batch and change.table_name = 'datapoint_atoms';
