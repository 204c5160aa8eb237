-- Purpose: how many records of the run may still fail.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'run_id', :"ledger".parts; :max_failures_percent, :max_failures_records (the larger of both is the budget).
-- Outputs: one row: budget, failed so far, seen so far; reckoned as the guard `failures` does.
select
    greatest(floor(coalesce(sum(records_seen), 0) * :max_failures_percent / 100.0), :max_failures_records)::bigint,
    coalesce(sum(records_failed), 0)::bigint,
    coalesce(sum(records_seen), 0)::bigint
from :"ledger".parts
where run_id = :'run_id' and records_seen is not null;
