-- Purpose: before-images: rows that a promotion removes from production, with the same types, and the number of the batch.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/undo/images.pg.sql

-- part: begin  (statement)
-- Purpose: enter the batch that is being promoted.
-- Inputs:  $1 run_id, $2 batch, $3 dataset, $4 target schema, $5 for how many days its before-images are kept (0: none); :"ledger".
-- Outputs: one row of :"ledger".undo_batches; its number. The holder of the promotion's lock gets the largest number of the dataset.
insert into :"ledger".undo_batches (run_id, batch, dataset, target_schema, kept_until)
values ($1, $2, $3, $4, case when $5::integer > 0 then now() + make_interval(days => $5::integer) end)
returning undo_no;

-- part: fitting  (statement)
-- Purpose: which tables have a table of before-images with their current columns?
-- Inputs:  $1 dataset, $2 target schema, $3 names of tables; :'ledger', the same as :"ledger".
-- Outputs: table_name; image, its newest one, or null if none fits; is_ours: may we read and empty it? Only its owner
--          sees its rows.
with wanted as (
    select class.relname::text as table_name, class.oid
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $2 and class.relname = any ($3::text[])
),
known as (
    select undo_images.table_name, undo_images.image, undo_images.image_no, class.oid, class.relowner
    from :"ledger".undo_images
        join pg_class as class on class.relname = undo_images.image
        join pg_namespace as namespace on namespace.oid = class.relnamespace
    where undo_images.dataset = $1
        and undo_images.target_schema = $2
        and undo_images.table_name = any ($3::text[])
        and namespace.nspname = :'ledger'
),
columns as (
    select
        attribute.attrelid as oid,
        array_agg(
            row(attribute.attname, attribute.atttypid, attribute.atttypmod, attribute.attcollation)::text
            order by attribute.attnum
        ) filter (where attribute.attname <> 'merganser_undo_no') as said
    from pg_attribute as attribute
    where attribute.attnum > 0
        and not attribute.attisdropped
        and attribute.attrelid in (select oid from wanted union all select oid from known)
    group by attribute.attrelid
)
select distinct on (wanted.table_name)
    wanted.table_name,
    fitting.image,
    coalesce(pg_has_role(fitting.relowner, 'usage'), true) as is_ours
from wanted
    left join columns on columns.oid = wanted.oid
    left join (known join columns as found on found.oid = known.oid) as fitting (
        table_name, image, image_no, oid, relowner, found_oid, said
    ) on fitting.table_name = wanted.table_name and fitting.said = columns.said
order by wanted.table_name, fitting.image_no desc nulls last;

-- part: may_make  (statement)
-- Purpose: may we create tables of before-images?
-- Inputs:  :'ledger', the ledger's schema.
-- Outputs: true or false.
select has_schema_privilege(:'ledger', 'create');

-- part: add  (statement)
-- Purpose: enter a table of before-images that is about to be created.
-- Inputs:  $1 dataset, $2 target schema, $3 name of the table whose rows it takes; :"ledger".
-- Outputs: one row of :"ledger".undo_images; the name of the table of before-images.
insert into :"ledger".undo_images (dataset, target_schema, table_name, image)
select $1, $2, $3, 'before_' || coalesce(max(image_no), 0) + 1 || '_' || left($3, 40)
from :"ledger".undo_images
returning image;

-- part: make  (script)
-- Purpose: create a table of before-images. Its rows are as private as production's: only its owner sees them, whatever
--          rights default privileges or somebody's "grant … on all tables" give.
-- Inputs:  :"schema".:"table"; :"ledger", :"image"; :'ledger' and :'image', the same as texts.
-- Outputs: :"ledger".:"image", without constraints.
create table :"ledger".:"image" as
select null::bigint as merganser_undo_no, production.*
from :"schema".:"table" as production
with no data;

alter table :"ledger".:"image" enable row level security;
alter table :"ledger".:"image" replica identity full;
create index on :"ledger".:"image" using brin (merganser_undo_no);
comment on table :"ledger".:"image" is
'Private: rows of production as they were before a run, so that it can be undone.';

-- (A "do" block sees no psql variables, so it reads settings.)
select set_config('merganser.ledger', :'ledger', true), set_config('merganser.image', :'image', true);

do $$
declare
    ledger text := current_setting('merganser.ledger');
    image text := current_setting('merganser.image');
    grantee text;
begin
    for grantee in
        select distinct coalesce(quote_ident(role.rolname), 'public')
        from pg_class
            join pg_namespace on pg_namespace.oid = relnamespace
            cross join lateral aclexplode(relacl) as granted
            left join pg_roles as role on role.oid = granted.grantee
        where nspname = ledger and relname = image and granted.grantee <> relowner
    loop
        execute format('revoke all on %I.%I from %s', ledger, image, grantee);
    end loop;
end
$$;

-- part: none  (script)
-- Purpose: replace a table of before-images, if none are kept, by one that ends with the transaction.
-- Inputs:  :"schema".:"table"; :"image".
-- Outputs: pg_temp.:"image".
create temp table :"image" on commit drop as
select null::bigint as merganser_undo_no, production.*
from :"schema".:"table" as production
with no data;

-- part: patched  (script, in the place of records, inside the transaction of a backfill, after its rows are written)
-- Purpose: which records does this batch of a backfill change? Their rows are not kept.
-- Inputs:  :undo_no; :"schema".:"table", the table that is completed, :"key"; pg_temp.completed; :"ledger".undo_batches.
-- Outputs: rows of :"ledger".undo_records, of the records with a row that this transaction has written.
insert into :"ledger".undo_records (undo_no, record_id, had_rows)
select distinct :undo_no, production.:"key", true
from :"schema".:"table" as production
    join :"ledger".undo_batches as batch on batch.undo_no = :undo_no and batch.xmin = production.xmin
where production.:"key" in (select record_id from pg_temp.completed);

-- part: size  (statement)
-- Purpose: how much space before-images take, for people.
-- Inputs:  :"ledger" and :'ledger'.
-- Outputs: one row: the number of runs that have some, the bytes of all of them, the day until which the last are kept (null: none are).
select
    (
        select count(distinct run_id)
        from :"ledger".undo_batches
        where kept_until > now() and exists (
            select from :"ledger".undo_records where undo_records.undo_no = undo_batches.undo_no
        )
    ) as runs,
    (
        select coalesce(sum(pg_total_relation_size(class.oid)), 0)::bigint
        from :"ledger".undo_images
            join pg_class as class on class.relname = undo_images.image
            join pg_namespace as namespace on namespace.oid = class.relnamespace and namespace.nspname = :'ledger'
    ) as bytes,
    (select to_char(max(kept_until), 'YYYY-MM-DD') from :"ledger".undo_batches where kept_until > now()) as until;

-- part: held  (script, after the plan)
-- Purpose: are there before-images of records that the plan seals?
-- Inputs:  :"ledger".undo_batches and undo_records; pg_temp.sealed_records; :'dataset', :'schema'; pg_temp.plan.
-- Outputs: the numbers of the batches.
select distinct batch.undo_no
from :"ledger".undo_records as record join :"ledger".undo_batches as batch using (undo_no)
-- An array, so that the index is used whatever the statistics say: a join was seen to take minutes.
where record.record_id = any (array(
        select plan.record_id::text
        from pg_temp.plan join pg_temp.sealed_records using (record_id)
        where plan.action = 'delete'
    ))
    and (record.had_rows or record.had_kept or record.had_origin)
    and batch.dataset = :'dataset'
    and batch.target_schema = :'schema';

-- part: images  (statement)
-- Purpose: all tables of before-images of a dataset.
-- Inputs:  $1 dataset, $2 target schema; :"ledger" and :'ledger'.
-- Outputs: table_name, image, and is_ours: may we read and empty it; the oldest first; tables that somebody has dropped are left out.
select undo_images.table_name, undo_images.image, pg_has_role(class.relowner, 'usage') as is_ours
from :"ledger".undo_images
    join pg_class as class on class.relname = undo_images.image
    join pg_namespace as namespace on namespace.oid = class.relnamespace and namespace.nspname = :'ledger'
where undo_images.dataset = $1 and undo_images.target_schema = $2
order by undo_images.image_no;

-- part: forget  (script)
-- Purpose: delete the before-images of sealed records.
-- Inputs:  :"ledger".:"image", :"key"; pg_temp.sealed_records.
-- Outputs: the table without them; the last statement counts them.
delete from :"ledger".:"image" as image
using pg_temp.sealed_records as sealed
where image.:"key" = sealed.record_id;

-- part: forget_records  (script, after forget)
-- Purpose: forget which batches changed a sealed record: it is never brought back.
-- Inputs:  :"ledger".undo_records and undo_batches; pg_temp.sealed_records; :'dataset', :'schema'.
-- Outputs: undo_records without them.
delete from :"ledger".undo_records as record
using pg_temp.sealed_records as sealed, :"ledger".undo_batches as batch
where record.record_id = sealed.record_id
    and (record.had_rows or record.had_kept or record.had_origin)
    and batch.undo_no = record.undo_no
    and batch.dataset = :'dataset'
    and batch.target_schema = :'schema';

-- part: left  (script, after forget)
-- Purpose: prove that no before-image of a sealed record is left.
-- Inputs:  :"ledger".:"image", :"key", :'image'; pg_temp.sealed_records.
-- Outputs: table_name and rows that are left; none is a pass.
select :'image' as table_name, count(*) as rows
from :"ledger".:"image" as image join pg_temp.sealed_records as sealed on sealed.record_id = image.:"key"
having count(*) > 0;

-- part: expired  (statement)
-- Purpose: the batches whose before-images have expired and still exist.
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: their numbers. The records of such a batch stay listed as long as an older batch has before-images.
select batch.undo_no
from :"ledger".undo_batches as batch
where batch.dataset = $1
    and batch.target_schema = $2
    and (
        batch.kept_until <= now()
        or batch.kept_until is null and not exists (
            select
            from :"ledger".undo_batches as older
            where older.dataset = $1
                and older.target_schema = $2
                and older.undo_no <= batch.undo_no
                and older.kept_until > now()
        )
    )
    and exists (select from :"ledger".undo_records as record where record.undo_no = batch.undo_no);

-- part: expire  (script)
-- Purpose: delete the before-images of expired batches.
-- Inputs:  :"ledger".:"image"; :"ledger".undo_batches; :'dataset', :'schema'.
-- Outputs: the table without them.
delete from :"ledger".:"image" as image
using :"ledger".undo_batches as batch
where batch.undo_no = image.merganser_undo_no
    and batch.dataset = :'dataset'
    and batch.target_schema = :'schema'
    and batch.kept_until <= now();

-- part: expire_records  (script, after expire)
-- Purpose: forget which records a batch changed if neither it nor any batch before it can be undone.
-- Inputs:  :"ledger".undo_batches, undo_records and undo_slices; :'dataset', :'schema'.
-- Outputs: both without theirs.
with over as materialized (
    select batch.undo_no
    from :"ledger".undo_batches as batch
    where batch.dataset = :'dataset'
        and batch.target_schema = :'schema'
        and not exists (
            select
            from :"ledger".undo_batches as older
            where older.dataset = batch.dataset
                and older.target_schema = batch.target_schema
                and older.undo_no <= batch.undo_no
                and older.kept_until > now()
        )
),
gone as (
    delete from :"ledger".undo_slices as slice using over where slice.undo_no = over.undo_no
)
delete from :"ledger".undo_records as record using over where record.undo_no = over.undo_no;

-- part: records  (script, after begin (promote/merge.pg.sql), before anything goes)
-- Purpose: which records does this batch of a merge change or add, and where did they come from? Sealed records are
--          never brought back.
-- Inputs:  :undo_no; pg_temp.plan, pg_temp.touched; :"ledger".record_origins; :'dataset', :'schema'.
-- Outputs: rows of :"ledger".undo_records.
insert into :"ledger".undo_records (
    undo_no, record_id, had_rows, had_kept, had_origin, part_id, ordinal, loaded_at
)
select
    :undo_no,
    plan.record_id,
    case when plan.action = 'load' then touched.record_id is not null end,
    case when not plan.is_known then false when plan.is_changed then true end,
    case when plan.action = 'load' then origin.record_id is not null end,
    origin.part_id,
    origin.ordinal,
    origin.loaded_at
from pg_temp.plan
    left join pg_temp.touched on touched.record_id = plan.record_id
    left join :"ledger".record_origins as origin
        on plan.action = 'load'
        and origin.dataset = :'dataset'
        and origin.target_schema = :'schema'
        and origin.record_id = plan.record_id::text
where plan.action = 'load' or plan.action = 'superseded' and plan.is_changed;

-- part: replaced  (script, after begin (promote/merge.pg.sql), before anything goes)
-- Purpose: which rows does this batch of a replacement change, add or delete?
-- Inputs:  :undo_no; pg_temp.plan, pg_temp.touched; :"ledger".undo_records.
-- Outputs: rows of :"ledger".undo_records.
insert into :"ledger".undo_records (undo_no, record_id, had_rows)
select :undo_no, plan.record_id, touched.record_id is not null
from pg_temp.plan left join pg_temp.touched on touched.record_id = plan.record_id
where plan.action in ('load', 'delete');

-- part: slices_before  (script, before slice_origins change)
-- Purpose: remember which part each slice came from.
-- Inputs:  :"ledger".slice_origins; :'dataset', :'schema'.
-- Outputs: pg_temp.slices_before.
create temp table slices_before on commit drop as
select slice, part_id, loaded_at
from :"ledger".slice_origins
where dataset = :'dataset' and target_schema = :'schema';

-- part: slices_after  (script, after slices_before and the change)
-- Purpose: keep the earlier origins of slices whose origin has changed.
-- Inputs:  :undo_no; pg_temp.slices_before; :"ledger".slice_origins; :'dataset', :'schema'.
-- Outputs: rows of :"ledger".undo_slices.
insert into :"ledger".undo_slices (undo_no, slice, part_id, loaded_at)
select :undo_no, slice, before.part_id, before.loaded_at
from pg_temp.slices_before as before
    full join (
        select slice, part_id, loaded_at
        from :"ledger".slice_origins
        where dataset = :'dataset' and target_schema = :'schema'
    ) as now using (slice)
where before.part_id is distinct from now.part_id;
