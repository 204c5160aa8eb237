//! What is made of a dataset's tables, and what tables and columns are to the people who read them.

use super::tables::Table;

/// Something that the promotion makes of the tables, or that it needs beside them for that.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// Its name and its columns.
    pub table: Table,
    pub kind: DerivedKind,
    /// PostgreSQL: makes it. A table only where there is none, and without keys; a view also in the place of one with
    /// the same columns (`create or replace`), in `:"into"` and of the tables in `:"schema"`.
    pub make: &'static str,
}

/// What something derived is, and how it is kept.
#[derive(Clone, Copy, Debug)]
pub enum DerivedKind {
    /// One row a record, which follows from its rows in the other tables; its key is the dataset's, under the same name. The
    /// rows of a batch's records are made anew, and all of them when the table is new or does not follow.
    Table {
        /// PostgreSQL: the keys of the table, when its rows are there.
        keys: &'static str,
        /// PostgreSQL: makes the rows of every record that the tables in `:"source"` hold, and puts them into the table
        /// of this name in `:"into"`. Its last statement is the insert.
        fill: &'static str,
    },
    /// Another command fills it, because a view needs it, or the promotion does as it keeps sums
    /// ([`Sums`](super::served::Sums)). It is made, empty, where there is none.
    Reference {
        /// PostgreSQL: its keys.
        keys: &'static str,
    },
    /// A view; who may read it stays as it is when its definition changes.
    View,
}

/// What a table or a view is, and each of its columns: its comments in the database, and its lines of the published
/// dictionary.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    pub table: &'static str,
    pub about: &'static str,
    /// Names and what they are, also of a column that the dataset does not name (a geometry).
    pub columns: &'static [(&'static str, &'static str)],
}

impl Derived {
    /// The keys of a table; of a view there are none.
    pub fn keys(&self) -> Option<&'static str> {
        match self.kind {
            DerivedKind::Table { keys, .. } | DerivedKind::Reference { keys } => Some(keys),
            DerivedKind::View => None,
        }
    }

    /// What makes its rows, if the promotion keeps some.
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
