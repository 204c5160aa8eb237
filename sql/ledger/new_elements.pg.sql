-- Purpose: which of these elements, that no column takes, did no earlier run see?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema, $3 run_id, $4 paths; :"ledger".
-- Outputs: the paths that are new.
select path
from unnest($4::text[]) as path
where not exists (
    select
    from :"ledger".parts join :"ledger".runs using (run_id)
    where dataset = $1
        and target_schema = $2
        and not dry_run
        and run_id <> $3
        and unknown ? path
)
order by path;
