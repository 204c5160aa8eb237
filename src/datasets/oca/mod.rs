//! New York's housing-court extract: zipped XML, some dozen rows a case, weekly.

mod archive;
mod block;
mod cells;
mod document;
mod fields;
mod file_name;
mod flatten;
mod leftovers;
mod names;
mod parse;
mod plan;
mod rescue;
mod rows;
pub mod sample;
mod scan;
mod stop;
pub mod tables;
mod unique;
mod value;
mod window;

use crate::dataset::{Dataset, Promotion, PublishedColumns, PublishedTable, Scripts};

/// The dataset `oca`.
pub const OCA: Dataset = Dataset {
    name: "oca",
    record: "case",
    tables: tables::TABLES,
    kept: &[tables::METADATA],
    file_name: file_name::file_name,
    near_name: file_name::near_name,
    parse: parse::parse,
    promotion: Promotion::MergeWithChildren { key: "indexnumberid" },
    feed_days: 60,
    guards: &["deletes", "drop", "duplicates", "failures", "orphans", "run_date", "short"],
    scripts: Scripts {
        stage: include_str!("../../../sql/oca/1_stage.duckdb.sql"),
        check: include_str!("../../../sql/oca/2_check.duckdb.sql"),
        winners: include_str!("../../../sql/oca/2_winners.duckdb.sql"),
        export: include_str!("../../../sql/oca/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/oca/4_tables.pg.sql"),
        keys: include_str!("../../../sql/oca/5_keys.pg.sql"),
        promote: include_str!("../../../sql/oca/6_promote.pg.sql"),
        kept: include_str!("../../../sql/oca/6_kept.pg.sql"),
        guards: include_str!("../../../sql/oca/8_guards.pg.sql"),
        purge: include_str!("../../../sql/oca/9_purge.pg.sql"),
        verify: include_str!("../../../sql/oca/9_verify.pg.sql"),
        newest: include_str!("../../../sql/oca/7_newest.pg.sql"),
    },
    published: &[
        whole("public/oca_index.csv", "oca_index"),
        whole("public/oca_causes.csv", "oca_causes"),
        // Street lines, coordinates and building numbers never reach a public path.
        PublishedTable {
            object: "public/oca_addresses.csv",
            table: "oca_addresses",
            columns: PublishedColumns::Only(&["indexnumberid", "city", "state", "postalcode"]),
        },
        whole("public/oca_parties.csv", "oca_parties"),
        whole("public/oca_events.csv", "oca_events"),
        whole("public/oca_appearances.csv", "oca_appearances"),
        whole("public/oca_appearance_outcomes.csv", "oca_appearance_outcomes"),
        whole("public/oca_motions.csv", "oca_motions"),
        whole("public/oca_decisions.csv", "oca_decisions"),
        whole("public/oca_judgments.csv", "oca_judgments"),
        whole("public/oca_warrants.csv", "oca_warrants"),
        whole("public/oca_metadata.csv", "oca_metadata"),
        PublishedTable {
            object: "private/oca_addresses_private.csv",
            table: "oca_addresses",
            columns: PublishedColumns::All,
        },
    ],
};

const fn whole(object: &'static str, table: &'static str) -> PublishedTable {
    PublishedTable { object, table, columns: PublishedColumns::Named }
}
