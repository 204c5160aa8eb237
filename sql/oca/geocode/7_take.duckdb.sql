-- Purpose: what the address directory says, among the answers of all ways.
-- Engine:  DuckDB
-- Inputs:  answers_pad of 6_answers.
-- Outputs: rows of answers; what was made on the way to them is gone.
insert into answers by name
select
    'pad' as way,
    * replace (lat::varchar as lat, lon::varchar as lon)
from answers_pad;

drop view answers_pad;
drop table lines;
drop table line_more;
drop table found;
drop table numbered_lots;
