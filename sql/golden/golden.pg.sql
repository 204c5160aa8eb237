-- Purpose: compare a table with a CSV of truth.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/golden/golden.pg.sql

-- part: table  (script)
-- Purpose: a place for a CSV of truth.
-- Inputs:  :"schema".:"table".
-- Outputs: pg_temp.golden, empty, with the same columns.
drop table if exists pg_temp.golden;
create temp table golden (like :"schema".:"table") on commit drop;

-- part: copy  (script)
-- Purpose: load a CSV of truth.
-- Inputs:  :columns, those of its header; the CSV on standard input.
-- Outputs: pg_temp.golden.
copy pg_temp.golden (:columns) from stdin with (format csv, header true)

-- part: compare  (script)
-- Purpose: compare a table with its CSV of truth, rows as often as they occur.
-- Inputs:  :"schema".:"table", pg_temp.golden, :texts (the columns of the CSV, each as text: 800.0 is not
--          800.00 here), :"key".
-- Outputs: side (missing in the table, or unexpected in it), key, the row, and how many rows differ in all;
--          the first by key.
with truth as (
    select :texts from pg_temp.golden
),
found as (
    select :texts from :"schema".:"table"
),
missing as (
    select * from truth except all select * from found
),
unexpected as (
    select * from found except all select * from truth
),
differences as (
    select 'missing' as side, coalesce(missing.:"key", '(no key)') as key, to_jsonb(missing) as row from missing
    union all
    select 'unexpected', coalesce(unexpected.:"key", '(no key)'), to_jsonb(unexpected) from unexpected
),
-- A row with another value is both missing and unexpected, but counts as one difference.
keys as (
    select greatest(count(*) filter (where side = 'missing'), count(*) filter (where side = 'unexpected')) as rows
    from differences
    group by key
)
select side, key, row, (select sum(rows)::bigint from keys) as total
from differences
order by key, row::text, side
limit 40;
