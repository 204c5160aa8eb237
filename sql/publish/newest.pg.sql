-- Purpose: the newest date of which a part tells that is in production, for people who download the public files.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'dataset', :'schema'; :"ledger".parts and runs.
-- Outputs: one row with one date, as text; null where no part tells of a day, or none is in production yet.
select max(parts.as_of)::text as newest
from :"ledger".parts join :"ledger".runs using (run_id)
where runs.dataset = :'dataset'
    and runs.target_schema = :'schema'
    and not runs.dry_run
    and parts.status in ('done', 'done_with_failures', 'incomplete');
