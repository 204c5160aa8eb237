-- Purpose: how many cases an area has, by what is counted.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 what is counted (filings, judgments, warrants, evictions); $2 by what (zip, tract, borough); $3 first and $4
--          last day, or null; $5 codes of areas and $6 the area that each means; the tables of :"schema".
-- Outputs: area, n, first, last. A case counts once in an area; cases without an area are counted under null.
with dated as (
    select indexnumberid, fileddate as day from :"schema".oca_index where $1::text = 'filings'
    union all
    select indexnumberid, coalesce(fileddate, entereddatetime::date) from :"schema".oca_judgments
    where $1::text = 'judgments'
    union all
    select indexnumberid, issueddate from :"schema".oca_warrants where $1::text = 'warrants'
    union all
    select indexnumberid, executiondate from :"schema".oca_warrants where $1::text = 'evictions'
),
counted as (
    select indexnumberid, min(day) as first, max(day) as last
    from dated
    where day is not null and day >= coalesce($3::date, day) and day <= coalesce($4::date, day)
    group by indexnumberid
),
code as (
    select known.code, known.area
    from unnest($5::text[], $6::text[]) as known (code, area)
),
addressed as (
    select
        indexnumberid,
        substring(btrim(postalcode) from '^[0-9]{5}') as zip,
        upper(btrim(boro)) as boro,
        btrim(borough_code) as borough_code,
        upper(btrim(boro)) || ' ' || btrim(ct) as tract
    from :"schema".oca_addresses
),
placed as (
    select distinct
        counted.indexnumberid,
        case $2::text
            when 'zip' then of_zip.area
            when 'tract' then of_tract.area
            when 'borough' then coalesce(of_boro.area, of_code.area, of_zip.area)
        end as area
    from counted
    join addressed using (indexnumberid)
    left join code as of_zip on of_zip.code = addressed.zip
    left join code as of_tract on of_tract.code = addressed.tract
    left join code as of_boro on of_boro.code = addressed.boro
    left join code as of_code on of_code.code = addressed.borough_code
),
located as (
    select indexnumberid, area from placed where area is not null
),
everything as (
    select indexnumberid, area from located
    union all
    select indexnumberid, null from counted
    where not exists (select from located where located.indexnumberid = counted.indexnumberid)
)
select area, count(*) as n, min(first) as first, max(last) as last
from everything join counted using (indexnumberid)
group by area;
