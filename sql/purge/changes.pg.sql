-- Purpose: the change that a purge made, for the ledger.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the purge
-- Inputs:  $1 run_id, $2 dataset, $3 schema; pg_temp.purged.
-- Outputs: rows of :"ledger".table_changes, for tables whose last count the ledger has.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select $1, 0, purged.table_name, known.rows_after, 0, 0, purged.rows, known.rows_after - purged.rows
from pg_temp.purged, lateral (
    select rows_after
    from :"ledger".table_changes as change join :"ledger".runs using (run_id)
    where dataset = $2 and target_schema = $3 and change.table_name = purged.table_name and not dry_run
    order by started_at desc, batch desc
    limit 1
) as known
where purged.rows > 0;
