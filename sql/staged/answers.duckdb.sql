-- Purpose: some answers of an enrichment, in the order of their keys: the best of each question, or what one way said to the
--          questions that were open.
-- Engine:  DuckDB
-- Inputs:  best_answers, answers, questions; :'way', empty for the best; :columns, a list of quoted columns; :'after', the
--          last key that was read; :limit.
-- Outputs: key and the columns.
with wanted as (
    select key, :columns from best_answers where :'way' = ''
    union all
    select key, :columns
    from answers
    where way = :'way' and key in (select key from questions)
)
select key, :columns
from wanted
where key > :'after'
order by key
limit :limit;
