-- Purpose: decide what becomes of every case of this batch, and keep oca_metadata (rules 2 to 5).
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"staging".oca_records, one row for each good record: record_id, part_id, as_of, order_key,
--          ordinal, offset_bytes, is_delete, has_data, is_winner; :"schema".oca_metadata; :"ledger".record_origins;
--          :'overwrite_newer', true only when the operator asks for it; :'run_id'; :"images".:"before_oca_metadata" and :undo_no, for rows
--          of oca_metadata as they were.
-- Outputs: pg_temp.plan, one row a case: record_id, action (load, superseded or delete), part_id, ordinal
--          and order_key of the winning record, is_newly_sealed, has_data (beside its delete), and what oca_metadata has to say of it (is_known and is_changed: it says
--          something, and something else, before); oca_metadata up to date; failed records of deleted cases settled
--          and cleared; pg_temp.counted, how many rows of each table had to change (expected), and did (found).

create temp table plan on commit drop as
with seen as (
    select
        record_id,
        min(as_of) as first_seen,
        max(as_of) filter (where not is_delete) as last_live,
        min(as_of) filter (where is_delete) as first_delete,
        bool_or(is_delete and has_data) as has_data,
        max(order_key collate "C") filter (where is_winner) as order_key,
        max(part_id) filter (where is_winner) as part_id,
        max(ordinal) filter (where is_winner) as ordinal
    from :"staging".oca_records
    group by record_id
),
known as (
    select
        seen.*,
        metadata.indexnumberid is not null as is_known,
        metadata.initialdate as known_initialdate,
        metadata.updatedate as known_live,
        metadata.deletedate as known_deletedate,
        least(metadata.initialdate, seen.first_seen) as initialdate,
        greatest(metadata.updatedate, seen.last_live) as updatedate,
        least(metadata.deletedate, seen.first_delete) as deletedate,
        seen.first_delete is not null and metadata.deletedate is null as is_newly_sealed,
        file.order_key as known_order_key,
        file.name = own.name and file.sha256 = own.sha256 and origin.ordinal > seen.ordinal
            as is_later_in_file
    from seen
    left join :"ledger".parts as own on own.part_id = seen.part_id
    -- Not the table itself: an adopted table without its key may hold a case twice.
    left join (
        select
            indexnumberid,
            min(initialdate) as initialdate,
            max(updatedate) as updatedate,
            min(deletedate) as deletedate
        from :"schema".oca_metadata
        where indexnumberid in (select record_id from seen)
        group by indexnumberid
    ) as metadata on metadata.indexnumberid = seen.record_id
    left join :"ledger".record_origins as origin
        on origin.dataset = 'oca'
        and origin.target_schema = :'schema'
        and origin.record_id = seen.record_id
        -- If production was made again, the ledger remembers records that are no longer there.
        and metadata.indexnumberid is not null
    left join :"ledger".parts as file on file.part_id = origin.part_id
)
select
    record_id,
    part_id,
    ordinal,
    order_key,
    first_seen,
    last_live,
    first_delete,
    is_known,
    is_known and (known_initialdate, known_live, known_deletedate)
        is distinct from (initialdate, updatedate, deletedate) as is_changed,
    initialdate,
    updatedate,
    deletedate,
    is_newly_sealed,
    has_data,
    case
        when deletedate is not null then 'delete'
        when :'overwrite_newer'::boolean then 'load'
        -- Order safety: on the same run date, an initial extract is older than an incremental one.
        when known_live > last_live or known_order_key collate "C" > order_key then 'superseded'
        -- A record that is tried again although a later one of the same file was good.
        when is_later_in_file then 'superseded'
        else 'load'
    end as action
from known;

analyze pg_temp.plan;

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- Not "on conflict": an adopted database may lack the key.
with old as materialized (
    select metadata.*
    from :"schema".oca_metadata as metadata join pg_temp.plan on plan.record_id = metadata.indexnumberid
    where plan.is_changed and plan.action <> 'delete'
    for update of metadata
),
kept as (
    insert into :"images".:"before_oca_metadata" select :undo_no, old.* from old returning 1
),
updated as (
    update :"schema".oca_metadata as metadata
    set initialdate = least(metadata.initialdate, plan.first_seen),
        updatedate = greatest(metadata.updatedate, plan.last_live),
        deletedate = least(metadata.deletedate, plan.first_delete)
    from pg_temp.plan
    where metadata.indexnumberid = plan.record_id
        -- First in the statement: a row that the statement has already changed can no longer be locked and read by it.
        and (select count(*) from kept) >= 0
        and (metadata.initialdate, metadata.updatedate, metadata.deletedate) is distinct from (
            least(metadata.initialdate, plan.first_seen),
            greatest(metadata.updatedate, plan.last_live),
            least(metadata.deletedate, plan.first_delete)
        )
    returning 1
),
inserted as (
    insert into :"schema".oca_metadata (indexnumberid, initialdate, updatedate, deletedate)
    select record_id, initialdate, updatedate, deletedate
    from pg_temp.plan
    where not is_known
    order by first_seen, part_id, ordinal
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    'oca_metadata',
    'update',
    (select count(*) from pg_temp.plan where is_changed),
    (select count(*) from updated)
union all
select
    'oca_metadata',
    'insert',
    (select count(*) from pg_temp.plan where not is_known),
    (select count(*) from inserted);

-- Nothing of a deleted case is kept, and nothing of it is to be resolved. That includes records of it that failed in
-- this batch, which the plan does not know.
with settled as materialized (
    select distinct failed.failed_record_id
    from :"ledger".failed_records as failed
        join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
        join :"schema".oca_metadata as metadata on metadata.indexnumberid = failed.record_id
    where failed_run.dataset = 'oca'
        and failed_run.target_schema = :'schema'
        and metadata.deletedate is not null
        and (failed.resolved_at is null or failed.fragment is not null or failed.value is not null)
),
written as (
    update :"ledger".failed_records as failed
    set fragment = null,
        value = null,
        resolved_by = case when failed.resolved_at is null then :'run_id' else failed.resolved_by end,
        resolution = coalesce(failed.resolution, 'deleted'),
        resolved_at = coalesce(failed.resolved_at, now())
    from settled
    where failed.failed_record_id = settled.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from settled), (select count(*) from written);
