-- Purpose: the ledger remembers which part the table is what it says; what failed in older parts is of no account any more.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after ledger.pg.sql
-- Inputs:  :'run_id' (who settles them), :'dataset', :'schema', pg_temp.replacing; :"ledger".
-- Outputs: :"ledger".slice_origins and failed_records up to date; pg_temp.counted, how many rows of each had to change, and
--          did.
with written as (
    insert into :"ledger".slice_origins (dataset, target_schema, slice, part_id)
    select :'dataset', :'schema', slice, part_id from pg_temp.replacing
    on conflict (dataset, target_schema, slice) do update
    set part_id = excluded.part_id, loaded_at = excluded.loaded_at
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'slice_origins', 'insert', (select count(*) from pg_temp.replacing), (select count(*) from written);

with settled as materialized (
    select failed.failed_record_id
    from :"ledger".failed_records as failed join :"ledger".runs as failed_run on failed_run.run_id = failed.run_id
    where failed.resolved_at is null
        and failed.part_id not in (select part_id from pg_temp.replacing)
        and failed_run.dataset = :'dataset'
        and failed_run.target_schema = :'schema'
        and not failed_run.dry_run
        and exists (select from pg_temp.replacing)
),
written as (
    update :"ledger".failed_records as failed
    set resolved_by = :'run_id', resolved_at = now(), resolution = 'superseded'
    from settled
    where failed.failed_record_id = settled.failed_record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select 'failed_records', 'update', (select count(*) from settled), (select count(*) from written);
