//! Tables and views derived from a dataset's tables, and the descriptions of tables and columns.

use super::tables::Table;

/// A table or view that the promotion derives from the tables, or a table that it needs for that.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// Its name and its columns.
    pub table: Table,
    pub kind: DerivedKind,
    /// PostgreSQL: makes it, in `:"into"` and from the tables in `:"schema"`. A table is made only if it is missing,
    /// and without keys; a view may also replace one with the same columns (`create or replace`).
    pub make: &'static str,
}

/// The kind of a derived relation, and how it is maintained.
#[derive(Clone, Copy, Debug)]
pub enum DerivedKind {
    /// One row per record, computed from its rows in the other tables; its key is the dataset's, under the same name. A
    /// batch recomputes the rows of its records, or all rows if the table is new or out of date.
    Table {
        /// PostgreSQL: the keys of the table, added once its rows are there.
        keys: &'static str,
        /// PostgreSQL: makes the rows of every record that the tables in `:"source"` hold, and puts them into the table
        /// of this name in `:"into"`. Its last statement is the insert.
        fill: &'static str,
    },
    /// A table that a view needs and another command fills, or that the promotion fills with sums
    /// ([`Sums`](super::served::Sums)). It is made empty if it is missing.
    Reference {
        /// PostgreSQL: its keys.
        keys: &'static str,
    },
    /// A view; the rights on it stay as they are when its definition changes.
    View,
}

/// The description of a table or a view and of each of its columns, for comments in the database and for the published
/// dictionary.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    pub table: &'static str,
    pub about: &'static str,
    /// Names and descriptions, including those of a column that the dataset does not name (a geometry).
    pub columns: &'static [(&'static str, &'static str)],
}

impl Derived {
    /// The keys of a table; `None` for a view.
    pub fn keys(&self) -> Option<&'static str> {
        match self.kind {
            DerivedKind::Table { keys, .. } | DerivedKind::Reference { keys } => Some(keys),
            DerivedKind::View => None,
        }
    }

    /// The script that makes its rows, if the promotion maintains them.
    pub fn fill(&self) -> Option<&'static str> {
        match self.kind {
            DerivedKind::Table { fill, .. } => Some(fill),
            DerivedKind::Reference { .. } | DerivedKind::View => None,
        }
    }

    /// Is it a view?
    pub fn is_view(&self) -> bool {
        matches!(self.kind, DerivedKind::View)
    }
}
