-- Purpose: stored answers of enrichments.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/answers.pg.sql

-- part: has  (statement)
-- Purpose: does an enrichment have stored answers?
-- Inputs:  $1 dataset, $2 enrichment; :"ledger".
-- Outputs: true if so.
select exists (select from :"ledger".answers where dataset = $1 and enrichment = $2);

-- part: known  (statement)
-- Purpose: the stored answers to these questions.
-- Inputs:  $1 dataset, $2 enrichment, $3 keys, $4 way and $5 version of it, or null: any way; :"ledger".
-- Outputs: key, way, version and answer, as text.
select key, way, version, answer::text
from :"ledger".answers
where dataset = $1
    and enrichment = $2
    and key = any($3::text[])
    and ($4::text is null or (way = $4 and version = $5::text))
-- If several answers are equally good, the latest counts.
order by key, answered_at desc, way;

-- part: remember  (statement)
-- Purpose: store answers; a later one replaces an earlier one, which is kept beside it if it differs and is from an older edition.
-- Inputs:  $1 dataset, $2 enrichment, $3 way, $4 its version, $5 run_id, $6 a JSON array of {"key", "answer"}, as text;
--          :"ledger".
-- Outputs: rows of answers.
insert into :"ledger".answers (dataset, enrichment, key, way, version, answer, run_id)
select $1, $2, given.key, $3, $4, given.answer, $5
from jsonb_to_recordset($6::text::jsonb) as given (key text, answer jsonb)
on conflict (dataset, enrichment, key, way) do update
set earlier = case
        when answers.version = excluded.version
            or answers.answer = excluded.answer
            or exists (select from jsonb_array_elements(answers.earlier) as one (answer) where one.answer = answers.answer)
            then answers.earlier
        else answers.earlier || answers.answer
    end,
    version = excluded.version,
    answer = excluded.answer,
    run_id = excluded.run_id,
    answered_at = clock_timestamp();
