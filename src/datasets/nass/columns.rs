//! The 39 columns of a record, in the order of the CSV answers and of the bulk files.

/// The names of the columns in the API.
pub const COLUMNS: [&str; 39] = [
    "source_desc",
    "sector_desc",
    "group_desc",
    "commodity_desc",
    "class_desc",
    "prodn_practice_desc",
    "util_practice_desc",
    "statisticcat_desc",
    "unit_desc",
    "short_desc",
    "domain_desc",
    "domaincat_desc",
    "agg_level_desc",
    "state_ansi",
    "state_fips_code",
    "state_alpha",
    "state_name",
    "asd_code",
    "asd_desc",
    "county_ansi",
    "county_code",
    "county_name",
    "region_desc",
    "zip_5",
    "watershed_code",
    "watershed_desc",
    "congr_district_code",
    "country_code",
    "country_name",
    "location_desc",
    "year",
    "freq_desc",
    "begin_code",
    "end_code",
    "reference_period_desc",
    "week_ending",
    "load_time",
    "Value",
    "CV (%)",
];

/// The columns that identify a record; two empty fields count as equal.
pub const NATURAL_KEY: [&str; 26] = [
    "source_desc",
    "sector_desc",
    "group_desc",
    "commodity_desc",
    "class_desc",
    "prodn_practice_desc",
    "util_practice_desc",
    "statisticcat_desc",
    "unit_desc",
    "domain_desc",
    "domaincat_desc",
    "agg_level_desc",
    "state_fips_code",
    "asd_code",
    "county_code",
    "region_desc",
    "zip_5",
    "watershed_code",
    "congr_district_code",
    "country_code",
    "year",
    "freq_desc",
    "begin_code",
    "end_code",
    "reference_period_desc",
    "week_ending",
];

/// The places of some columns.
pub const SECTOR: usize = 1;
pub const YEAR: usize = 30;
pub const WEEK_ENDING: usize = 35;
pub const LOAD_TIME: usize = 36;
pub const VALUE: usize = 37;

/// The fields of one record.
pub type Fields<'a> = [&'a str; COLUMNS.len()];

/// The place of the column with this name in the API.
pub fn position(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| *column == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_keys_are_columns() {
        assert_eq!(
            [SECTOR, YEAR, WEEK_ENDING, LOAD_TIME, VALUE].map(|at| COLUMNS[at]),
            ["sector_desc", "year", "week_ending", "load_time", "Value"]
        );
        let places: std::collections::BTreeSet<_> =
            NATURAL_KEY.iter().map(|name| position(name).unwrap()).collect();
        assert_eq!(places.len(), 26);
        assert_eq!(position("YEAR"), None);
    }
}
