-- Purpose: raw rows of companies for the benchmark of jobs: made up, skewed and untidy, as wide as those of a business register
--          (some 400 bytes, nearly all of it text).
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", :rows (a number).
-- Outputs: companies_raw, replaced. Half of all rows have one of a few ZIP codes; some have none, an empty one, or one
--          with a blank before it.
drop table if exists :"schema".companies_raw;
create table :"schema".companies_raw (
    company_id bigint not null,
    zip_code text,
    name text,
    trade_name text,
    street text,
    unit text,
    city text,
    county text,
    state text,
    country text,
    phone text,
    fax text,
    email text,
    website text,
    contact text,
    title text,
    naics text,
    sic text,
    legal_form text,
    employees text,
    founded text,
    revenue text,
    status text,
    remarks text,
    read_at timestamptz not null default now()
);
insert into :"schema".companies_raw
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
    case number % 3 when 0 then 'ACME ' || number || ' ' when 1 then '' else 'dba  The Mill at ' || number % 300 end,
    number % 9900 || case number % 3 when 0 then ' West  42nd St' when 1 then ' ATLANTIC AVENUE' else ' Old Post rd.' end,
    case number % 4 when 0 then 'Suite ' || number % 900 when 1 then 'FL ' || number % 40 else '' end,
    (array['New York', 'BROOKLYN', ' Long Island City', 'Bronx ', 'staten  island'])[1 + number % 5],
    (array['New York', 'KINGS', 'Queens', 'BRONX', 'Richmond '])[1 + number % 5],
    (array['NY', 'ny', 'N.Y.', ' NY'])[1 + number % 4],
    (array['USA', 'US', 'United States', ''])[1 + number % 4],
    '(212) 555-' || lpad((number % 10000)::text, 4, '0'),
    case when number % 3 = 0 then '212.555.' || lpad((number % 9973)::text, 4, '0') else '' end,
    case number % 4 when 0 then 'n/a' else 'Office' || number || '@Company-' || number % 5000 || '.EXAMPLE' end,
    case number % 3 when 0 then null else 'HTTP://www.company-' || number % 5000 || '.example/' end,
    (array['Mary  Smith', 'JAMES JOHNSON', 'Maria Garcia ', 'wei chen', ''])[1 + number % 5] || ' ' || chr(65 + (number % 26)::integer) || '.',
    (array['Owner', 'PRESIDENT', 'chief executive officer', 'Managing Member', ''])[1 + number % 5],
    case number % 7 when 0 then '' else (110000 + number * 31 % 889999)::text end,
    case number % 6 when 0 then null else lpad((number * 17 % 9999)::text, 4, '0') end,
    (array['LLC', 'Corp.', 'Sole proprietor', 'LLP', 'unknown'])[1 + number % 5],
    case number % 5 when 0 then 'n/a' when 1 then '1,' || lpad((number % 1000)::text, 3, '0') else (number % 500)::text end,
    case number % 5
        when 0 then (1900 + number % 120)::text
        when 1 then to_char(date '1950-01-01' + (number % 25000)::integer, 'YYYY-MM-DD')
        when 2 then to_char(date '1950-01-01' + (number % 25000)::integer, 'MM/DD/YYYY')
        when 3 then 'unknown'
        else ''
    end,
    case number % 4 when 0 then '$' || to_char(number * 13 % 9000000, 'FM9,999,990') when 1 then (number * 7.5)::text when 2 then 'n/a' else null end,
    (array['ACTIVE', 'active', 'Dissolved', 'merged ', 'INACTIVE'])[1 + number % 5],
    case number % 8 when 0 then 'Returned mail;  address could not be verified on the last visit.' when 1 then 'see file ' || number else null end
from generate_series(1::bigint, :rows) as number
order by number * 7919 % 100003;
create index on :"schema".companies_raw (zip_code);
