-- Purpose: what is remembered of these questions.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 enrichment, $3 keys, $4 way and $5 version of it, or null: whoever answered; :"ledger".
-- Outputs: key, way and answer, as text.
select key, way, answer::text
from :"ledger".answers
where dataset = $1
    and enrichment = $2
    and key = any($3::text[])
    and ($4::text is null or (way = $4 and version = $5::text));
