-- Purpose: where a record in production came from.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 its identity; :"ledger".
-- Outputs: one JSON object for each dataset and schema that has it.
select to_jsonb(origin) - 'part_id' || jsonb_build_object(
    'file_id', origin.part_id, 'file', parts.name, 'run_id', parts.run_id, 'run_date', parts.as_of, 'sha256', parts.sha256
)
from :"ledger".record_origins as origin join :"ledger".parts using (part_id)
where origin.record_id = $1;
