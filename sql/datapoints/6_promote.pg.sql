-- Purpose: decide what happens to each day of this batch, create the partitions of new months, and update the places.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"staging".datapoints_records, one row for each good record; :"staging".datapoint_places, empty unless a new file had
--          them; :"schema".datapoint_days, datapoint_places, datapoints and datapoint_place_days; :'schema', the same as a text;
--          :"ledger".record_origins, parts, runs and failed_records; :'overwrite_newer', true only when the operator asks for it; :'run_id';
--          :"images".:"before_datapoint_places" and :undo_no, for places as they were.
-- Outputs: pg_temp.plan, one row a day: record_id (a date), action (load or superseded), part_id, ordinal and order_key of the
--          winning record, is_newly_sealed, has_data, is_known and is_changed (never: no day is deleted for ever, and nothing is
--          kept beside it), told_by (another file that is as new, which is an error), name, has_older (the archive
--          has an older posting of it), posting (the run that took the file, from its order key), kind and held_order_key (of the file that production holds afterwards); pg_temp.shared, days that
--          another file of the same posting has too; failed lines of days that a later file holds, settled; the parts of the
--          months; datapoint_places up to date; pg_temp.moved, the postcodes whose zone has changed or is gone;
--          pg_temp.counted, how many rows of the places had to change, and did.
create temp table plan on commit drop as
with seen as (
    select
        record_id,
        max(part_id) filter (where is_winner) as part_id,
        max(ordinal) filter (where is_winner) as ordinal,
        max(order_key collate "C") filter (where is_winner) as order_key
    from :"staging".datapoints_records
    group by record_id
),
known as (
    select
        seen.*,
        file.order_key as known_order_key,
        case
            when file.name <> own.name
                and file.run_id = :'run_id'
                and run.kind in ('run', 'retry')
                and origin_posting.text = own_posting.text
                then file.name
            when run.kind = 'run'
                and file.name <> own.name
                and not later.is_settled
                and (
                    -- The run that took the other file has failed because of this one, or ended before it came to it: the two are still equally
                    -- new, even if the other one was read again since.
                    exists (
                        select
                        from :"ledger".parts as left_over
                        where left_over.run_id = loader.run_id
                            and left_over.name = own.name
                            and left_over.sha256 = own.sha256
                    )
                    or own.modified_at <= loader.started_at
                    and loader.status not in ('completed', 'completed_with_failures')
                )
                then file.name
        end as told_by,
        own.name,
        file.name as known_name,
        own_posting.text as posting,
        -- Production holds the day from a file that was new in the same run: a person has decided so.
        coalesce(file.name <> own.name and origin_posting.text = own_posting.text, false) as is_decided,
        earlier.is_overtaken,
        earlier.has_older,
        run.kind
    from seen
    cross join (select kind from :"ledger".runs where run_id = :'run_id') as run
    left join :"ledger".parts as own on own.part_id = seen.part_id
    left join :"ledger".record_origins as origin
        on origin.dataset = 'datapoints'
        and origin.target_schema = :'schema'
        and origin.record_id = seen.record_id
        -- If production was created anew, the ledger remembers days that are no longer there.
        and exists (select from :"schema".datapoint_days as day where day.date = seen.record_id::date)
    left join :"ledger".parts as file on file.part_id = origin.part_id
    left join lateral (
        select taken.part_id, taker.run_id, taker.started_at, taker.status
        from :"ledger".parts as taken join :"ledger".runs as taker using (run_id)
        where taken.name = file.name
            and taken.sha256 = file.sha256
            and taken.order_key = file.order_key
            and taker.dataset = 'datapoints'
            and taker.target_schema = :'schema'
            and not taker.dry_run
        order by taker.kind <> 'run', taken.part_id desc
        limit 1
    ) as loader on true
    -- A newer posting of either file was committed since, or this run takes one of the other file.
    cross join lateral (
        select exists (
            select
            from :"ledger".parts as posted join :"ledger".runs as taker using (run_id)
            where posted.name in (own.name, file.name)
                and posted.part_id > loader.part_id
                and posted.run_id <> loader.run_id
                and posted.sha256 <> case posted.name when own.name then own.sha256 else file.sha256 end
                and (posted.status in ('done', 'done_with_failures', 'incomplete') or posted.run_id = :'run_id')
                and taker.kind = 'run'
                and taker.dataset = 'datapoints'
                and taker.target_schema = :'schema'
                and not taker.dry_run
        ) as is_settled
    ) as later
    cross join lateral (
        select
            -- Production holds the day from another file that came after this content had been loaded: what a retry reads is not newer.
            coalesce(
                bool_or(loaded.sha256 = own.sha256 and loaded.part_id < file.part_id and file.name <> own.name), false
            ) as is_overtaken,
            -- The archive has an older posting of the file, which is what a command would read.
            coalesce(bool_or(loaded.sha256 <> own.sha256), false) as has_older
        from :"ledger".parts as loaded join :"ledger".runs as taker using (run_id)
        where loaded.name = own.name
            and loaded.status in ('done', 'done_with_failures', 'incomplete')
            and taker.dataset = 'datapoints'
            and taker.target_schema = :'schema'
            and not taker.dry_run
    ) as earlier
    cross join lateral (select substring(seen.order_key from '^posted [0-9]+ ') as text) as own_posting
    cross join lateral (select substring(file.order_key from '^posted [0-9]+ ') as text) as origin_posting
)
select
    record_id::date as record_id,
    part_id,
    ordinal,
    order_key,
    false as is_newly_sealed,
    false as has_data,
    false as is_known,
    false as is_changed,
    told_by,
    name,
    has_older,
    case when is_decided then known_name end as shared_with,
    posting,
    kind,
    case
        -- A new file replaces existing days. Among files that are read again, the one that was posted later wins: its order key is the
        -- higher one.
        when kind = 'run' or :'overwrite_newer'::boolean then 'load'
        when kind = 'retry' and (is_decided or is_overtaken) then 'superseded'
        when known_order_key collate "C" > order_key then 'superseded'
        else 'load'
    end as action,
    case
        when kind = 'run' or :'overwrite_newer'::boolean or known_order_key is null then order_key
        when kind = 'retry' and (is_decided or is_overtaken) then known_order_key
        else greatest(order_key, known_order_key collate "C")
    end as held_order_key
from known;

analyze pg_temp.plan;

-- Two files that were new in the same run had the day, and neither counted. Now one of them counts.
create temp table shared on commit drop as
select distinct plan.record_id, plan.name, file.name as other
from pg_temp.plan
    join :"ledger".failed_records as failed
        on failed.table_name = 'datapoint_days' and failed.record_id = plan.record_id::text
    join :"ledger".parts as file on file.part_id = failed.part_id
    join :"ledger".runs as run on run.run_id = failed.run_id
where plan.action = 'load'
    and plan.kind <> 'run'
    and file.name <> plan.name
    and substring(file.order_key from '^posted [0-9]+ ') = plan.posting
    and run.dataset = 'datapoints'
    and run.target_schema = :'schema'
    and not run.dry_run
union
select plan.record_id, plan.name, plan.shared_with
from pg_temp.plan
where plan.action = 'load' and plan.kind = 'reprocess' and plan.shared_with is not null
union
-- A ledger that did not see how files were posted knows their order only by their names.
select plan.record_id, plan.name, other.name
from pg_temp.plan
    join :"staging".datapoints_records as record on record.record_id = plan.record_id::text
    join :"ledger".parts as other on other.part_id = record.part_id
where plan.action = 'load'
    and plan.kind = 'reprocess'
    and other.name <> plan.name
    and substring(record.order_key from '^posted [0-9]+ ') = plan.posting;

-- A word, quoted for a shell.
create or replace function pg_temp.quoted(word text) returns text language sql as $$
    select case
        when word ~ '^[A-Za-z0-9._-]+$' then word
        else concat('''', replace(word, '''', '''\'''''), '''')
    end
$$;

do $$
declare
    said record;
begin
    for said in
        select name, other, min(record_id) as first, count(*) as days
        from pg_temp.shared
        group by name, other
        order by name, other
    loop
        raise warning using errcode = 'MG001', message = format(
            'the day %s%s now comes from %s, but %s, which is as new, has it too. '
            'Next: if that one is right, merganser reprocess datapoints %s --force --overwrite-newer',
            said.first,
            case said.days when 1 then '' else format(' (and %s more)', said.days - 1) end,
            said.name,
            said.other,
            pg_temp.quoted(said.other)
        );
    end loop;
end
$$;

-- A day settles the lines of it that failed in files that were posted before the one that production holds now: no file that is
-- read again can load them any more. A file that is loaded again settles its lines that did not fail again (those that did are
-- closed before).
update :"ledger".failed_records as failed
set resolved_by = :'run_id', resolved_at = now(),
    resolution = case
        when file.order_key collate "C" < plan.held_order_key or file.name <> plan.name then 'superseded'
        else 'loaded'
    end
from pg_temp.plan
cross join :"ledger".parts as file
cross join :"ledger".runs as run
where failed.resolved_at is null
    and failed.table_name in ('datapoints', 'datapoint_days')
    and split_part(failed.record_id, ' ', 1) = plan.record_id::text
    and file.part_id = failed.part_id
    and run.run_id = failed.run_id
    and run.dataset = 'datapoints'
    and run.target_schema = :'schema'
    and not run.dry_run
    and (
        file.order_key collate "C" < plan.held_order_key and failed.table_name = 'datapoints'
        -- A person who reads again one of two equally new files has decided against the other.
        or plan.action = 'load'
        and plan.kind <> 'run'
        and file.name <> plan.name
        and substring(file.order_key from '^posted [0-9]+ ') = plan.posting
        or plan.action = 'load'
        and failed.table_name = 'datapoints'
        and failed.run_id <> :'run_id'
        and exists (
            select
            from :"ledger".parts as own
            where own.part_id = plan.part_id and own.name = file.name and own.sha256 = file.sha256
        )
    );

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- A "do" block cannot read psql variables, so it reads a setting.
select set_config('merganser.schema', :'schema', true);

-- A partition is created as a separate table and then attached, so that readers of the table need not wait for the creation.
do $$
declare
    schema text := current_setting('merganser.schema');
    name text;
    part text;
    month date;
    told record;
begin
    -- Conflicts within a batch are found before; these come from another batch of the run.
    for told in
        select record_id, told_by, plan.name, has_older
        from pg_temp.plan
        where told_by is not null
        order by record_id
        limit 1
    loop
        raise exception using
            message = format(
                'the day %s is in two new files, %s and %s: which of them is right?', told.record_id, told.told_by, told.name
            ),
            hint = case
                when told.has_older then format(
                    'remove the wrong one at its source, or correct it there so that it does not have this day, and run again '
                    '(merganser reprocess would read an older %s)',
                    told.name
                )
                else format(
                    'if %s is right: merganser reprocess datapoints %s; if not, remove it at its source and run again',
                    told.name,
                    pg_temp.quoted(told.name)
                )
            end;
    end loop;
    for name, month in
        select wanted.name, wanted.month
        from (values ('datapoints'), ('datapoint_place_days')) as partitioned (name)
            join pg_class as class on class.relname = partitioned.name and class.relkind = 'p'
            join pg_namespace as namespace on namespace.oid = class.relnamespace and namespace.nspname = schema
            cross join lateral (
                select distinct partitioned.name, date_trunc('month', record_id)::date as month
                from pg_temp.plan
                where action = 'load'
            ) as wanted
        order by wanted.name, wanted.month
    loop
        part := name || to_char(month, '_YYYY_MM');
        continue when exists (
            select
            from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
            where class.relname = part and namespace.nspname = schema
        );
        execute format('create table %I.%I (like %I.%I including defaults)', schema, part, schema, name);
        execute format(
            'alter table %I.%I attach partition %I.%I for values from (%L) to (%L)',
            schema, name, schema, part, month, (month + interval '1 month')::date
        );
    end loop;
end
$$;

-- If a line of places.csv could not be read, it may be the line of any place, so places that the file does not name are kept.
create temp table unnamed on commit drop as
with unread as (
    select count(*) as lines
    from :"ledger".failed_records
    where run_id = :'run_id' and table_name = 'datapoint_places'
),
kept as (
    insert into :"staging".datapoint_places (postcode, lat, lon, zone)
    select postcode, lat, lon, zone
    from :"schema".datapoint_places as places
    where exists (select from :"staging".datapoint_places)
        and (select lines from unread) > 0
        and not exists (select from :"staging".datapoint_places as staged where staged.postcode = places.postcode)
    returning 1
)
select unread.lines, (select count(*) from kept) as kept from unread;

do $$
declare
    unnamed record;
begin
    for unnamed in select * from pg_temp.unnamed where kept > 0
    loop
        raise warning using errcode = 'MG001', message = format(
            'places.csv does not name %s known %s. No place was removed, because %s of it failed. Next: correct the file and run again',
            unnamed.kept,
            case unnamed.kept when 1 then 'place' else 'places' end,
            case unnamed.lines when 1 then '1 line' else unnamed.lines || ' lines' end
        );
    end loop;
end
$$;

create temp table moved on commit drop as
select coalesce(new.postcode, old.postcode) as postcode, new.zone
from :"staging".datapoint_places as new
    full join :"schema".datapoint_places as old on old.postcode = new.postcode
where exists (select from :"staging".datapoint_places) and new.zone is distinct from old.zone;

analyze pg_temp.moved;

-- The file is the complete list of places.
with old as materialized (
    select places.*
    from :"schema".datapoint_places as places
        left join :"staging".datapoint_places as staged on staged.postcode = places.postcode
    where exists (select from :"staging".datapoint_places)
        and (places.lat, places.lon, places.zone) is distinct from (staged.lat, staged.lon, staged.zone)
    for update of places
),
kept as (
    insert into :"images".:"before_datapoint_places" select :undo_no, old.* from old returning 1
),
updated as (
    update :"schema".datapoint_places as places
    set lat = staged.lat, lon = staged.lon, zone = staged.zone
    from :"staging".datapoint_places as staged
    where staged.postcode = places.postcode
        -- Evaluated first, because a row that this statement has changed cannot be locked and read any more.
        and (select count(*) from kept) >= 0
        and (places.lat, places.lon, places.zone) is distinct from (staged.lat, staged.lon, staged.zone)
    returning 1
),
gone as (
    delete from :"schema".datapoint_places as places
    using old
    where old.postcode = places.postcode
        and (select count(*) from kept) >= 0
        and not exists (select from :"staging".datapoint_places as staged where staged.postcode = places.postcode)
    returning 1
),
inserted as (
    insert into :"schema".datapoint_places (postcode, lat, lon, zone)
    select postcode, lat, lon, zone
    from :"staging".datapoint_places as staged
    where not exists (select from :"schema".datapoint_places as places where places.postcode = staged.postcode)
    order by postcode
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    'datapoint_places',
    'update',
    (select count(*) from old join :"staging".datapoint_places as staged on staged.postcode = old.postcode),
    (select count(*) from updated)
union all
select
    'datapoint_places',
    'delete',
    (
        select count(*)
        from old
        where not exists (select from :"staging".datapoint_places as staged where staged.postcode = old.postcode)
    ),
    (select count(*) from gone)
union all
select
    'datapoint_places',
    'insert',
    (
        select count(*)
        from :"staging".datapoint_places as staged
        where not exists (select from :"schema".datapoint_places as places where places.postcode = staged.postcode)
    ),
    (select count(*) from inserted);
