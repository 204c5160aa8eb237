-- Purpose: find the figure of each county for a measure; over several years it is the median.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 the measure (corn-yield, soybean-yield, wheat-yield, corn-area, soybean-area, wheat-area, cattle); $2 the
--          division (county); $3 first and $4 last day, or null, of which only the years matter; $5 codes of areas and $6 the
--          area of each code; the table nass_facts of :"schema".
-- Outputs: area, n (the figure in tenths of its unit), first, last. A county without a figure has no row, because a withheld
--          figure is not zero.
with told (measure, division, short_desc, reference_period_desc) as (
    values
        ('corn-yield', 'county', 'CORN, GRAIN - YIELD, MEASURED IN BU / ACRE', 'YEAR'),
        ('soybean-yield', 'county', 'SOYBEANS - YIELD, MEASURED IN BU / ACRE', 'YEAR'),
        ('wheat-yield', 'county', 'WHEAT - YIELD, MEASURED IN BU / ACRE', 'YEAR'),
        ('corn-area', 'county', 'CORN, GRAIN - ACRES HARVESTED', 'YEAR'),
        ('soybean-area', 'county', 'SOYBEANS - ACRES HARVESTED', 'YEAR'),
        ('wheat-area', 'county', 'WHEAT - ACRES HARVESTED', 'YEAR'),
        ('cattle', 'county', 'CATTLE, INCL CALVES - INVENTORY', 'FIRST OF JAN')
),
code as (
    select known.code, known.area
    from unnest($5::text[], $6::text[]) as known (code, area)
),
-- Both a survey and a census may have a figure for a year; the survey's is taken, because it exists for every year.
figure as (
    select distinct on (facts.fips, facts.year) facts.fips, facts.year, facts.value
    from told
    join :"schema"."nass_facts" as facts
        on facts.short_desc = told.short_desc and facts.reference_period_desc = told.reference_period_desc
    where told.measure = $1::text
        and told.division = $2::text
        and facts.agg_level_desc = 'COUNTY'
        and facts.domain_desc = 'TOTAL'
        and facts.fips is not null
        and facts.value >= 0
        and facts.year >= coalesce(extract(year from $3::date), facts.year)
        and facts.year <= coalesce(extract(year from $4::date), facts.year)
    order by facts.fips, facts.year, facts.source_desc = 'SURVEY' desc, facts.load_time desc
)
select
    code.area,
    round(percentile_cont(0.5) within group (order by figure.value) * 10)::bigint as n,
    make_date(min(figure.year), 1, 1) as first,
    make_date(max(figure.year), 12, 31) as last
from figure
join code on code.code = figure.fips
group by code.area;
