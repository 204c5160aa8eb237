//! New York's housing-court extract: zipped XML, some dozen rows a case, weekly.

mod address;
mod archive;
mod block;
mod cells;
pub mod census;
pub mod derived;
mod dictionary;
mod document;
mod fields;
mod file_name;
mod filings;
mod flatten;
mod geocode;
pub mod geosearch;
mod leftovers;
mod locality;
pub mod located;
mod map;
mod names;
pub mod options;
mod parse;
mod plan;
mod reference;
mod rescue;
mod rows;
pub mod sample;
mod scan;
mod stop;
mod street;
pub mod tables;
mod unique;
mod value;
mod window;

use crate::dataset::{
    Dataset, Promotion, PublishedColumns, PublishedForm, PublishedTable, Reach, Scripts, Tombstones,
};

/// The dataset `oca`.
pub const OCA: Dataset = Dataset {
    name: "oca",
    about: "New York's housing-court extract",
    record: "case",
    format: "XML",
    private: Some("street lines"),
    folder: "",
    target: "",
    tables: tables::TABLES,
    file_name: file_name::file_name,
    near_name: file_name::near_name,
    asked: None,
    walked: None,
    parse: parse::parse,
    enrichment: Some(geocode::GEOCODE),
    links: None,
    reference: Some(&reference::REFERENCE),
    promotion: Promotion::Merge {
        key: "indexnumberid",
        plan: include_str!("../../../sql/oca/6_promote.pg.sql"),
        tombstones: Tombstones {
            tables: &[tables::METADATA],
            check: include_str!("../../../sql/oca/6_kept.pg.sql"),
            sealed: include_str!("../../../sql/oca/6_sealed.pg.sql"),
            purge: concat!(
                include_str!("../../../sql/oca/geocode/address_key.pg.sql"),
                include_str!("../../../sql/oca/9_purge.pg.sql")
            ),
            proof: include_str!("../../../sql/oca/9_verify.pg.sql"),
        },
    },
    feed_days: Some(60),
    guards: &["duplicates", "geocode", "orphans"],
    variables: |options| {
        let required = options::geocode_required(options).map(|percent| percent.to_string());
        vec![("geocode_required", required.unwrap_or_default())]
    },
    scripts: Scripts {
        stage: include_str!("../../../sql/oca/1_stage.duckdb.sql"),
        check: Some(include_str!("../../../sql/oca/2_check.duckdb.sql")),
        export: include_str!("../../../sql/oca/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/oca/4_tables.pg.sql"),
        staging: None,
        known: None,
        keys: include_str!("../../../sql/oca/5_keys.pg.sql"),
        complete: Some(include_str!("../../../sql/oca/9_geometry.pg.sql")),
        guards: Some(include_str!("../../../sql/oca/8_guards.pg.sql")),
        newest: Some(include_str!("../../../sql/oca/7_newest.pg.sql")),
    },
    derived: derived::DERIVED,
    dictionary: dictionary::DICTIONARY,
    map: Some(&map::MAP),
    served: Some(&filings::SERVED),
    published: &[
        whole("oca_index.csv", "oca_index"),
        whole("oca_causes.csv", "oca_causes"),
        // Street lines, coordinates and building numbers never become public.
        PublishedTable {
            name: "oca_addresses.csv",
            reach: Reach::Public,
            table: "oca_addresses",
            columns: PublishedColumns::Only(&["indexnumberid", "city", "state", "postalcode"]),
            split: None,
        },
        whole("oca_parties.csv", "oca_parties"),
        whole("oca_events.csv", "oca_events"),
        whole("oca_appearances.csv", "oca_appearances"),
        whole("oca_appearance_outcomes.csv", "oca_appearance_outcomes"),
        whole("oca_motions.csv", "oca_motions"),
        whole("oca_decisions.csv", "oca_decisions"),
        whole("oca_judgments.csv", "oca_judgments"),
        whole("oca_warrants.csv", "oca_warrants"),
        whole("oca_metadata.csv", "oca_metadata"),
        whole("oca_case_summary.csv", "oca_case_summary"),
        whole("oca_addresses_public.csv", "oca_addresses_public"),
        whole("oca_addresses_with_bbl.csv", "oca_addresses_with_bbl"),
        whole("oca_addresses_with_ct.csv", "oca_addresses_with_ct"),
        PublishedTable {
            name: "oca_addresses_private.csv",
            reach: Reach::Private,
            table: "oca_addresses",
            columns: PublishedColumns::All,
            split: None,
        },
    ],
    forms: &[PublishedForm::Csv],
    notice: None,
    has_sheets: false,
    counts_as_posted: false,
    has_demo: true,
    inputs: &[],
};

const fn whole(name: &'static str, table: &'static str) -> PublishedTable {
    PublishedTable { name, reach: Reach::Public, table, columns: PublishedColumns::Named, split: None }
}
