-- Purpose: raw rows of companies for the demo of jobs: made up, skewed, and untidy as such tables usually are.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", :rows (a number).
-- Outputs: companies_raw, replaced. Half of all rows have one of a few ZIP codes; some have none, an empty one, or one
--          with a blank before it.
drop table if exists :"schema".companies_raw;
create table :"schema".companies_raw (
    company_id bigint not null,
    zip_code text,
    name text,
    founded text,
    revenue text,
    read_at timestamptz not null default now()
);
insert into :"schema".companies_raw (company_id, zip_code, name, founded, revenue)
select
    number,
    case
        when number % 997 = 0 then null
        when number % 991 = 0 then ''
        when number % 983 = 0 then ' 10001'
        else lpad((10001 + floor(power(number * 7919 % 100003 / 100003.0, 4) * 900))::integer::text, 5, '0')
    end,
    case number % 6
        when 0 then '  Acme Widgets No. ' || number || ' INC. '
        when 1 then 'BRIGHT & SONS #' || number
        when 2 then 'Corner Deli ' || number || ', llc'
        when 3 then 'harbor   freight line ' || number
        when 4 then 'Old Mill ' || number / 2
        else null
    end,
    case number % 5
        when 0 then (1900 + number % 120)::text
        when 1 then to_char(date '1950-01-01' + (number % 25000)::integer, 'YYYY-MM-DD')
        when 2 then to_char(date '1950-01-01' + (number % 25000)::integer, 'MM/DD/YYYY')
        when 3 then 'unknown'
        else ''
    end,
    case number % 4 when 0 then '$' || to_char(number * 13 % 9000000, 'FM9,999,990') when 1 then (number * 7.5)::text when 2 then 'n/a' else null end
from generate_series(1::bigint, :rows) as number
order by number * 7919 % 100003;
create index on :"schema".companies_raw (zip_code);
