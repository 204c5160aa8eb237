-- Purpose: what the ledger says of a batch, to show it.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/read.pg.sql

-- part: read_changes  (statement)
-- Purpose: the exact change of a batch, to show it.
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: one row a table.
select table_name, rows_before, inserted, replaced, deleted, rows_after
from :"ledger".table_changes
where run_id = $1 and batch = $2
order by table_name;

-- part: read_records  (statement)
-- Purpose: what became of the records of a batch, to show it.
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

-- part: read_guards  (statement)
-- Purpose: what the guards of a batch found.
-- Inputs:  $1 run_id, $2 batch; :"ledger".
-- Outputs: one row for each guard and subject.
select name, subject, threshold, found, passed, allowed_by
from :"ledger".guards
where run_id = $1 and batch = $2
order by name, subject;
