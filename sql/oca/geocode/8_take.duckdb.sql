-- Purpose: what the address directory says, among the answers of all ways.
-- Engine:  DuckDB
-- Inputs:  answers_pad of 7_answers.
-- Outputs: rows of answers; what was made on the way to them is gone.
insert into answers by name
select
    'pad' as way,
    * replace (lat::varchar as lat, lon::varchar as lon)
from answers_pad;

drop view answers_pad;
drop table found;
drop view lines;
drop view other_lines;
drop view line_more;
drop table typed_lines;
drop table hard_lines;
