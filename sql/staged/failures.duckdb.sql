-- Purpose: some of the failed records, for the ledger.
-- Engine:  DuckDB
-- Inputs:  failed; :limit, :offset.
-- Outputs: one row a failure, in the order of the documents.
select
    record_no >> 32 as file_no,
    record_id,
    record_no & 4294967295 as ordinal,
    offset_bytes,
    table_name,
    field,
    value,
    reason,
    fragment
from failed
order by record_no, failed.rowid
limit :limit offset :offset;
