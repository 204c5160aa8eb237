-- Purpose: a look at the result of the demo: the highest yields of corn by county, and those of the two years before.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".nass_facts.
-- Outputs: county, state, and three figures as text, the newest year's last: a number, or the code of a withheld value;
--          null: nothing was published.
with newest as (
    select max(year) as year from :"schema".nass_facts
),
told as (
    select
        facts.fips,
        facts.county_name,
        facts.state_alpha,
        newest.year - facts.year as years_ago,
        facts.value,
        coalesce(facts.value::text, facts.value_code) as figure
    from newest join :"schema".nass_facts as facts on facts.year between newest.year - 2 and newest.year
    where facts.short_desc = 'CORN, GRAIN - YIELD, MEASURED IN BU / ACRE'
        and facts.source_desc = 'SURVEY'
        and facts.agg_level_desc = 'COUNTY'
        and facts.domain_desc = 'TOTAL'
        and facts.reference_period_desc = 'YEAR'
        and facts.fips is not null
)
select
    initcap(county_name) as county,
    state_alpha as state,
    max(figure) filter (where years_ago = 2) as two_years_ago,
    max(figure) filter (where years_ago = 1) as last_year,
    max(figure) filter (where years_ago = 0) as this_year
from told
group by fips, county_name, state_alpha
order by max(value) filter (where years_ago = 0) desc nulls last, fips
limit 6;
