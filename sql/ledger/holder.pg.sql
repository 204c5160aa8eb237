-- Purpose: who holds the lock of a dataset.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  $1 dataset.
-- Outputs: the newest run that is still running, if it has got as far as the ledger.
select run_id, kind, host, db_user, started_at::text as started_at
from :"ledger".runs
where dataset = $1 and status = 'running'
order by started_at desc
limit 1;
