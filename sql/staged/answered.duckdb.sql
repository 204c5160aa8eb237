-- Purpose: count what an enrichment found.
-- Engine:  DuckDB
-- Inputs:  all_questions, best_answers; :"status", its first column.
-- Outputs: status and the number of questions with it, the most frequent first.
select coalesce(:"status", 'no answer'), count(*)
from all_questions left join best_answers using (key)
group by 1
order by 2 desc, 1;
