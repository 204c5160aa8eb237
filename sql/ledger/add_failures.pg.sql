-- Purpose: note failed records.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 a JSON array of records, as text; :"ledger".
-- Outputs: rows of failed_records.
insert into :"ledger".failed_records (
    run_id, part_id, record_id, ordinal, offset_bytes, table_name, field, value, reason, fragment
)
select $1, part_id, record_id, ordinal, offset_bytes, table_name, field, value, reason, fragment
from jsonb_to_recordset($2::text::jsonb) as record (
    part_id bigint, record_id text, ordinal bigint, offset_bytes bigint, table_name text, field text,
    value text, reason text, fragment text
);
