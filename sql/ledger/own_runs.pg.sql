-- Purpose: which of these runs does this ledger know as runs of the dataset?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema, $3 run_ids, as text; :"ledger".
-- Outputs: those that it knows, as text.
select run_id::text
from :"ledger".runs
where dataset = $1 and target_schema = $2 and run_id::text = any($3::text[]);
