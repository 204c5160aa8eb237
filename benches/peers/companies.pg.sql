-- Purpose: widen the raw rows of companies to those of a business register (some 350 bytes, nearly all of it text), for the
--          benchmark of jobs: made up and as untidy as the columns that they have.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".companies_raw (sql/demo/companies.pg.sql).
-- Outputs: companies_raw with more columns, its rows in the same order.
alter table :"schema".companies_raw rename to companies_narrow;

create table :"schema".companies_raw as
select
    narrow.*,
    case number % 3 when 0 then 'ACME ' || number || ' ' when 1 then '' else 'dba  The Mill at ' || number % 300 end as trade_name,
    number % 9900
        || case number % 3 when 0 then ' West  42nd St' when 1 then ' ATLANTIC AVENUE' else ' Old Post rd.' end as street,
    case number % 4 when 0 then 'Suite ' || number % 900 when 1 then 'FL ' || number % 40 else '' end as unit,
    (array['New York', 'BROOKLYN', ' Long Island City', 'Bronx ', 'staten  island'])[1 + number % 5] as city,
    (array['New York', 'KINGS', 'Queens', 'BRONX', 'Richmond '])[1 + number % 5] as county,
    (array['NY', 'ny', 'N.Y.', ' NY'])[1 + number % 4] as state,
    (array['USA', 'US', 'United States', ''])[1 + number % 4] as country,
    '(212) 555-' || lpad((number % 10000)::text, 4, '0') as phone,
    case when number % 3 = 0 then '212.555.' || lpad((number % 9973)::text, 4, '0') else '' end as fax,
    case number % 4 when 0 then 'n/a' else 'Office' || number || '@Company-' || number % 5000 || '.EXAMPLE' end as email,
    case when number % 3 > 0 then 'HTTP://www.company-' || number % 5000 || '.example/' end as website,
    (array['Mary  Smith', 'JAMES JOHNSON', 'Maria Garcia ', 'wei chen', ''])[1 + number % 5]
        || ' '
        || chr(65 + (number % 26)::integer)
        || '.' as contact,
    (array['Owner', 'PRESIDENT', 'chief executive officer', 'Managing Member', ''])[1 + number % 5] as title,
    case number % 7 when 0 then '' else (110000 + number * 31 % 889999)::text end as naics,
    case when number % 6 > 0 then lpad((number * 17 % 9999)::text, 4, '0') end as sic,
    (array['LLC', 'Corp.', 'Sole proprietor', 'LLP', 'unknown'])[1 + number % 5] as legal_form,
    case number % 5
        when 0 then 'n/a'
        when 1 then '1,' || lpad((number % 1000)::text, 3, '0')
        else (number % 500)::text
    end as employees,
    (array['ACTIVE', 'active', 'Dissolved', 'merged ', 'INACTIVE'])[1 + number % 5] as status,
    case number % 8
        when 0 then 'Returned mail;  address could not be verified on the last visit.'
        when 1 then 'see file ' || number
    end as remarks
from :"schema".companies_narrow as narrow
cross join lateral (select narrow.company_id as number) as named;

drop table :"schema".companies_narrow;
create index on :"schema".companies_raw (zip_code);
