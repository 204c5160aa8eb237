-- Purpose: write the facts as CSV for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  nass_facts, losers; :'dir', the folder for the file.
-- Outputs: nass_facts.csv, with a header row. The records keep the order in which they were staged, because a sort by all
--          columns would not fit into the memory of the staging store.
copy (
    select
        source_desc, sector_desc, group_desc, commodity_desc, class_desc, prodn_practice_desc,
        util_practice_desc, statisticcat_desc, unit_desc, short_desc, domain_desc, domaincat_desc,
        agg_level_desc, state_ansi, state_fips_code, state_alpha, state_name, asd_code, asd_desc, county_ansi,
        county_code, county_name, region_desc, zip_5, watershed_code, watershed_desc, congr_district_code,
        country_code, country_name, location_desc, year, freq_desc, begin_code, end_code,
        reference_period_desc, week_ending, load_time, value, value_code, cv, cv_code, fips, record_id
    from "nass_facts"
    where record_no not in (select record_no from losers)
) to (:'dir' || '/nass_facts.csv') (format csv, header, nullstr '');
