-- Purpose: what the address directory says, among the answers of all ways.
-- Engine:  DuckDB
-- Inputs:  answers_pad of 6_answers.
-- Outputs: rows of answers.
insert into answers by name
select
    'pad' as way,
    * replace (lat::varchar as lat, lon::varchar as lon)
from answers_pad;
