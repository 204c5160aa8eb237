-- Purpose: what became of the records of a batch, to show it.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: one row: seen, loaded, superseded, deleted, failed.
select
    coalesce(sum(records_seen), 0)::bigint,
    coalesce(sum(records_loaded), 0)::bigint,
    coalesce(sum(records_superseded), 0)::bigint,
    coalesce(sum(records_deleted), 0)::bigint,
    coalesce(sum(records_failed), 0)::bigint
from :"ledger".parts
where run_id = $1 and batch = $2;
