//! The sheets: their columns and the rules for their cells.

use crate::dataset::CellSource::{Element, RecordId};
use crate::dataset::{Column, ColumnType, Table};

/// The rule for a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellRule {
    /// The row's own key: `[a-z0-9][a-z0-9-]*`.
    Key,
    /// The key of a row of another sheet, or of the same; only SQL over all sheets can check that the row exists.
    Reference,
    /// A word with the form of a key that refers to no sheet.
    Word,
    /// A name for people, in one line.
    Name,
    /// A text for people.
    Text,
    Url,
    /// `owner/name` or a URL.
    Repository,
    License,
    Date,
}

/// A column of a sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct SheetField {
    pub name: &'static str,
    pub rule: CellRule,
    /// May its cell be empty?
    pub is_optional: bool,
}

/// A sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheet {
    pub file: &'static str,
    /// The part of a row's identity before the colon.
    pub name: &'static str,
    pub table: Table,
    /// In the order of the table's columns, after the identity.
    pub fields: &'static [SheetField],
    /// How many of the first fields make up the key.
    pub keys: usize,
}

const fn must(name: &'static str, rule: CellRule) -> SheetField {
    SheetField { name, rule, is_optional: false }
}

const fn may(name: &'static str, rule: CellRule) -> SheetField {
    SheetField { name, rule, is_optional: true }
}

const ID: Column = Column::new("record_id", ColumnType::Text, RecordId);

const fn text(name: &'static str) -> Column {
    Column::new(name, ColumnType::Text, Element(name))
}

const fn day(name: &'static str) -> Column {
    Column::new(name, ColumnType::Date, Element(name))
}

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, element: "", unique: &[], columns }
}

/// One row for each row of any sheet: its sheet and its content.
pub(super) const ROWS: Table = table("catalog_rows", &[ID, text("sheet"), text("content")]);

use CellRule::{Date, Key, License, Name, Reference, Repository, Text, Url, Word};

/// All sheets, in the order in which they are taken.
pub(super) const SHEETS: &[Sheet] = &[
    Sheet {
        file: "categories.csv",
        name: "categories",
        table: table(
            "catalog_categories",
            &[ID, text("category"), text("name"), text("parent"), text("description")],
        ),
        fields: &[
            must("category", Key),
            must("name", Name),
            may("parent", Reference),
            may("description", Text),
        ],
        keys: 1,
    },
    Sheet {
        file: "communities.csv",
        name: "communities",
        table: table(
            "catalog_communities",
            &[ID, text("community"), text("name"), text("url"), text("description")],
        ),
        fields: &[must("community", Key), must("name", Name), may("url", Url), may("description", Text)],
        keys: 1,
    },
    Sheet {
        file: "backers.csv",
        name: "backers",
        table: table("catalog_backers", &[ID, text("backer"), text("name"), text("kind"), text("url")]),
        fields: &[must("backer", Key), must("name", Name), may("kind", Word), may("url", Url)],
        keys: 1,
    },
    Sheet {
        file: "projects.csv",
        name: "projects",
        table: table(
            "catalog_projects",
            &[
                ID,
                text("project"),
                text("name"),
                text("repository"),
                text("community"),
                text("license"),
                day("started"),
                text("description"),
            ],
        ),
        fields: &[
            must("project", Key),
            must("name", Name),
            may("repository", Repository),
            may("community", Reference),
            may("license", License),
            may("started", Date),
            may("description", Text),
        ],
        keys: 1,
    },
    Sheet {
        file: "project_categories.csv",
        name: "project_categories",
        table: table("catalog_project_categories", &[ID, text("project"), text("category")]),
        fields: &[must("project", Reference), must("category", Reference)],
        keys: 2,
    },
    Sheet {
        file: "project_backers.csv",
        name: "project_backers",
        table: table("catalog_project_backers", &[ID, text("project"), text("backer"), day("since")]),
        fields: &[must("project", Reference), must("backer", Reference), may("since", Date)],
        keys: 2,
    },
    Sheet {
        file: "project_dependencies.csv",
        name: "project_dependencies",
        table: table("catalog_project_dependencies", &[ID, text("project"), text("depends_on")]),
        fields: &[must("project", Reference), must("depends_on", Reference)],
        keys: 2,
    },
    Sheet {
        file: "links.csv",
        name: "links",
        table: table("catalog_links", &[ID, text("project"), text("kind"), text("url")]),
        fields: &[must("project", Reference), must("kind", Word), must("url", Url)],
        keys: 3,
    },
];

/// The files, in that order.
pub(super) const FILES: &[&str] = &[
    SHEETS[0].file,
    SHEETS[1].file,
    SHEETS[2].file,
    SHEETS[3].file,
    SHEETS[4].file,
    SHEETS[5].file,
    SHEETS[6].file,
    SHEETS[7].file,
];

/// The tables, that of all rows first.
pub(super) const TABLES: &[Table] = &[
    ROWS,
    SHEETS[0].table,
    SHEETS[1].table,
    SHEETS[2].table,
    SHEETS[3].table,
    SHEETS[4].table,
    SHEETS[5].table,
    SHEETS[6].table,
    SHEETS[7].table,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_agree() {
        assert_eq!((SHEETS.len(), FILES.len(), TABLES.len()), (8, 8, 9));
        for sheet in SHEETS {
            let columns: Vec<_> = sheet.table.columns.iter().skip(1).map(|column| column.name).collect();
            let fields: Vec<_> = sheet.fields.iter().map(|field| field.name).collect();
            assert_eq!(columns, fields, "{}", sheet.file);
            assert_eq!(sheet.file, format!("{}.csv", sheet.name));
            assert_eq!(sheet.table.name, format!("catalog_{}", sheet.name));
            assert!(sheet.fields[..sheet.keys].iter().all(|field| !field.is_optional), "{}", sheet.file);
        }
    }
}
