-- Purpose: undo batches: restore production to its state before them, from the before-images.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion, but for the first part
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/undo/undo.pg.sql

-- part: run  (statement)
-- Purpose: what a run has done, for somebody who wants to undo it; or the last runs that have loaded something, whether or not they are
--          undone. The last runs leave out undos and dry runs, which a person does not mean.
-- Inputs:  $1 run_id, or null: the last runs; :"ledger".
-- Outputs: dataset, target_schema, kind, dry_run; committed, how many batches it has committed; kept, how many of these still
--          have before-images; undone_by, the run that has undone it, or null; kept_until, until when these are kept, or null;
--          started, in UTC; run_id. The newest run first, at most a hundred.
with chosen as (
    select runs.*, (
        select count(*)
        from :"ledger".steps
        where steps.run_id = runs.run_id and steps.status = 'completed' and steps.step = 'promote'
    ) as committed
    from :"ledger".runs
    where case
        when $1::uuid is null then not runs.dry_run and runs.kind in ('run', 'reprocess', 'retry', 'backfill')
        else runs.run_id = $1
    end
)
select
    chosen.dataset,
    chosen.target_schema,
    chosen.kind,
    chosen.dry_run,
    chosen.committed,
    count(batch.undo_no) filter (where batch.kept_until > now()) as kept,
    max(batch.undone_by::text) as undone_by,
    max(batch.kept_until)::text as kept_until,
    to_char(chosen.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as started,
    chosen.run_id
from chosen left join :"ledger".undo_batches as batch using (run_id)
where $1::uuid is not null or chosen.committed > 0
group by chosen.run_id, chosen.dataset, chosen.target_schema, chosen.kind, chosen.dry_run, chosen.committed, chosen.started_at
order by chosen.started_at desc
limit 100;

-- part: none_sealed  (script)
-- Purpose: an empty list of sealed records, for a dataset that seals none.
-- Inputs:  none.
-- Outputs: pg_temp.sealed_records, without rows.
create or replace temp view sealed_records as select null::text as record_id where false;

-- part: undoing  (script)
-- Purpose: create the list of batches that are undone.
-- Inputs:  none.
-- Outputs: pg_temp.undoing.
create temp table undoing (
    undo_no bigint primary key, run_id uuid not null, batch integer not null, is_undo boolean not null
) on commit drop;

-- part: batches  (statement, after undoing)
-- Purpose: list the batches of these runs.
-- Inputs:  $1 run_ids; :"ledger".
-- Outputs: rows of pg_temp.undoing.
insert into pg_temp.undoing (undo_no, run_id, batch, is_undo)
select batch.undo_no, batch.run_id, batch.batch, runs.kind = 'undo'
from :"ledger".undo_batches as batch join :"ledger".runs using (run_id)
where batch.run_id = any ($1::uuid[]) and batch.undone_by is null and batch.kept_until > now();

-- part: undone  (script, after batches)
-- Purpose: what to restore: each record as it was before the first of these batches that touched it. A sealed record stays
--          sealed, whichever run sealed it.
-- Inputs:  pg_temp.undoing, pg_temp.sealed_records; :"ledger".undo_records.
-- Outputs: pg_temp.undone, one row a record: for its rows, for what is kept beside them and for its origin the number of the first batch that
--          touched it (null: none did), and whether there was anything before; what the origin was.
create temp table undone on commit drop as
with first as (
    select
        record_id,
        min(undo_no) filter (where had_rows is not null) as rows_no,
        min(undo_no) filter (where had_kept is not null) as kept_no,
        min(undo_no) filter (where had_origin is not null) as origin_no
    from :"ledger".undo_records
    where undo_no in (select undo_no from pg_temp.undoing)
        and not exists (
            select from pg_temp.sealed_records as sealed where sealed.record_id = undo_records.record_id
        )
    group by record_id
)
select
    first.record_id,
    first.rows_no,
    first.kept_no,
    first.origin_no,
    bool_or(record.had_rows) filter (where record.undo_no = first.rows_no) as had_rows,
    bool_or(record.had_kept) filter (where record.undo_no = first.kept_no) as had_kept,
    bool_or(record.had_origin) filter (where record.undo_no = first.origin_no) as had_origin,
    max(record.part_id) filter (where record.undo_no = first.origin_no) as part_id,
    max(record.ordinal) filter (where record.undo_no = first.origin_no) as ordinal,
    max(record.loaded_at) filter (where record.undo_no = first.origin_no) as loaded_at
from first
    join :"ledger".undo_records as record
        on record.record_id = first.record_id and record.undo_no in (select undo_no from pg_temp.undoing)
group by first.record_id, first.rows_no, first.kept_no, first.origin_no;

analyze pg_temp.undone;

-- part: later  (script, after undone)
-- Purpose: which later batches touched these records? Batches that were undone since, and the undos themselves, are left out.
-- Inputs:  pg_temp.undone, pg_temp.undoing; :"ledger".undo_batches, undo_records; :'dataset', :'schema'.
-- Outputs: pg_temp.later: record_id, undo_no, run_id; is_rows, is_kept and is_origin, what it touched of what is to be restored; has_images;
--          its origin before; next_rows and next_origin, the next batch that touched these (null: production has what it left);
--          pg_temp.states, empty.
create temp table later on commit drop as
with touched as (
    select
        record.*,
        batch.run_id,
        batch.undone_by,
        coalesce(batch.kept_until > now(), false) as has_images,
        undone.rows_no,
        undone.kept_no,
        undone.origin_no,
        min(record.undo_no) filter (where record.had_rows is not null) over after as next_rows,
        min(record.undo_no) filter (where record.had_origin is not null) over after as next_origin
    from pg_temp.undone
        join :"ledger".undo_records as record on record.record_id = undone.record_id
        join :"ledger".undo_batches as batch on batch.undo_no = record.undo_no
    where batch.dataset = :'dataset' and batch.target_schema = :'schema'
    window after as (
        partition by record.record_id order by record.undo_no rows between 1 following and unbounded following
    )
)
select
    record_id,
    undo_no,
    run_id,
    coalesce(had_rows is not null and undo_no > rows_no, false) as is_rows,
    coalesce(had_kept is not null and undo_no > kept_no, false) as is_kept,
    coalesce(had_origin is not null and undo_no > origin_no, false) as is_origin,
    has_images,
    part_id,
    ordinal,
    next_rows,
    next_origin
from touched
where undone_by is null
    and undo_no not in (select undo_no from pg_temp.undoing)
    and undo_no > least(rows_no, kept_no, origin_no)
    -- A still later batch that was undone has left nothing behind.
    and coalesce(
        (select min(target.undo_no) from :"ledger".undo_batches as target where target.undone_by = touched.run_id), 0
    ) <= least(rows_no, kept_no, origin_no);

create temp table states (record_id text not null, undo_no bigint not null, content text not null) on commit drop;

-- part: images_then  (script, after later)
-- Purpose: the rows of these records in a table when a later batch began, and when the next one did.
-- Inputs:  :"ledger".:"image", :'table', :"key"; pg_temp.later.
-- Outputs: rows of pg_temp.states.
insert into pg_temp.states (record_id, undo_no, content)
select
    image.:"key",
    image.merganser_undo_no,
    :'table' || ' ' || jsonb_strip_nulls(to_jsonb(image) - 'merganser_undo_no')
from :"ledger".:"image" as image
    join (
        select record_id, undo_no from pg_temp.later where is_rows
        union
        select record_id, next_rows from pg_temp.later where is_rows and next_rows is not null
    ) as wanted on wanted.record_id = image.:"key" and wanted.undo_no = image.merganser_undo_no;

-- part: rows_now  (script, after later)
-- Purpose: the rows of these records in a table now.
-- Inputs:  :"schema".:"table", :'table', :"key"; pg_temp.later.
-- Outputs: rows of pg_temp.states, numbered 0.
insert into pg_temp.states (record_id, undo_no, content)
select production.:"key", 0, :'table' || ' ' || jsonb_strip_nulls(to_jsonb(production))
from :"schema".:"table" as production
    join (select distinct record_id from pg_temp.later where is_rows and next_rows is null) as wanted
        on wanted.record_id = production.:"key";

-- part: changed  (script, after rows_now)
-- Purpose: which later runs changed records that are to be restored? Loading the same content again is no change.
-- Inputs:  pg_temp.later, pg_temp.states; :"ledger".record_origins, undo_records, parts and runs; :'dataset', :'schema'.
-- Outputs: run_id and the number of records of each, the oldest run first.
with content as (
    select record_id, undo_no, md5(string_agg(content, E'\n' order by content collate "C")) as digest
    from pg_temp.states
    group by record_id, undo_no
),
changed as (
    select later.run_id, later.record_id
    from pg_temp.later
        left join content as before on before.record_id = later.record_id and before.undo_no = later.undo_no
        left join content as left_behind
            on left_behind.record_id = later.record_id and left_behind.undo_no = coalesce(later.next_rows, 0)
        left join :"ledger".undo_records as next
            on next.record_id = later.record_id and next.undo_no = later.next_origin
        left join :"ledger".record_origins as now
            on later.next_origin is null
            and now.dataset = :'dataset'
            and now.target_schema = :'schema'
            and now.record_id = later.record_id
        left join :"ledger".parts as before_part on before_part.part_id = later.part_id
        left join :"ledger".parts as after_part on after_part.part_id = coalesce(next.part_id, now.part_id)
    where later.is_kept
        or later.is_rows and (not later.has_images or before.digest is distinct from left_behind.digest)
        or later.is_origin and (before_part.name, before_part.sha256, later.ordinal)
            is distinct from (after_part.name, after_part.sha256, coalesce(next.ordinal, now.ordinal))
)
select changed.run_id, count(distinct changed.record_id) as records
from changed join :"ledger".runs using (run_id)
group by changed.run_id, runs.started_at
order by runs.started_at;

-- part: later_parts  (statement, after undone)
-- Purpose: the parts that slices of a table came from, for these batches and for later ones.
-- Inputs:  $1 dataset, $2 target schema; pg_temp.undoing; :"ledger".parts, undo_batches, undo_slices and slice_origins.
-- Outputs: run_id, slice as JSON text (null or empty: all of the table), sha256, is_later.
-- An undo has no part: the slices that it restored came from earlier parts.
select undoing.run_id, was.slice, parts.sha256, false as is_later
from pg_temp.undoing
    join :"ledger".undo_batches as target on target.undone_by = undoing.run_id
    join :"ledger".undo_slices as was on was.undo_no = target.undo_no
    left join :"ledger".parts on parts.part_id = was.part_id
where undoing.is_undo
union all
select batch.run_id, parts.slice::text, parts.sha256, undoing.undo_no is null
from :"ledger".undo_batches as batch
    join :"ledger".parts on parts.run_id = batch.run_id and parts.batch = batch.batch
    left join pg_temp.undoing on undoing.undo_no = batch.undo_no
where batch.dataset = $1
    and batch.target_schema = $2
    and batch.undone_by is null
    and batch.undo_no >= (select min(undo_no) from pg_temp.undoing)
    and (
        parts.part_id in (select part_id from :"ledger".slice_origins)
        or parts.part_id in (select part_id from :"ledger".undo_slices)
    );

-- part: columns  (statement)
-- Purpose: the columns of a production table that accept a value, and those of its before-images.
-- Inputs:  $1 schema and $2 name of the table, $3 schema and $4 names of tables of before-images.
-- Outputs: relation (null: the production table), name of the column, is_same: production has it, of that type, and accepts a value
--          for it.
with production as (
    select attname, atttypid, atttypmod, attgenerated
    from pg_attribute as attribute
        join pg_class as class on class.oid = attribute.attrelid
        join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = $2 and attribute.attnum > 0 and not attribute.attisdropped
)
select null::text as relation, attname::text as name, attgenerated = '' as is_same
from production
union all
select
    class.relname::text,
    attribute.attname::text,
    exists (
        select
        from production
        where production.attname = attribute.attname
            and production.atttypid = attribute.atttypid
            and production.atttypmod = attribute.atttypmod
    )
from pg_attribute as attribute
    join pg_class as class on class.oid = attribute.attrelid
    join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $3
    and class.relname = any ($4::text[])
    and attribute.attnum > 0
    and not attribute.attisdropped
    and attribute.attname <> 'merganser_undo_no'
    -- The server computes generated columns again.
    and not exists (
        select from production where production.attname = attribute.attname and production.attgenerated <> ''
    );

-- part: stage  (script)
-- Purpose: create the staging table for the rows of a table that come back.
-- Inputs:  :"schema".:"table"; :nullable, what lets each of its columns be null.
-- Outputs: pg_temp.:"table", with its columns and their defaults.
create temp table :"table" (like :"schema".:"table" including defaults) on commit drop;
alter table pg_temp.:"table" :nullable;

-- part: stage_rows  (script, after stage and undone)
-- Purpose: stage the rows of a table that come back.
-- Inputs:  :"ledger".:"image", :"key", :"table", :columns, those that both have; :had and :touched_no, the columns of pg_temp.undone that say
--          whether they come back, and from which batch; pg_temp.undone and undoing.
-- Outputs: pg_temp.:"table"; the last statement counts its rows.
insert into pg_temp.:"table" (:columns)
select :columns
from :"ledger".:"image" as image
where image.merganser_undo_no in (select undo_no from pg_temp.undoing)
    and exists (
        select
        from pg_temp.undone
        where undone.record_id = image.:"key" and undone.:had and undone.:touched_no = image.merganser_undo_no
    );

-- part: staged  (script, after stage_rows)
-- Purpose: tell the planner about the rows that come back.
-- Inputs:  pg_temp.:"table".
-- Outputs: none.
analyze pg_temp.:"table";

-- part: lost  (script, after stage_rows of the parent)
-- Purpose: how many records should get their rows back but have none staged?
-- Inputs:  pg_temp.:"table", the parent's, :"key"; pg_temp.undone.
-- Outputs: one row: their number; 0 is a pass.
select count(*)
from pg_temp.undone
where rows_no is not null
    and had_rows
    and not exists (select from pg_temp.:"table" as staged where staged.:"key" = undone.record_id);

-- part: plan  (script, after undone)
-- Purpose: the plan for each record: its rows come back, or it is deleted because it was not there before.
-- Inputs:  pg_temp.undone.
-- Outputs: pg_temp.plan: record_id, action (load or delete), part_id (null: nothing is read), is_newly_sealed and has_data (never);
--          pg_temp.counted, empty.
create temp table plan on commit drop as
select
    record_id,
    null::bigint as part_id,
    null::bigint as ordinal,
    false as is_newly_sealed,
    false as has_data,
    case when had_rows then 'load' else 'delete' end as action
from pg_temp.undone
where rows_no is not null;

analyze pg_temp.plan;

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- part: records  (script, after begin (promote/merge.pg.sql), before anything goes)
-- Purpose: which records does this undo change, and what is there now? So the undo can be undone, too.
-- Inputs:  :undo_no; pg_temp.undone; :"schema".:"table" (the parent), :"key"; :"ledger".undo_records and record_origins; :'dataset', :'schema'.
-- Outputs: rows of :"ledger".undo_records. The part kept adds what is kept beside the rows.
insert into :"ledger".undo_records (
    undo_no, record_id, had_rows, had_kept, had_origin, part_id, ordinal, loaded_at
)
select
    :undo_no,
    undone.record_id,
    case
        when undone.rows_no is not null then exists (
            select from :"schema".:"table" as parent where parent.:"key" = undone.record_id
        )
    end,
    case when undone.kept_no is not null then false end,
    case when undone.origin_no is not null then origin.record_id is not null end,
    origin.part_id,
    origin.ordinal,
    origin.loaded_at
from pg_temp.undone
    left join :"ledger".record_origins as origin
        on undone.origin_no is not null
        and origin.dataset = :'dataset'
        and origin.target_schema = :'schema'
        and origin.record_id = undone.record_id;

-- part: kept  (script, after records and stage_kept)
-- Purpose: restore what is kept beside the rows. A single row of a record is updated in place, so that nothing that refers to it
--          is deleted.
-- Inputs:  :"schema".:"table", pg_temp.:"table" (what comes back), :"key", :columns, :assignments, :overriding; pg_temp.undone;
--          :"images".:"before", :undo_no; :keeps_images; :"ledger".undo_records.
-- Outputs: the table; :"images".:"before" with its current rows; undo_records; rows of pg_temp.counted.
create temp table kept_before on commit drop as
select kept.:"key" as record_id, count(*) as rows
from :"schema".:"table" as kept
    join pg_temp.undone on undone.record_id = kept.:"key" and undone.kept_no is not null
group by kept.:"key";

create temp table kept_several on commit drop as
select record_id from pg_temp.kept_before where rows > 1
union
select staged.:"key" from pg_temp.:"table" as staged group by staged.:"key" having count(*) > 1;

insert into :"images".:"before"
select :undo_no, kept.*
from :"schema".:"table" as kept
where :keeps_images and kept.:"key" in (select record_id from pg_temp.kept_before)
for update of kept;

update :"ledger".undo_records as record
set had_kept = true
from pg_temp.kept_before
where record.undo_no = :undo_no and record.record_id = kept_before.record_id and not record.had_kept;

with gone as (
    delete from :"schema".:"table" as kept
    using pg_temp.undone
    where kept.:"key" = undone.record_id
        and undone.kept_no is not null
        and (not undone.had_kept or undone.record_id in (select record_id from pg_temp.kept_several))
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    :'table',
    'delete',
    (
        select coalesce(sum(kept_before.rows), 0)
        from pg_temp.kept_before join pg_temp.undone using (record_id)
        where not undone.had_kept or record_id in (select record_id from pg_temp.kept_several)
    ),
    (select count(*) from gone);

with updated as (
    update :"schema".:"table" as kept
    set :assignments
    from pg_temp.:"table" as staged
    where kept.:"key" = staged.:"key"
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    :'table',
    'update',
    (
        select count(*)
        from pg_temp.:"table" as staged
            join pg_temp.kept_before on kept_before.record_id = staged.:"key"
        where staged.:"key" not in (select record_id from pg_temp.kept_several)
    ),
    (select count(*) from updated);

with inserted as (
    insert into :"schema".:"table" (:columns) :overriding
    select :columns
    from pg_temp.:"table" as staged
    where not exists (select from :"schema".:"table" as kept where kept.:"key" = staged.:"key")
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    :'table',
    'insert',
    (
        select count(*)
        from pg_temp.:"table" as staged
        where staged.:"key" in (select record_id from pg_temp.kept_several)
            or staged.:"key" not in (select record_id from pg_temp.kept_before)
    ),
    (select count(*) from inserted);

drop table pg_temp.kept_before, pg_temp.kept_several;

-- part: ledger  (script, after the merge)
-- Purpose: the ledger's side of an undo: where each record came from, which parts are undone, which failed records are open again.
-- Inputs:  :undo_no, :'run_id', :'dataset', :'schema'; pg_temp.undone, undoing and sealed_records; :"ledger".
-- Outputs: :"ledger".record_origins, slice_origins, parts, failed_records, undo_batches and plans, updated; undo_ledger and undo_slices with their earlier
--          rows; pg_temp.counted, how many rows of each had to change, and did.
delete from :"ledger".record_origins as origin
using pg_temp.undone
where undone.origin_no is not null
    and origin.dataset = :'dataset'
    and origin.target_schema = :'schema'
    and origin.record_id = undone.record_id;

with back as materialized (
    select record_id, part_id, ordinal, loaded_at
    from pg_temp.undone
    where had_origin
    order by record_id
),
written as (
    insert into :"ledger".record_origins (dataset, target_schema, record_id, part_id, ordinal, loaded_at)
    select :'dataset', :'schema', record_id, part_id, ordinal, loaded_at from back
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'record_origins', 'insert', (select count(*) from back), (select count(*) from written);

create temp table slices_back on commit drop as
select distinct on (slice) slice, part_id, loaded_at
from :"ledger".undo_slices
where undo_no in (select undo_no from pg_temp.undoing)
order by slice, undo_no;

insert into :"ledger".undo_slices (undo_no, slice, part_id, loaded_at)
select :undo_no, back.slice, origin.part_id, origin.loaded_at
from pg_temp.slices_back as back
    left join :"ledger".slice_origins as origin
        on origin.dataset = :'dataset' and origin.target_schema = :'schema' and origin.slice = back.slice;

delete from :"ledger".slice_origins as origin
using pg_temp.slices_back as back
where origin.dataset = :'dataset' and origin.target_schema = :'schema' and origin.slice = back.slice;

with written as (
    insert into :"ledger".slice_origins (dataset, target_schema, slice, part_id, loaded_at)
    select :'dataset', :'schema', slice, part_id, loaded_at from pg_temp.slices_back where part_id is not null
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    'slice_origins',
    'insert',
    (select count(*) from pg_temp.slices_back where part_id is not null),
    (select count(*) from written);

-- The parts of the batches, and parts of later runs with the same bytes. What an earlier undo did to parts is reverted,
-- which counts first.
create temp table parts_back on commit drop as
with back as (
    select parts.part_id, 'undone' as status, parts.status as undone_from, null::bigint as place
    from :"ledger".parts
        join pg_temp.undoing on undoing.run_id = parts.run_id and undoing.batch = parts.batch and not undoing.is_undo
    where parts.status in ('done', 'done_with_failures', 'incomplete', 'retried')
    union all
    select again.part_id, 'undone', again.status, null
    from :"ledger".parts
        join pg_temp.undoing on undoing.run_id = parts.run_id and undoing.batch = parts.batch and not undoing.is_undo
        join :"ledger".parts as again
            on again.sha256 = parts.sha256 and again.name = parts.name and again.part_id > parts.part_id
        join :"ledger".runs on runs.run_id = again.run_id
    where parts.status in ('done', 'done_with_failures', 'incomplete')
        and again.status in ('done', 'done_with_failures', 'incomplete')
        and runs.dataset = :'dataset'
        and runs.target_schema = :'schema'
        and not runs.dry_run
    union all
    select parts.part_id, was.content ->> 'status', was.content ->> 'undone_from', was.undo_no
    from :"ledger".undo_ledger as was
        join pg_temp.undoing on undoing.undo_no = was.undo_no
        join :"ledger".parts on parts.part_id = was.row_id
    where was.table_name = 'parts'
)
select distinct on (part_id) part_id, status, undone_from
from back
order by part_id, place nulls last;

insert into :"ledger".undo_ledger (undo_no, table_name, row_id, content)
select :undo_no, 'parts', parts.part_id, jsonb_build_object('status', parts.status, 'undone_from', parts.undone_from)
from :"ledger".parts join pg_temp.parts_back using (part_id);

with written as (
    update :"ledger".parts as parts
    set status = back.status, undone_from = back.undone_from
    from pg_temp.parts_back as back
    where parts.part_id = back.part_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'parts', 'update', (select count(*) from pg_temp.parts_back), (select count(*) from written);

-- Failures that these runs settled are open again; their own failures are closed. A sealed record needs no repair. Dry runs
-- change none of this.
create temp table failed_back on commit drop as
with runs_back as (
    select distinct run_id from pg_temp.undoing where not is_undo
),
back as (
    select
        failed.failed_record_id,
        null::uuid as resolved_by,
        null::timestamptz as resolved_at,
        null::text as resolution,
        null::bigint as place
    from :"ledger".failed_records as failed
    where failed.resolved_by in (select run_id from runs_back)
        and failed.run_id not in (select run_id from runs_back)
        and failed.resolution <> 'deleted'
        and not exists (select from pg_temp.sealed_records as sealed where sealed.record_id = failed.record_id)
    union all
    select failed.failed_record_id, :'run_id'::uuid, now(), 'undone', null
    from :"ledger".failed_records as failed
    where failed.run_id in (select run_id from runs_back)
        and (
            failed.resolved_at is null
            or failed.resolved_by in (select run_id from runs_back) and failed.resolution <> 'deleted'
        )
    union all
    select
        failed.failed_record_id,
        (was.content ->> 'resolved_by')::uuid,
        (was.content ->> 'resolved_at')::timestamptz,
        was.content ->> 'resolution',
        was.undo_no
    from :"ledger".undo_ledger as was
        join pg_temp.undoing on undoing.undo_no = was.undo_no
        join :"ledger".undo_batches as batch on batch.undo_no = was.undo_no
        join :"ledger".failed_records as failed on failed.failed_record_id = was.row_id
    where was.table_name = 'failed_records'
        -- What another run has settled since stays settled.
        and (
            coalesce(failed.resolved_at <= batch.promoted_at, true)
            or failed.resolved_by in (select run_id from runs_back)
        )
        and not exists (select from pg_temp.sealed_records as sealed where sealed.record_id = failed.record_id)
)
select distinct on (failed_record_id) failed_record_id, resolved_by, resolved_at, resolution
from back
order by failed_record_id, place nulls last;

insert into :"ledger".undo_ledger (undo_no, table_name, row_id, content)
select
    :undo_no,
    'failed_records',
    failed.failed_record_id,
    jsonb_build_object(
        'resolved_by', failed.resolved_by, 'resolved_at', failed.resolved_at, 'resolution', failed.resolution
    )
from :"ledger".failed_records as failed join pg_temp.failed_back using (failed_record_id);

with written as (
    update :"ledger".failed_records as failed
    set resolved_by = back.resolved_by, resolved_at = back.resolved_at, resolution = back.resolution
    from pg_temp.failed_back as back
    where failed.failed_record_id = back.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from pg_temp.failed_back), (select count(*) from written);

create temp table batches_back on commit drop as
with back as (
    select undo_no, :'run_id'::uuid as undone_by, null::bigint as place from pg_temp.undoing
    union all
    select batch.undo_no, (was.content ->> 'undone_by')::uuid, was.undo_no
    from :"ledger".undo_ledger as was
        join pg_temp.undoing on undoing.undo_no = was.undo_no
        join :"ledger".undo_batches as batch on batch.undo_no = was.row_id
    where was.table_name = 'undo_batches'
)
select distinct on (undo_no) undo_no, undone_by from back order by undo_no, place nulls last;

insert into :"ledger".undo_ledger (undo_no, table_name, row_id, content)
select :undo_no, 'undo_batches', batch.undo_no, jsonb_build_object('undone_by', batch.undone_by)
from :"ledger".undo_batches as batch join pg_temp.batches_back using (undo_no);

with written as (
    update :"ledger".undo_batches as batch
    set undone_by = back.undone_by
    from pg_temp.batches_back as back
    where batch.undo_no = back.undo_no
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'undo_batches', 'update', (select count(*) from pg_temp.batches_back), (select count(*) from written);

-- Plans of runs that were cut off before they could remove them.
delete from :"ledger".plans where run_id in (select run_id from pg_temp.undoing);

-- part: counts  (script, after undone)
-- Purpose: the numbers of an undo.
-- Inputs:  pg_temp.undone, undoing; :"ledger".parts.
-- Outputs: one row: records whose rows come back, records that are deleted, records of which only the rest comes back, files, records
--          in them that were deletes or belong to sealed records.
select
    count(*) filter (where rows_no is not null and had_rows),
    count(*) filter (where rows_no is not null and not had_rows),
    count(*) filter (where rows_no is null),
    (
        select count(*)
        from :"ledger".parts join pg_temp.undoing on undoing.run_id = parts.run_id and undoing.batch = parts.batch
    ),
    (
        select coalesce(sum(parts.records_deleted), 0)::bigint
        from :"ledger".parts join pg_temp.undoing on undoing.run_id = parts.run_id and undoing.batch = parts.batch
    )
from pg_temp.undone;

-- part: edited  (script, after undone and later)
-- Purpose: how many rows of a table were not written by a batch of ours?
-- Inputs:  :"schema".:"table", :"key"; :touched_no, the column of pg_temp.undone that says whether its rows come back; pg_temp.undone and undoing;
--          :"ledger".undo_batches and undo_records; :'dataset', :'schema'.
-- Outputs: one row: the number of rows of these records that somebody else wrote.
select count(*)
from :"schema".:"table" as production
    join pg_temp.undone on undone.record_id = production.:"key" and undone.:touched_no is not null
where production.xmin not in (
    -- Written by the same transaction as the rows, and not since.
    select record.xmin
    from :"ledger".undo_records as record join :"ledger".undo_batches as batch using (undo_no)
    where batch.dataset = :'dataset'
        and batch.target_schema = :'schema'
        and batch.undo_no >= (select min(undo_no) from pg_temp.undoing)
);

-- part: written  (script, after undone and later)
-- Purpose: how many rows did these batches write into a table, and how many of them are still as they were written? Unknown if
--          a later run or a seal has deleted some.
-- Inputs:  :"schema".:"table", :'table', :'parent', :"key"; pg_temp.undone, undoing and later; :"ledger".undo_records and
--          table_changes.
-- Outputs: one row: the number of rows that are no longer there, or null.
select
    case
        when (select count(*) from pg_temp.undoing) = 1
            and not exists (select from pg_temp.later)
            -- None of them was sealed since.
            and (
                select coalesce(sum(change.inserted + change.replaced), 0)
                from :"ledger".table_changes as change
                    join pg_temp.undoing on undoing.run_id = change.run_id and undoing.batch = change.batch
                where change.table_name = :'parent'
            ) <= (select count(*) from pg_temp.undone where rows_no is not null)
        then (
            select coalesce(sum(change.inserted + change.replaced), 0)
            from :"ledger".table_changes as change
                join pg_temp.undoing on undoing.run_id = change.run_id and undoing.batch = change.batch
            where change.table_name = :'table'
        ) - (
            select count(*)
            from :"schema".:"table" as production
                join pg_temp.undone on undone.record_id = production.:"key" and undone.rows_no is not null
            where production.xmin in (
                select record.xmin
                from :"ledger".undo_records as record
                where record.undo_no in (select undo_no from pg_temp.undoing)
            )
        )
    end::bigint;
