-- Purpose: keep what the guards found although the promotion was rolled back.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 run_id, $2 batch, $3 a JSON array of findings, as text; :"ledger".
-- Outputs: rows of guards.
insert into :"ledger".guards (run_id, batch, name, subject, threshold, found, passed, allowed_by)
select $1, $2, name, subject, threshold, found, passed, allowed_by
from jsonb_to_recordset($3::text::jsonb) as finding (
    name text, subject text, threshold text, found text, passed boolean, allowed_by text
);
