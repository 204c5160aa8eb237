-- Purpose: the questions and answers of an enrichment.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/staged/enrichment.duckdb.sql

-- part: questions  (query)
-- Purpose: some questions of an enrichment, in the order of their keys.
-- Inputs:  :"table", all_questions or questions; :fields, a list of quoted columns; :'after', the last key that was read;
--          :limit.
-- Outputs: key and the fields.
select key, :fields
from :"table"
where key > :'after'
order by key
limit :limit;

-- part: open  (query)
-- Purpose: count the questions that are open.
-- Inputs:  questions.
-- Outputs: their number.
select count(*) from questions;

-- part: answers  (query)
-- Purpose: some answers of an enrichment, in the order of their keys: the best one for each question, or those that one
--          way has given now.
-- Inputs:  best_answers, answers; :'way', empty for the best; :columns, a list of quoted columns; :'after', the
--          last key that was read; :limit.
-- Outputs: key and the columns.
with wanted as (
    select key, :columns from best_answers where :'way' = ''
    union all
    select key, :columns
    from answers
    where way = :'way' and version is null
)
select key, :columns
from wanted
where key > :'after'
order by key
limit :limit;

-- part: answered  (query)
-- Purpose: count what an enrichment found.
-- Inputs:  all_questions, best_answers; :"status", its first column.
-- Outputs: status and the number of questions with it, the most frequent first.
select coalesce(:"status", 'no answer'), count(*)
from all_questions left join best_answers using (key)
group by 1
order by 2 desc, 1;

-- part: records  (query)
-- Purpose: some of the live records that are to be loaded, in the order of their identities.
-- Inputs:  records, losers; :'after', the last identity that was read; :limit.
-- Outputs: their identities.
select distinct record_id
from records
where not is_delete and record_id > :'after' and record_no not in (select record_no from losers)
order by record_id
limit :limit;
