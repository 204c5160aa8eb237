-- Purpose: what stands in the way of a primary key?
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".:"table", :columns, the columns of the key.
-- Outputs: one row: duplicates, values that occur more than once; nulls, rows without a value.
with key as (
    select not ((:columns) is not null) as has_no_value, count(*) as rows
    from :"schema".:"table"
    group by :columns
)
select
    count(*) filter (where rows > 1 and not has_no_value) as duplicates,
    coalesce(sum(rows) filter (where has_no_value), 0)::bigint as nulls
from key;
