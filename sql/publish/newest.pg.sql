-- Purpose: the newest day of which production tells, for people who download the public files.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'dataset', :'schema'; :"ledger".parts, runs and slice_origins.
-- Outputs: one row with one date, as text: of a table that is replaced, the day of the part that it is what it says; null
--          where no part tells of a day, or none is in production yet.
with origin as (
    select parts.as_of
    from :"ledger".slice_origins join :"ledger".parts using (part_id)
    where slice_origins.dataset = :'dataset' and slice_origins.target_schema = :'schema'
),
done as (
    select parts.as_of
    from :"ledger".parts join :"ledger".runs using (run_id)
    where runs.dataset = :'dataset'
        and runs.target_schema = :'schema'
        and not runs.dry_run
        and parts.status in ('done', 'done_with_failures', 'incomplete')
        and not exists (select from origin)
)
select max(as_of)::text as newest
from (select as_of from origin union all select as_of from done) as told;
