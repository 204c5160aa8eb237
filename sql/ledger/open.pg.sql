-- Purpose: how much is there to put right?
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: the number of failed records that are not settled, those of dry runs left out.
select count(distinct (failed.part_id, failed.ordinal))
from :"ledger".failed_records as failed join :"ledger".runs using (run_id)
where failed.resolved_at is null and not runs.dry_run;
