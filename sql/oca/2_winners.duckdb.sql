-- Purpose: decide which records are exported, and how an array is written.
-- Engine:  DuckDB
-- Inputs:  the staging tables, failed among them.
-- Outputs: losers, the records whose rows are not exported; array_literal().

-- The winner among the records of one case: the last word of the run, unless it is deleted anywhere
-- in it (rules 2 and 4). The losers' rows are not exported.
create or replace table losers as
with good as (
    select record_no, record_id, is_delete from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no, bool_or(is_delete) as is_deleted
    from good
    group by record_id
)
select good.record_no
from good join latest using (record_id)
where latest.is_deleted or good.record_no < latest.record_no
union all
select record_no from failed;

-- An array literal quotes every element, so commas, braces and the word NULL need no thought.
create or replace macro array_literal(elements) as
    case when elements is not null then
        '{' || array_to_string(list_transform(elements, lambda element:
            case when element is null then 'NULL'
            else '"' || replace(replace(element, '\', '\\'), '"', '\"') || '"' end), ',') || '}'
    end;
