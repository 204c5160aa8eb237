-- Purpose: plan and note a replacement of slices: each part replaces its slice of the table, and no other row is touched.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/slices.pg.sql

-- part: slice_tables  (script, first)
-- Purpose: room for the slices of the run.
-- Inputs:  none.
-- Outputs: pg_temp.slice_tests, the values of each test of a column; pg_temp.replacing, the parts whose word counts.
create temp table slice_tests (test_no integer primary key, texts text[] not null) on commit drop;
create temp table replacing (part_id bigint primary key) on commit drop;

-- part: slice_values  (statement, after slice_tables)
-- Purpose: enter the values of the tests.
-- Inputs:  $1 a JSON list of lists of texts, in the order of the tests, which are numbered from 1.
-- Outputs: rows of pg_temp.slice_tests.
insert into pg_temp.slice_tests (test_no, texts)
select test.position::integer, array(select jsonb_array_elements_text(test.value))
from jsonb_array_elements($1::text::jsonb) with ordinality as test (value, position);

-- part: slice_parts  (statement, after slice_tables)
-- Purpose: enter the parts whose word counts.
-- Inputs:  $1 part_ids.
-- Outputs: rows of pg_temp.replacing.
insert into pg_temp.replacing (part_id) select unnest($1::bigint[]);

-- part: slice_known  (statement)
-- Purpose: which parts are slices of production what they say?
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: slice (JSON), the order key and the name of the part.
select slice_origins.slice, parts.order_key, parts.name
from :"ledger".slice_origins join :"ledger".parts using (part_id)
where slice_origins.dataset = $1 and slice_origins.target_schema = $2;

-- part: slice_failed  (statement)
-- Purpose: the slices of those parts of a batch that could not be read: they stay as they are.
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: slices, as JSON.
select slice::text from :"ledger".parts where run_id = $1 and batch = $2 and status = 'failed' and slice is not null;

-- part: slice_doubted  (statement)
-- Purpose: which parts have failed records of which nobody knows whose row they mean?
-- Inputs:  $1 part_ids; :"ledger".
-- Outputs: part_id.
select distinct part_id from :"ledger".failed_records where part_id = any($1::bigint[]) and record_id is null;

-- part: slice_plan  (script)
-- Purpose: decide for each record and for each row of the slices what becomes of it; only rows that differ are touched.
-- Inputs:  :"staging".:"records"; :"staging".:"table" and :"schema".:"table", known by :"key", a text; :texts, their columns as
--          texts; :in_slices, which rows of production are in the slices; :in_kept, which rows stay because a newer part covers
--          them; :in_doubt, which of those in the slices a failed record without a key may mean; pg_temp.slice_tests and replacing; :"ledger".failed_records.
-- Outputs: pg_temp.plan, one row a record: record_id, action (load, same, superseded or delete), part_id, ordinal and order_key of
--          the winning record, is_newly_sealed and has_data (never); pg_temp.slice_rows, how many rows of the slices are there;
--          pg_temp.slice_in_doubt, how many of them stay because of such a failed record; pg_temp.counted, whether each record that is to be loaded has its row.
create temp table slice_there on commit drop as
select :"key" as record_id, array[:texts] as content, true as is_in, :in_doubt as is_in_doubt
from :"schema".:"table"
where :in_slices
union all
-- What was in another slice until now is the same record still.
select :"key", array[:texts], false, false
from :"schema".:"table"
where not (:in_slices)
    and :"key" in (select record_id from :"staging".:"records" where is_winner);

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
-- What is new is compared with nothing.
meant as (
    select :"key" as record_id, array[:texts] as content
    from :"staging".:"table"
    where :"key" in (select record_id from pg_temp.slice_there)
),
overruled as (
    select :"key" as record_id from :"staging".:"table" where :in_kept
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
            -- What it says now could not be read: its row stays.
            when failed.record_id is not null then 'superseded'
            -- Another part, which is newer, has said something else.
            when staged.record_id is not null and replacing.part_id is null then 'superseded'
            when overruled.record_id is not null then 'superseded'
            when staged.is_winner and meant.content = there.content then 'same'
            when staged.is_winner then 'load'
            when there.record_id is null or not there.is_in then 'superseded'
            -- Nobody knows which row that one was.
            when there.is_in_doubt then 'superseded'
            else 'delete'
        end as action,
        staged.record_id is not null as is_staged
    from staged
        full join pg_temp.slice_there as there on there.record_id = staged.record_id
        left join meant on meant.record_id = staged.record_id
        left join overruled on overruled.record_id = staged.record_id
        left join failed on failed.record_id = coalesce(staged.record_id, there.record_id)
        left join pg_temp.replacing on replacing.part_id = staged.part_id
)
select record_id, part_id, ordinal, order_key, false as is_newly_sealed, false as has_data, action
from decided
where is_staged or action = 'delete';

create temp table slice_rows on commit drop as select count(*) as rows from pg_temp.slice_there where is_in;

create temp table slice_in_doubt on commit drop as
select count(*) as rows
from pg_temp.slice_there as there
where there.is_in
    and there.is_in_doubt
    and not exists (select from :"staging".:"records" as staged where staged.record_id = there.record_id)
    and not exists (
        select
        from :"ledger".failed_records as failed
        where failed.part_id in (select part_id from pg_temp.replacing) and failed.record_id = there.record_id
    );

drop table pg_temp.slice_there;

analyze pg_temp.plan;

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- A row that was lost on its way here would count as one that is the same as none.
insert into pg_temp.counted (table_name, change, expected, found)
select
    :'table',
    'staged',
    (select count(*) from :"staging".:"records" where is_winner),
    (select count(*) from :"staging".:"table");

-- part: slice_counted  (script, after ledger.pg.sql)
-- Purpose: is every record that was asked for accounted for?
-- Inputs:  :'run_id', :batch; :"ledger".parts.
-- Outputs: rows of pg_temp.counted, one for each part.
insert into pg_temp.counted (table_name, change, expected, found)
select
    name,
    'asked',
    coalesce(expected_records, records_seen),
    records_loaded + records_failed + records_superseded + records_deleted
from :"ledger".parts
where run_id = :'run_id' and batch = :batch and status in ('done', 'done_with_failures', 'retried');

-- part: slice_before  (script, after slice_plan)
-- Purpose: how many rows of the slices are there before anything changes?
-- Inputs:  pg_temp.slice_rows.
-- Outputs: one row: rows.
select rows from pg_temp.slice_rows;

-- part: slice_in_doubt  (script, after slice_plan)
-- Purpose: how many rows that no record names stay, because a failed record may mean them?
-- Inputs:  pg_temp.slice_in_doubt.
-- Outputs: one row: rows.
select rows from pg_temp.slice_in_doubt;

-- part: slice_note  (statement, after slice_plan)
-- Purpose: the ledger remembers which part a slice is what it says.
-- Inputs:  $1 dataset, $2 target schema, $3 slices that are of no account any more, $4 a JSON list of objects: slice (a text) and
--          part_id; :"ledger".
-- Outputs: :"ledger".slice_origins; pg_temp.counted, how many rows had to change, and did.
with gone as (
    delete from :"ledger".slice_origins
    where dataset = $1
        and target_schema = $2
        and slice = any($3::text[])
        and slice not in (select slice from jsonb_to_recordset($4::text::jsonb) as said (slice text))
    returning 1
),
said as materialized (
    select slice, max(part_id) as part_id
    from jsonb_to_recordset($4::text::jsonb) as said (slice text, part_id bigint)
    group by slice
),
written as (
    insert into :"ledger".slice_origins (dataset, target_schema, slice, part_id)
    select $1, $2, slice, part_id from said
    on conflict (dataset, target_schema, slice) do update
    set part_id = excluded.part_id, loaded_at = excluded.loaded_at
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'slice_origins', 'insert', (select count(*) from said), (select count(*) from written)
from (select count(*) from gone) as dropped;

-- part: slice_open  (statement)
-- Purpose: which other parts have failed records that are not settled?
-- Inputs:  $1 dataset, $2 target schema, $3 run_id; :"ledger".
-- Outputs: part_id and slice (JSON).
select distinct failed.part_id, parts.slice::text
from :"ledger".failed_records as failed
    join :"ledger".parts on parts.part_id = failed.part_id
    join :"ledger".runs on runs.run_id = failed.run_id
where failed.resolved_at is null
    and runs.dataset = $1
    and runs.target_schema = $2
    and failed.run_id <> $3
    and not runs.dry_run
    and parts.slice is not null;

-- part: slice_settle  (statement)
-- Purpose: what failed in a part whose slice others have said anew is of no account any more.
-- Inputs:  $1 run_id, $2 part_ids; :"ledger".
-- Outputs: :"ledger".failed_records; pg_temp.counted, how many rows had to change, and did.
with settled as materialized (
    select failed_record_id
    from :"ledger".failed_records
    where part_id = any($2::bigint[]) and resolved_at is null
),
written as (
    update :"ledger".failed_records as failed
    set resolved_by = $1, resolved_at = now(), resolution = 'superseded'
    from settled
    where failed.failed_record_id = settled.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from settled), (select count(*) from written);
