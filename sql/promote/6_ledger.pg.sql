-- Purpose: the ledger's side of the commit: which files are done, where each record came from, which
--          failed records are put right.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- Inputs:  :'run_id', :batch, :'dataset', :'schema', pg_temp.plan, :"staging".:"records".
-- Outputs: :"ledger".files, record_origins and failed_records up to date.

with outcome as (
    select
        record.file_id,
        count(*) filter (where record.is_delete or plan.action = 'delete') as deleted,
        count(*) filter (where record.is_winner and plan.action = 'load') as loaded,
        count(*) as good
    from :"staging".:"records" as record join pg_temp.plan using (record_id)
    group by record.file_id
)
update :"ledger".files as file
set records_loaded = coalesce(outcome.loaded, 0),
    records_deleted = coalesce(outcome.deleted, 0),
    records_superseded = coalesce(outcome.good - outcome.loaded - outcome.deleted, 0),
    status = case
        when run.kind = 'retry' then 'retried'
        when file.error is not null then 'incomplete'
        when file.records_failed > 0 then 'done_with_failures'
        else 'done'
    end
from :"ledger".files as same left join outcome using (file_id) join :"ledger".runs as run using (run_id)
where same.file_id = file.file_id
    and file.run_id = :'run_id'
    and file.batch = :batch
    and file.status = 'pending';

delete from :"ledger".record_origins as origin
using pg_temp.touched
where origin.dataset = :'dataset'
    and origin.target_schema = :'schema'
    and origin.record_id = touched.record_id;

insert into :"ledger".record_origins (dataset, target_schema, record_id, file_id, ordinal)
select :'dataset', :'schema', record_id, file_id, ordinal
from pg_temp.plan
where action = 'load'
order by file_id, ordinal
on conflict (dataset, target_schema, record_id) do update
set file_id = excluded.file_id, ordinal = excluded.ordinal, loaded_at = excluded.loaded_at;

-- A failed record is settled when its case is loaded from that file or a later one, when production
-- holds something newer, or when the case is deleted.
-- One without an identity is known by its place in the file.
update :"ledger".failed_records as failed
set resolved_by = :'run_id',
    resolved_at = now(),
    resolution = case plan.action when 'delete' then 'deleted' when 'load' then 'loaded' else 'superseded' end
from :"ledger".files as failed_file, :"ledger".runs as failed_run, pg_temp.plan
where failed.resolved_at is null
    and failed_file.file_id = failed.file_id
    and failed_run.run_id = failed.run_id
    and failed_run.dataset = :'dataset'
    and failed_run.target_schema = :'schema'
    and failed.record_id = plan.record_id
    and (plan.action = 'delete' or plan.order_key collate "C" >= failed_file.order_key);

-- Of a deleted case nothing stays, what was kept of its failed records included.
update :"ledger".failed_records as failed
set fragment = null, value = null
from pg_temp.plan
where plan.action = 'delete' and failed.record_id = plan.record_id;

update :"ledger".failed_records as failed
set resolved_by = :'run_id', resolved_at = now(), resolution = 'loaded'
from :"ledger".files as failed_file, :"ledger".runs as failed_run,
    :"ledger".files as loaded_file, :"staging".:"records" as record
where failed.resolved_at is null
    and failed_file.file_id = failed.file_id
    and failed_run.run_id = failed.run_id
    and failed_run.dataset = :'dataset'
    and failed_run.target_schema = :'schema'
    and failed.record_id is null
    and failed.ordinal > 0
    and loaded_file.file_id = record.file_id
    and loaded_file.name = failed_file.name
    and record.ordinal = failed.ordinal;
