-- Purpose: records that are in production according to the ledger and that are not there: somebody else has deleted them.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 target schema; :"ledger"; :"schema".:"table", the parent table, and :"key", its key.
-- Outputs: name of each file that such records came from, and their number, the most first. Both tables are read completely.
select parts.name, count(*) as records
from :"ledger".record_origins as origin join :"ledger".parts using (part_id)
where origin.dataset = $1
    and origin.target_schema = $2
    and not exists (
        select from :"schema".:"table" as record where record.:"key"::text = origin.record_id
    )
group by parts.name
order by count(*) desc, parts.name collate "C";
