-- Purpose: plan a replacement: the table becomes what the newest part says, and only rows that differ are touched.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :'run_id', :batch, :'dataset', :'schema', :'overwrite_newer', true only when the operator asks for it;
--          :"staging".:"records"; :"staging".:"table" and :"schema".:"table", known by :"key", a text; :texts, their
--          columns as texts; :"ledger".parts, runs, slice_origins and failed_records.
-- Outputs: pg_temp.replacing, the part whose word the table takes on (no row: what is there is newer), for the slice ''; pg_temp.plan, one row a
--          record: record_id, action (load, same, superseded or delete), part_id, ordinal and order_key of the winning
--          record, is_newly_sealed and has_data (never: nothing is deleted for ever here); pg_temp.counted, whether each
--          record that is to be loaded has its row.

create temp table replacing on commit drop as
with newest as (
    select part_id, order_key, name
    from :"ledger".parts
    where run_id = :'run_id' and batch = :batch and status = 'pending'
    order by order_key collate "C" desc, name collate "C" desc, part_id desc
    limit 1
),
origin as (
    select parts.order_key, parts.name, parts.records_loaded
    from :"ledger".slice_origins join :"ledger".parts using (part_id)
    where slice_origins.dataset = :'dataset' and slice_origins.target_schema = :'schema' and slice_origins.slice = ''
),
-- Of a table that was taken over, the newest part that was entered as done.
adopted as (
    select parts.order_key, parts.name, parts.records_loaded
    from :"ledger".parts join :"ledger".runs using (run_id)
    where runs.dataset = :'dataset'
        and runs.target_schema = :'schema'
        and not runs.dry_run
        and parts.status in ('done', 'done_with_failures')
        and parts.run_id <> :'run_id'
        and not exists (select from origin)
    order by parts.order_key collate "C" desc, parts.name collate "C" desc
    limit 1
),
known as (
    select * from origin union all select * from adopted
)
select newest.part_id, ''::text as slice
from newest left join known on true
where :'overwrite_newer'::boolean
    or known.name is null
    or (known.order_key collate "C", known.name collate "C") <= (newest.order_key, newest.name)
    -- Where production was made anew, the ledger remembers what is no longer there.
    or (known.records_loaded > 0 and not exists (select from :"schema".:"table"));

create temp table plan on commit drop as
with staged as (
    select
        record_id,
        bool_or(is_winner) as is_winner,
        max(part_id) filter (where is_winner) as part_id,
        max(ordinal) filter (where is_winner) as ordinal,
        max(order_key collate "C") filter (where is_winner) as order_key
    from :"staging".:"records"
    group by record_id
),
meant as (
    select :"key"::text as record_id, array[:texts] as content from :"staging".:"table"
),
there as (
    select :"key"::text as record_id, array[:texts] as content from :"schema".:"table"
),
failed as (
    select distinct record_id
    from :"ledger".failed_records
    where part_id in (select part_id from pg_temp.replacing)
),
decided as (
    select
        coalesce(staged.record_id, there.record_id) as record_id,
        staged.part_id,
        staged.ordinal,
        staged.order_key,
        case
            when not exists (select from pg_temp.replacing) then 'superseded'
            -- What it says now could not be read: its row stays.
            when coalesce(staged.record_id, there.record_id) in (select record_id from failed where record_id is not null)
                then 'superseded'
            when staged.is_winner and meant.content is not distinct from there.content then 'same'
            when staged.is_winner then 'load'
            when there.record_id is null then 'superseded'
            -- Nobody knows which row that one was.
            when exists (select from failed where record_id is null) then 'superseded'
            else 'delete'
        end as action,
        staged.record_id is not null as is_staged
    from staged
        full join there on there.record_id = staged.record_id
        left join meant on meant.record_id = staged.record_id
)
select record_id, part_id, ordinal, order_key, false as is_newly_sealed, false as has_data, action
from decided
where is_staged or action = 'delete';

analyze pg_temp.plan;

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- A row that was lost on its way here would count as one that is the same as none.
insert into pg_temp.counted (table_name, change, expected, found)
select
    :'table',
    'staged',
    (select count(*) from :"staging".:"records" where is_winner),
    (select count(*) from :"staging".:"table");
