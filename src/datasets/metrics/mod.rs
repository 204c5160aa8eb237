//! The graph of projects, categories, communities, backers and people, with ranks and monthly metrics of their work. It
//! is made from tables of the database: those of the sheets and of the histories.

mod activity;
mod dictionary;
pub mod export;
pub mod options;
pub mod pagerank;
mod parse;
pub mod series;
pub mod site;
mod tables;

use crate::dataset::{
    Dataset, FileName, Promotion, PublishedColumns, PublishedForm, PublishedTable, Reach, Scripts, TableInput,
};

/// The one input.
const INPUT: &str = "graph.csv";

/// The hint about the command that makes the tables that are read.
const BY_CATALOG: &str = "merganser run catalog makes it";
const BY_HISTORIES: &str = "merganser run commits makes it";

/// The dataset `metrics`.
pub const METRICS: Dataset = Dataset {
    name: "metrics",
    about: "The graph of the catalog, and metrics of its commits",
    record: "node",
    format: "CSV",
    private: Some("names of people"),
    folder: "metrics/",
    target: "",
    tables: &[tables::NODES, tables::EDGES, tables::VALUES],
    file_name: |name| (name == INPUT).then(|| FileName { run_date: None, order_key: String::new() }),
    near_name: |_| None,
    asked: None,
    walked: None,
    parse: parse::parse,
    enrichment: None,
    links: None,
    reference: None,
    promotion: Promotion::ReplaceAll { key: "record_id", parts: &[INPUT] },
    feed_days: None,
    guards: &[],
    variables: options::variables,
    scripts: Scripts {
        stage: include_str!("../../../sql/metrics/1_stage.duckdb.sql"),
        check: None,
        export: include_str!("../../../sql/metrics/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/metrics/4_tables.pg.sql"),
        keys: include_str!("../../../sql/metrics/5_keys.pg.sql"),
        complete: None,
        guards: None,
        newest: None,
        staging: None,
        known: None,
    },
    derived: tables::VIEWS,
    dictionary: dictionary::DICTIONARY,
    map: None,
    published: &[PublishedTable {
        name: "site_metrics.csv",
        reach: Reach::Public,
        table: "site_metrics",
        columns: PublishedColumns::Named,
        split: None,
    }],
    forms: &[PublishedForm::Csv],
    notice: None,
    served: None,
    has_sheets: false,
    counts_as_posted: false,
    has_demo: true,
    inputs: &[TableInput {
        name: INPUT,
        query: include_str!("../../../sql/metrics/inputs.pg.sql"),
        needs: &[
            ("catalog_projects", BY_CATALOG),
            ("catalog_categories", BY_CATALOG),
            ("git_repositories", BY_HISTORIES),
            ("git_commits", BY_HISTORIES),
            ("git_parents", BY_HISTORIES),
            ("git_identities", BY_HISTORIES),
        ],
    }],
};
