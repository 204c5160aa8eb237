-- Purpose: some of the failed records, for the ledger.
-- Engine:  DuckDB
-- Inputs:  failed, records; :limit, :offset.
-- Outputs: one row a failure, in the order of the documents.
select
    failed.record_no >> 32 as file_no,
    -- A check need not say what the record says itself.
    coalesce(failed.record_id, records.record_id) as record_id,
    failed.record_no & 4294967295 as ordinal,
    failed.offset_bytes,
    table_name,
    field,
    value,
    reason,
    fragment
from failed left join records on records.record_no = failed.record_no
order by failed.record_no, failed.rowid
limit :limit offset :offset;
