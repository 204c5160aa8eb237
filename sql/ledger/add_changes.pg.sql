-- Purpose: keep what a dry run would have changed.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch, $3 a JSON array of changes, as text; :"ledger".
-- Outputs: rows of table_changes.
insert into :"ledger".table_changes (
    run_id, batch, table_name, rows_before, inserted, replaced, deleted, rows_after
)
select $1, $2, "table", before, inserted, replaced, deleted, after
from jsonb_to_recordset($3::text::jsonb) as change (
    "table" text, before bigint, inserted bigint, replaced bigint, deleted bigint, after bigint
);
