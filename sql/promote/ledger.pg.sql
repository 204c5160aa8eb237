-- Purpose: the ledger's side of the commit: which parts are done, where each record came from, which
--          failed records are put right.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :'run_id', :batch, :'dataset', :'schema', pg_temp.plan, whose records are of the key's type, :"staging".:"records"; :"ledger"; :is_replaced: the
--          records come from one part, which slice_origin.pg.sql names, and none has an origin of its own.
--          :is_sliced: each part replaces its slice, and what it says twice is a duplicate. :is_together: the parts replace all
--          together, and a record that failed in this run is deleted until it is put right.
-- Outputs: :"ledger".parts, record_origins and failed_records up to date; pg_temp.counted, how many rows of each had to
--          change, and did.

with outcome as (
    select
        record.part_id,
        count(*) filter (where record.is_delete or plan.action = 'delete') as deleted,
        count(*) filter (where record.is_winner and plan.action in ('load', 'same')) as loaded,
        count(*) filter (where not record.is_winner and :is_sliced) as duplicated,
        count(*) as good
    from :"staging".:"records" as record join pg_temp.plan on plan.record_id::text = record.record_id
    group by record.part_id
),
ended as materialized (
    select file.part_id, outcome.loaded, outcome.deleted, outcome.duplicated, outcome.good, run.kind
    from :"ledger".parts as file left join outcome using (part_id) join :"ledger".runs as run using (run_id)
    where file.run_id = :'run_id' and file.batch = :batch and file.status = 'pending'
),
written as (
    update :"ledger".parts as file
    set records_loaded = coalesce(ended.loaded, 0),
        records_deleted = coalesce(ended.deleted, 0),
        records_superseded = coalesce(ended.good - ended.loaded - ended.deleted, 0),
        -- Those among the superseded that are there twice.
        records_duplicated = coalesce(ended.duplicated, 0),
        status = case
            when ended.kind = 'retry' and not :is_replaced then 'retried'
            -- What is said of a file of which nothing failed is a warning.
            when file.error is not null and file.records_failed > 0 then 'incomplete'
            when file.records_failed > 0 then 'done_with_failures'
            else 'done'
        end
    from ended
    where ended.part_id = file.part_id
    returning file.status
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'parts', 'update', (select count(*) from ended), (select count(*) from written where status <> 'pending');

-- Of all that is written below, too: an insert that looks for conflicts itself takes half as long again.
delete from :"ledger".record_origins as origin
using pg_temp.plan
where plan.action in ('load', 'delete')
    and origin.dataset = :'dataset'
    and origin.target_schema = :'schema'
    and origin.record_id = plan.record_id::text;

-- Of a deleted record, the ledger must not say that production holds it. Looked for record by record: a planner that has
-- no statistics of record_origins yet would read all of it for each.
insert into pg_temp.counted (table_name, change, expected, found)
select 'record_origins', 'left', 0, count(*)
from pg_temp.touched
cross join lateral (
    select
    from :"ledger".record_origins as origin
    where origin.dataset = :'dataset'
        and origin.target_schema = :'schema'
        and origin.record_id = touched.record_id::text
    limit 1
) as kept
where touched.action = 'delete';

with loaded as materialized (
    select record_id::text as record_id, part_id, ordinal
    from pg_temp.plan
    where action = 'load'
        and not :is_replaced
        -- It is said below what the server has not taken away.
        and not exists (select from pg_temp.counted where change = 'left' and found > 0)
    -- The index is written page by page so, which halves the time.
    order by record_id
),
written as (
    insert into :"ledger".record_origins (dataset, target_schema, record_id, part_id, ordinal)
    select :'dataset', :'schema', record_id, part_id, ordinal from loaded
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'record_origins', 'insert', (select count(*) from loaded), (select count(*) from written);

-- A failed record is settled when it is loaded from that place or a later one, when production
-- holds something newer, or when it is deleted. An earlier good record of the same file does
-- not settle it: the failed one was the later word. Another posting of the file replaces it.
with settled as materialized (
    select distinct on (failed.failed_record_id)
        failed.failed_record_id,
        case
            when plan.action = 'delete' then 'deleted'
            when plan.action in ('load', 'same') then 'loaded'
            else 'superseded'
        end as resolution
    from :"ledger".failed_records as failed
        join pg_temp.plan on plan.record_id::text = failed.record_id
        join :"ledger".parts as failed_file on failed_file.part_id = failed.part_id
        join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
        left join :"ledger".parts as plan_file on plan_file.part_id = plan.part_id
    where failed.resolved_at is null
        and failed_run.dataset = :'dataset'
        and failed_run.target_schema = :'schema'
        and not (:is_together and failed.run_id = :'run_id')
        and (
            plan.action = 'delete'
            or case
                when plan_file.name <> failed_file.name then
                    (plan.order_key collate "C", plan_file.name collate "C")
                        > (failed_file.order_key, failed_file.name)
                else plan_file.sha256 <> failed_file.sha256 or plan.ordinal >= failed.ordinal
            end
        )
    order by failed.failed_record_id
),
written as (
    update :"ledger".failed_records as failed
    set resolved_by = :'run_id', resolved_at = now(), resolution = settled.resolution
    from settled
    where failed.failed_record_id = settled.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from settled), (select count(*) from written);

-- A file that was read as a whole says all there is to say about it: what failed in it before, did not fail
-- again and is not settled by now was its break, which is mended, or stood in another posting, which
-- the archive has no more.
with settled as materialized (
    select distinct on (failed.failed_record_id)
        failed.failed_record_id,
        case when new_file.sha256 = old_file.sha256 then 'loaded' else 'superseded' end as resolution
    from :"ledger".parts as new_file
        join :"ledger".parts as old_file on old_file.name = new_file.name
        join :"ledger".runs as old_run on old_run.run_id = old_file.run_id
        join :"ledger".failed_records as failed on failed.part_id = old_file.part_id
    where new_file.run_id = :'run_id'
        and new_file.batch = :batch
        and new_file.status in ('done', 'done_with_failures', 'incomplete')
        and old_run.dataset = :'dataset'
        and old_run.target_schema = :'schema'
        and failed.run_id <> :'run_id'
        and failed.resolved_at is null
    order by failed.failed_record_id
),
written as (
    update :"ledger".failed_records as failed
    set resolved_by = :'run_id', resolved_at = now(), resolution = settled.resolution
    from settled
    where failed.failed_record_id = settled.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from settled), (select count(*) from written);

-- Of a deleted record nothing stays, what was kept of its failed records included.
with cleared as materialized (
    select distinct failed.failed_record_id
    from :"ledger".failed_records as failed
        join pg_temp.plan on plan.record_id::text = failed.record_id
        join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
    where failed_run.dataset = :'dataset'
        and failed_run.target_schema = :'schema'
        and plan.action = 'delete'
        and not :is_together
        and (failed.fragment is not null or failed.value is not null)
),
written as (
    update :"ledger".failed_records as failed
    set fragment = null, value = null
    from cleared
    where failed.failed_record_id = cleared.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from cleared), (select count(*) from written);
