-- Purpose: remember answers; a later one takes the place of an earlier one.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 enrichment, $3 way, $4 its version, $5 run_id, $6 a JSON array of {"key", "answer"}, as text;
--          :"ledger".
-- Outputs: rows of answers.
insert into :"ledger".answers (dataset, enrichment, key, way, version, answer, run_id)
select $1, $2, given.key, $3, $4, given.answer, $5
from jsonb_to_recordset($6::text::jsonb) as given (key text, answer jsonb)
on conflict (dataset, enrichment, key, way) do update
set version = excluded.version,
    answer = excluded.answer,
    run_id = excluded.run_id,
    answered_at = clock_timestamp();
