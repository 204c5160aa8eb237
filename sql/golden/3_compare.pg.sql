-- Purpose: compare a table with its CSV of truth, rows as often as they occur.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- Inputs:  :"schema".:"table", pg_temp.golden, :columns, :"key".
-- Outputs: side (missing in the table, or unexpected in it), key, the row; the first of all by key.
with missing as (
    select :columns from pg_temp.golden except all select :columns from :"schema".:"table"
),
unexpected as (
    select :columns from :"schema".:"table" except all select :columns from pg_temp.golden
),
differences as (
    select 'missing' as side, missing.:"key" as key, to_jsonb(missing) as row from missing
    union all
    select 'unexpected', unexpected.:"key", to_jsonb(unexpected) from unexpected
)
select side, key, row, count(*) over () as total
from differences
order by key, row::text, side
limit 40;
