-- Purpose: the statements of the server; each answer comes from one snapshot.
-- Engine:  PostgreSQL 14 and later
--          Days of places are restricted three times: by a list, from its first day on, and up to its last. With the list
--          alone, a plan for any list reads all months; only comparisons let the planner leave out months before they are read.
--          For two comparisons that form a range it expects so few rows that it would compare zones row by row instead of using
--          the index, so the second one is not written as part of a range.
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/serve/serve.pg.sql

-- part: session  (script)
-- Purpose: make a session read-only and limit its statements. The plans must not depend on how many places a question has: such
--          plans vary between seconds and minutes.
-- Inputs:  :limit_ms, the limit for a statement in milliseconds.
-- Outputs: none; settings of the session change.
set default_transaction_read_only = on;
set statement_timeout = :limit_ms;
set idle_in_transaction_session_timeout = :limit_ms;
set plan_cache_mode = force_generic_plan;
-- A generic plan expects ten values in a list of thousands, and would choose a nested loop over it.
set enable_nestloop = off;
set enable_mergejoin = off;
-- Many rows become few sums, so hashing is better than sorting.
set enable_sort = off;
set work_mem = '32MB';
-- The planner adds a large cost for what is switched off, so each answer would be compiled first.
set jit = off;

-- part: listen  (script)
-- Purpose: receive a notification of every commit of a run.
-- Inputs:  none.
-- Outputs: notifications; an error on a standby.
listen merganser;

-- part: may_write  (statement)
-- Purpose: find out whether this role may write to the tables that are served.
-- Inputs:  $1 names of tables, $2 their schema.
-- Outputs: true or false.
select coalesce(bool_or(has_table_privilege(class.oid, 'insert, update, delete, truncate')), false) as may_write
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $2::text and class.relname = any ($1::text[]);

-- part: unreadable  (statement)
-- Purpose: find tables that this role may not read: a newer program may have made some that are not granted yet.
-- Inputs:  $1 names of tables, $2 their schema.
-- Outputs: one row with the names of those that are there, and the grant that is missing; or no row.
select
    string_agg(class.relname, ', ' order by class.relname) as tables,
    format(
        'grant select on %s to %I',
        string_agg(format('%I.%I', namespace.nspname, class.relname), ', ' order by class.relname),
        current_user
    ) as remedy
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $2::text
    and class.relname = any ($1::text[])
    and not has_table_privilege(class.oid, 'select')
having count(*) > 0;

-- part: run  (statement)
-- Purpose: find the run that production shows.
-- Inputs:  $1 dataset, $2 schema; :"ledger"; :'schema' and :'days'.
-- Outputs: its id, and what its newest commit is known by: a run commits batch by batch; or no row, also where an older program has
--          committed, which made nothing to be served.
-- Not the clock decides which is the newest: it may have been set back. A ledger that an older program has left has no number of a step;
-- then the column's name means the one outside, and the clock decides.
select newest.run_id, newest.version
from (select null::bigint as step_no) as older
    cross join lateral (
        select
            runs.run_id::text as run_id,
            concat_ws(' ', runs.run_id, extract(epoch from steps.finished_at)) as version
        from :"ledger".steps join :"ledger".runs on runs.run_id = steps.run_id
        where runs.dataset = $1
            and runs.target_schema = $2
            and not runs.dry_run
            and steps.step in ('promote', 'purge')
            and steps.status = 'completed'
            and to_regclass(format('%I.%I', :'schema', :'days')) is not null
        order by step_no desc, steps.finished_at desc, runs.run_id desc
        limit 1
    ) as newest;

-- part: places  (statement)
-- Purpose: read all places.
-- Inputs:  :"schema".:"places".
-- Outputs: postcode, lat, lon and zone, in the order of the postcodes.
select postcode, lat::float8 as lat, lon::float8 as lon, zone
from :"schema".:"places"
order by postcode collate "C";

-- part: days  (statement)
-- Purpose: list the last days that are loaded.
-- Inputs:  $1 the number of days; :"schema".:"days".
-- Outputs: date, the newest first.
select date from :"schema".:"days" order by date desc limit $1::bigint;

-- part: loaded  (statement)
-- Purpose: find out which days have an answer, for datasets whose records come late: a day that is not loaded is unknown, not
--          empty.
-- Inputs:  $1 days; :"schema".:"days".
-- Outputs: as_of, the last day that is loaded, or null; loaded, the given days that are loaded; compared, those of them whose
--          earlier hits are known. The days are ascending.
select
    (select max(date) from :"schema".:"days") as as_of,
    array(select date from :"schema".:"days" where date = any ($1::date[]) order by date) as loaded,
    array(
        select date from :"schema".:"days" where date = any ($1::date[]) and delta is not null order by date
    ) as compared;

-- part: sums  (statement)
-- Purpose: sum up hits in some zones and places by day and branch. Zones that lie completely within the radius come from the
--          smaller table.
-- Inputs:  $1 days, $2 zones completely within the radius, $3 zones partly within it, $4 the postcodes of the latter that are
--          within it, $5 a branch, or null for all; :"schema".:"zone_days" and :"place_days".
-- Outputs: date, sbi, hits, delta; the delta of a sum is null if one of its rows has none.
with asked as materialized (
    select postcode from unnest($4::text[]) as given (postcode)
),
inside as (
    select date, sbi, hits, delta
    from :"schema".:"zone_days"
    where date = any ($1::date[]) and zone = any ($2::text[]) and ($5::text is null or sbi = $5::text)
    union all
    select date, sbi, hits, delta
    from :"schema".:"place_days"
    where date = any ($1::date[])
        and date >= ($1::date[])[1]
        and (date <= ($1::date[])[cardinality($1)] or date = ($1::date[])[1])
        and zone = any ($3::text[])
        and ($5::text is null or sbi = $5::text)
        and postcode in (select postcode from asked)
)
select
    date,
    sbi,
    sum(hits)::bigint as hits,
    case when count(*) = count(delta) then sum(delta)::bigint end as delta
from inside
group by date, sbi;

-- part: points  (statement)
-- Purpose: find the places with the most hits.
-- Inputs:  $1 days, $2 zones completely within the radius, $3 zones partly within it, $4 the postcodes of the latter that are
--          within it, $5 a branch, or null for all, $6 the most places to return; :"schema".:"place_days".
-- Outputs: postcode, hits, delta, total (the number of places that have a row).
with asked as materialized (
    select postcode from unnest($4::text[]) as given (postcode)
),
inside as (
    select postcode, hits, delta
    from :"schema".:"place_days"
    where date = any ($1::date[])
        and date >= ($1::date[])[1]
        and (date <= ($1::date[])[cardinality($1)] or date = ($1::date[])[1])
        and zone = any ($2::text[])
        and ($5::text is null or sbi = $5::text)
    union all
    select postcode, hits, delta
    from :"schema".:"place_days"
    where date = any ($1::date[])
        and date >= ($1::date[])[1]
        and (date <= ($1::date[])[cardinality($1)] or date = ($1::date[])[1])
        and zone = any ($3::text[])
        and ($5::text is null or sbi = $5::text)
        and postcode in (select postcode from asked)
)
select
    postcode,
    sum(hits)::bigint as hits,
    case when count(*) = count(delta) then sum(delta)::bigint end as delta,
    count(*) over () as total
from inside
group by postcode
order by sum(hits) desc, postcode collate "C"
limit $6::bigint;

-- part: day_cells  (statement)
-- Purpose: read packed hits in some zones for days: a row for each zone and day.
-- Inputs:  $1 days, $2 zones; :"schema".:"zone_points".
-- Outputs: date, zone, cells: a line for each place and branch, with postcode, hits, delta (or nothing) and branch.
select date, zone, cells
from :"schema".:"zone_points"
where date = any ($1::date[]) and zone = any ($2::text[]);

-- part: month_cells  (statement)
-- Purpose: read packed hits in some zones and places for whole months: a row for each zone or place and month.
-- Inputs:  $1 months, given by their first days, $2 zones completely within the radius, $3 zones partly within it, $4 the
--          postcodes of the latter that are within it; :"schema".:"zone_months" and :"place_months".
-- Outputs: month, cells: a line for each day and branch, with the day of the month, hits, delta (or nothing) and branch.
with asked as materialized (
    select postcode from unnest($4::text[]) as given (postcode)
)
select month, cells
from :"schema".:"zone_months"
where month = any ($1::date[]) and zone = any ($2::text[])
union all
select month, cells
from :"schema".:"place_months"
where month = any ($1::date[]) and zone = any ($3::text[]) and postcode in (select postcode from asked);

-- part: month_points  (statement)
-- Purpose: find the places with the most hits in whole months.
-- Inputs:  $1 months, given by their first days, $2 zones completely within the radius, $3 zones partly within it, $4 the
--          postcodes of the latter that are within it, $5 the most places to return, or null for all; :"schema".:"place_months".
-- Outputs: postcode, hits, delta, total (the number of places that have a row).
with asked as materialized (
    select postcode from unnest($4::text[]) as given (postcode)
),
inside as (
    select postcode, hits, delta
    from :"schema".:"place_months"
    where month = any ($1::date[]) and zone = any ($2::text[])
    union all
    select postcode, hits, delta
    from :"schema".:"place_months"
    where month = any ($1::date[]) and zone = any ($3::text[]) and postcode in (select postcode from asked)
)
select
    postcode,
    sum(hits)::bigint as hits,
    case when count(*) = count(delta) then sum(delta)::bigint end as delta,
    count(*) over () as total
from inside
group by postcode
order by sum(hits) desc, postcode collate "C"
limit $5::bigint;

-- part: atoms  (statement)
-- Purpose: the pieces of some zones that have a day in a range.
-- Inputs:  $1 zones, $2 the first and $3 the last day, $4 a branch, or null: all; :"schema".:"atoms".
-- Outputs: zone, first, last, sbi, hits (null: fewer than the load asks of a piece).
select zone, first, last, sbi, hits
from :"schema".:"atoms"
where zone = any ($1::text[]) and last >= $2::date and first <= $3::date and ($4::text is null or sbi = $4::text);

-- part: larger_atoms  (statement)
-- Purpose: the pieces of some zones that have a day in the months of a range, of more hits each than the load asks of a piece. They are
--          made of the load's pieces month by month in the same way as these of days, so they do not depend on the question.
-- Inputs:  $1 zones, $2 the first and $3 the last day, $4 a branch, or null: all, $5 the hits that a piece must have; :"schema".:"atoms".
-- Outputs: zone, first, last, sbi, hits (null: a month with fewer).
with piece as (
    select
        zone,
        sbi,
        first,
        last,
        coalesce(hits, 0) as hits,
        date_trunc('month', first)::date as month,
        greatest(date_trunc('week', first)::date, date_trunc('month', first)::date) as week
    from :"schema".:"atoms"
    where zone = any ($1::text[])
        and first >= date_trunc('month', $2::date)::date
        and first < (date_trunc('month', $3::date) + interval '1 month')::date
        and ($4::text is null or sbi = $4::text)
),
week as (
    select zone, sbi, month, week, sum(hits)::bigint as hits, min(hits) as least
    from piece
    group by zone, sbi, month, week
),
month as (
    select zone, sbi, month, sum(hits)::bigint as hits, min(hits) as least_week
    from week
    group by zone, sbi, month
)
select piece.zone, piece.first, piece.last, piece.sbi, piece.hits
from piece
    join week using (zone, sbi, month, week)
    join month using (zone, sbi, month)
where month.least_week >= $5::bigint and week.least >= $5::bigint
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
where month.least_week >= $5::bigint and week.least < $5::bigint
union all
select
    zone, month, (month + interval '1 month - 1 day')::date, sbi, case when hits >= $5::bigint then hits end
from month
where least_week < $5::bigint;
