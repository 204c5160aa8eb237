-- Purpose: where a record in production came from.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 its identity; :"ledger".
-- Outputs: one JSON object for each dataset and schema that has it.
select to_jsonb(origin) || jsonb_build_object(
    'file', files.name, 'run_id', files.run_id, 'run_date', files.run_date, 'sha256', files.sha256
)
from :"ledger".record_origins as origin join :"ledger".files using (file_id)
where origin.record_id = $1;
