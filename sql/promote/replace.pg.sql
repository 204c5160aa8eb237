-- Purpose: plan a replacement: the table becomes what the newest part says, and only rows that differ are touched.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :'run_id', :batch, :'dataset', :'schema', :'overwrite_newer', true only when the operator asks for it;
--          :"staging".:"records"; :"staging".:"table" and :"schema".:"table", their :columns, known by :"key";
--          :"ledger".parts, runs, slice_origins and failed_records.
-- Outputs: pg_temp.replacing, the part whose word the table takes on (no row: what is there is newer); pg_temp.plan, one row a
--          record: record_id, action (load, same, superseded or delete), part_id, ordinal and order_key of the winning
--          record, is_newly_sealed and has_data (never: nothing is deleted for ever here); pg_temp.counted, empty.

create temp table replacing on commit drop as
with newest as (
    select part_id, order_key, name
    from :"ledger".parts
    where run_id = :'run_id' and batch = :batch and status = 'pending'
    order by order_key collate "C" desc, name collate "C" desc, part_id desc
    limit 1
),
known as (
    select parts.order_key, parts.name
    from :"ledger".slice_origins join :"ledger".parts using (part_id)
    where slice_origins.dataset = :'dataset' and slice_origins.target_schema = :'schema' and slice_origins.slice = ''
)
select newest.part_id
from newest left join known on true
where :'overwrite_newer'::boolean
    or known.name is null
    or (known.order_key collate "C", known.name collate "C") <= (newest.order_key, newest.name)
    -- Where production was made anew, the ledger remembers what is no longer there.
    or not exists (select from :"schema".:"table");

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
    select meant.:"key" as record_id, meant as content from (select :columns from :"staging".:"table") as meant
),
there as (
    select there.:"key" as record_id, there as content from (select :columns from :"schema".:"table") as there
),
failed as (
    select distinct record_id from :"ledger".failed_records where run_id = :'run_id' and record_id is not null
),
decided as (
    select
        coalesce(staged.record_id, there.record_id) as record_id,
        staged.part_id,
        staged.ordinal,
        staged.order_key,
        case
            when not exists (select from pg_temp.replacing) then 'superseded'
            when staged.is_winner and meant.content is not distinct from there.content then 'same'
            when staged.is_winner then 'load'
            when there.record_id is null then 'superseded'
            -- What it says now could not be read.
            when there.record_id in (select record_id from failed) then 'superseded'
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
