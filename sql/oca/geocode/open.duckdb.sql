-- Purpose: what one way of answering is still to be asked.
-- Engine:  DuckDB
-- Inputs:  all_questions and answers; :'way'.
-- Outputs: questions (key, street1, street2, city, state, postalcode): those that no way has settled and this one has not
--          answered. Where several lots are as good, asking further would only hide it; where there is no line,
--          nobody knows more.
create or replace table questions as
select key, street1, street2, city, state, postalcode
from all_questions
where not exists (
    select 1
    from answers
    where answers.key = all_questions.key
        and (answers.way = :'way' or answers.status in ('match', 'tie', 'no_line'))
)
order by key;
