//! USDA's Quick Stats: figures of farming since 1850, requested from a service that limits the records of an answer.

pub mod bulk;
pub mod columns;
mod counties;
mod dictionary;
mod facts;
mod feed;
pub mod map;
mod near;
pub mod options;
mod parse;
mod plan;
pub mod quickstats;
mod rows;
pub mod sample;
mod sought;
mod unpack;
mod value;

use crate::dataset::{
    Dataset, Promotion, PublishedColumns, PublishedForm, PublishedTable, Reach, Scripts, SplitBy,
};

/// The dataset `nass`.
pub const NASS: Dataset = Dataset {
    name: "nass",
    about: "USDA's statistics of farming (Quick Stats)",
    record: "fact",
    format: "CSV",
    private: None,
    folder: "nass/",
    target: "",
    tables: &[facts::FACTS],
    file_name: feed::file_name,
    near_name: |_| None,
    asked: Some(&feed::QUICK_STATS),
    walked: None,
    parse: parse::parse,
    enrichment: None,
    links: None,
    reference: None,
    promotion: Promotion::ReplaceSlices { key: "record_id" },
    feed_days: None,
    guards: &[],
    variables: |_| Vec::new(),
    scripts: Scripts {
        stage: include_str!("../../../sql/nass/1_stage.duckdb.sql"),
        check: Some(include_str!("../../../sql/nass/2_check.duckdb.sql")),
        export: include_str!("../../../sql/nass/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/nass/4_tables.pg.sql"),
        staging: None,
        known: None,
        keys: include_str!("../../../sql/nass/5_keys.pg.sql"),
        complete: None,
        guards: None,
        newest: None,
    },
    derived: &[],
    dictionary: dictionary::DICTIONARY,
    map: Some(&map::MAP),
    served: None,
    published: &[PublishedTable {
        name: "nass_facts.csv",
        reach: Reach::Public,
        table: "nass_facts",
        columns: PublishedColumns::Named,
        // One file for each year, in which the rows of a county are together.
        split: Some(SplitBy {
            column: "year",
            order: &["fips", "state_alpha", "commodity_desc", "short_desc", "domaincat_desc", "record_id"],
            forms: &PublishedForm::ALL,
        }),
    }],
    forms: &[PublishedForm::Csv, PublishedForm::Parquet],
    notice: Some("This product uses the NASS API but is not endorsed or certified by NASS."),
    has_sheets: false,
    counts_as_posted: false,
    has_demo: true,
    inputs: &[],
};
