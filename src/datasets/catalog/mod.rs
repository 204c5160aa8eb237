//! Sheets that people keep by hand: projects, categories, communities and backers, and the relations between them. The
//! tables hold the content of all of them together, and an error in one is found before it spreads.

mod dictionary;
mod grid;
mod near;
pub mod options;
mod parse;
mod rows;
mod rules;
pub mod sample;
mod sheets;

use crate::dataset::{
    Dataset, FileName, Promotion, PublishedColumns, PublishedForm, PublishedTable, Reach, Scripts,
};

/// The dataset `catalog`.
pub const CATALOG: Dataset = Dataset {
    name: "catalog",
    about: "Hand-kept sheets of projects, categories, communities and backers",
    record: "row",
    format: "CSV",
    private: None,
    folder: "catalog/",
    target: "",
    tables: sheets::TABLES,
    file_name,
    near_name,
    asked: None,
    walked: None,
    parse: parse::parse,
    enrichment: None,
    links: Some(&options::LINKS),
    reference: None,
    promotion: Promotion::ReplaceAll { key: "record_id", parts: sheets::FILES },
    feed_days: None,
    guards: &[],
    variables: |_| Vec::new(),
    scripts: Scripts {
        stage: include_str!("../../../sql/catalog/1_stage.duckdb.sql"),
        check: Some(include_str!("../../../sql/catalog/2_check.duckdb.sql")),
        export: include_str!("../../../sql/catalog/3_export.duckdb.sql"),
        tables: include_str!("../../../sql/catalog/4_tables.pg.sql"),
        keys: include_str!("../../../sql/catalog/5_keys.pg.sql"),
        complete: None,
        guards: None,
        newest: None,
        staging: None,
        known: None,
    },
    derived: &[],
    dictionary: dictionary::DICTIONARY,
    map: None,
    published: PUBLISHED,
    forms: &[PublishedForm::Csv],
    notice: None,
    served: None,
    has_sheets: true,
    counts_as_posted: false,
    has_demo: true,
    inputs: &[],
};

const PUBLISHED: &[PublishedTable] = &[
    published("catalog_categories.csv", "catalog_categories"),
    published("catalog_communities.csv", "catalog_communities"),
    published("catalog_backers.csv", "catalog_backers"),
    published("catalog_projects.csv", "catalog_projects"),
    published("catalog_project_categories.csv", "catalog_project_categories"),
    published("catalog_project_backers.csv", "catalog_project_backers"),
    published("catalog_project_dependencies.csv", "catalog_project_dependencies"),
    published("catalog_links.csv", "catalog_links"),
];

const fn published(name: &'static str, table: &'static str) -> PublishedTable {
    PublishedTable { name, reach: Reach::Public, table, columns: PublishedColumns::Named, split: None }
}

/// A sheet's name is always the same; the last posting of it counts.
fn file_name(name: &str) -> Option<FileName> {
    let place = sheets::FILES.iter().position(|file| *file == name)?;
    Some(FileName { run_date: None, order_key: place.to_string() })
}

/// Why a name that looks like that of a sheet is not accepted.
fn near_name(name: &str) -> Option<&'static str> {
    if sheets::FILES.contains(&name) {
        return None;
    }
    let lower = name.to_lowercase();
    let (stem, ending) = lower.rsplit_once('.').unwrap_or((&lower, ""));
    let is_sheet = |stem: &str| sheets::SHEETS.iter().any(|sheet| sheet.name == stem);
    match ending {
        "csv" if is_sheet(stem) => Some("names have small letters"),
        "xlsx" | "xls" | "ods" | "tsv" | "txt" | "" if is_sheet(stem) => Some("sheets are taken as CSV"),
        "csv" => near::nearest(stem, sheets::SHEETS.iter().map(|sheet| sheet.name))
            .map(|_| "it is near the name of a sheet"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_known_by_its_name_alone() {
        assert_eq!(file_name("categories.csv").unwrap().order_key, "0");
        assert_eq!(file_name("links.csv").unwrap().order_key, "7");
        for name in
            ["Projects.csv", "project.csv", "projects (1).csv", "projects.xlsx", "projects.csv.gz", ""]
        {
            assert!(file_name(name).is_none(), "{name}");
        }
        assert!(near_name("Projects.csv").is_some_and(|why| why.contains("small letters")));
        assert!(near_name("projects.xlsx").is_some_and(|why| why.contains("CSV")));
        assert!(near_name("project.csv").is_some() && near_name("projects (1).csv").is_some());
        for name in ["projects.csv", "planted.csv", "readme.md", ""] {
            assert_eq!(near_name(name), None, "{name}");
        }
    }
}
