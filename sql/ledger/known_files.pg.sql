-- Purpose: the files that are done: read to their end, their good records in production.
-- Engine:  PostgreSQL 14 and later
-- Inputs:  $1 dataset, $2 target schema.
-- Outputs: name and size of each; a name can have had several sizes.
select distinct name, size_bytes
from :"ledger".files join :"ledger".runs using (run_id)
where dataset = $1
    and target_schema = $2
    and files.status in ('done', 'done_with_failures');
