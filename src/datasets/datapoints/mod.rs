//! Daily counts by place: hits of an activity in a branch at a postcode, and the hits that they are compared with.
//!
//! A record is a day: a file replaces every day that occurs in it.

mod dictionary;
mod lines;
mod parse;
mod place;
mod point;
pub mod sample;
pub mod tables;
mod unpack;

use crate::dataset::served::{PackedTables, Served};
use crate::dataset::{
    Dataset, FileName, Promotion, PublishedColumns, PublishedForm, PublishedTable, Reach, Scripts, Tombstones,
};

/// The dataset `datapoints`.
pub const DATAPOINTS: Dataset = Dataset {
    name: "datapoints",
    about: "Daily counts by postcode and branch",
    record: "day",
    format: "CSV",
    private: None,
    folder: "datapoints/",
    target: "",
    tables: &[tables::DAYS, tables::POINTS, tables::PLACE_DAYS, tables::ZONE_DAYS],
    file_name,
    near_name,
    asked: None,
    walked: None,
    parse: parse::parse,
    enrichment: None,
    links: None,
    reference: None,
    promotion: Promotion::Merge {
        key: "date",
        plan: include_str!("../../../sql/datapoints/6_promote.pg.sql"),
        tombstones: Tombstones {
            tables: &[tables::PLACES, tables::ATOMS],
            check: include_str!("../../../sql/datapoints/6_kept.pg.sql"),
            sealed: include_str!("../../../sql/datapoints/6_sealed.pg.sql"),
            purge: include_str!("../../../sql/datapoints/9_purge.pg.sql"),
            proof: include_str!("../../../sql/datapoints/9_verify.pg.sql"),
        },
    },
    feed_days: None,
    guards: &[],
    variables: |_| Vec::new(),
    scripts: Scripts {
        stage: include_str!("../../../sql/datapoints/1_stage.duckdb.sql"),
        check: Some(include_str!("../../../sql/datapoints/2_check.duckdb.sql")),
        export: include_str!("../../../sql/datapoints/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/datapoints/4_tables.pg.sql"),
        staging: Some(include_str!("../../../sql/datapoints/4_staging.pg.sql")),
        known: Some(tables::PLACES.name),
        keys: include_str!("../../../sql/datapoints/5_keys.pg.sql"),
        complete: Some(concat!(
            include_str!("../../../sql/datapoints/7_zones.pg.sql"),
            include_str!("../../../sql/datapoints/8_months.pg.sql")
        )),
        guards: None,
        newest: None,
    },
    derived: &[tables::ZONE_POINTS, tables::PLACE_MONTHS, tables::ZONE_MONTHS],
    dictionary: dictionary::DICTIONARY,
    map: None,
    has_sheets: false,
    counts_as_posted: true,
    has_demo: true,
    inputs: &[],
    served: Some(&SERVED),
    // The points are served by `merganser serve`; writing all of them anew each night would be too much.
    published: &[PublishedTable {
        name: "datapoint_days.csv",
        reach: Reach::Public,
        table: "datapoint_days",
        columns: PublishedColumns::Named,
        split: None,
    }],
    forms: &[PublishedForm::Csv],
    notice: None,
};

/// What the server offers of this dataset.
const SERVED: Served = Served {
    places: tables::PLACES.name,
    place_days: tables::PLACE_DAYS.name,
    zone_days: tables::ZONE_DAYS.name,
    days: tables::DAYS.name,
    atoms: tables::ATOMS.name,
    min_count: 0,
    words: ("hit", "hits"),
    compared_with: "the number given for comparison",
    packed: Some(PackedTables {
        zone_points: tables::ZONE_POINTS.table.name,
        place_months: tables::PLACE_MONTHS.table.name,
        zone_months: tables::ZONE_MONTHS.table.name,
    }),
    sums: None,
};

/// What names of files with points end in.
const ENDINGS: [&str; 4] = [".csv", ".csv.gz", ".csv.zst", ".parquet"];

/// Accepts `places.csv`, which is read before all others, and `datapoints*` with one of the endings; these count in the order
/// of their names.
fn file_name(name: &str) -> Option<FileName> {
    let is_points = name.starts_with("datapoints") && ENDINGS.iter().any(|ending| name.ends_with(ending));
    let order_key = match name {
        place::FILE => String::new(),
        _ if is_points => name.to_owned(),
        _ => return None,
    };
    Some(FileName { run_date: None, order_key })
}

fn near_name(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let is_near = lower.starts_with("datapoints") || lower.starts_with("places");
    match is_near && file_name(name).is_none() {
        true => Some(
            "files are called datapoints*.csv, .csv.gz, .csv.zst or .parquet, and places.csv, in small letters",
        ),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_first_and_names_are_told_apart() {
        let order = |name: &str| file_name(name).map(|name| name.order_key);
        assert!(order("places.csv") < order("datapoints.csv"));
        assert!(order("datapoints-2013-01.csv.gz") < order("datapoints-2013-02.csv"));
        assert!(order("datapoints.parquet").is_some());
        assert_eq!(order("datapoints.txt"), None);
        assert_eq!(order("other.csv"), None);
        assert!(near_name("datapoints.csv").is_none() && near_name("places.csv").is_none());
        assert!(near_name("Datapoints.CSV").is_some() && near_name("other.csv").is_none());
    }
}
