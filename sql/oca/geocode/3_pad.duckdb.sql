-- Purpose: placeholder until the reference is merged.
-- Engine:  DuckDB
-- Inputs:  questions.
-- Outputs: answers.
insert into answers (key, way, status) select key, 'pad', case when street1 is null then 'no_line' else 'no_street' end from questions;
