//! The columns of a fact: what the service names them, their types, which of them make its key.

use super::columns::{self, COLUMNS};
use crate::dataset::CellSource::{Element, Made, RecordId};
use crate::dataset::{Column, ColumnType, Table};

/// What the service calls a figure, and its uncertainty, which are no names of columns.
pub(super) const VALUE: &str = COLUMNS[columns::VALUE];
pub(super) const CV: &str = COLUMNS[columns::VALUE + 1];
/// The same in the bulk files.
pub(super) const CV_IN_BULK: &str = "CV_%";

/// What is made of the fields, behind them.
const MADE: usize = 4;

/// The facts, one row each: the fields in the order of the service, each figure with its code behind it, and what is made of them.
pub(super) const FACTS: Table = Table { name: "nass_facts", element: "", unique: &[], columns: &columns() };

const fn columns() -> [Column; COLUMNS.len() + MADE] {
    let mut all = [Column::new("", ColumnType::Text, Made); COLUMNS.len() + MADE];
    let mut at = 0;
    while at < columns::VALUE {
        let kind = match at {
            columns::YEAR => ColumnType::Int,
            columns::WEEK_ENDING => ColumnType::Date,
            columns::LOAD_TIME => ColumnType::Timestamp,
            _ => ColumnType::Text,
        };
        all[at] = Column::new(COLUMNS[at], kind, Element(COLUMNS[at]));
        at += 1;
    }
    all[at] = Column::new("value", ColumnType::Numeric, Element(VALUE));
    all[at + 1] = Column::new("value_code", ColumnType::Text, Made);
    all[at + 2] = Column::new("cv", ColumnType::Numeric, Element(CV));
    all[at + 3] = Column::new("cv_code", ColumnType::Text, Made);
    all[at + 4] = Column::new("fips", ColumnType::Text, Made);
    all[at + 5] = Column::new("record_id", ColumnType::Text, RecordId);
    all
}

/// The names of the 39 fields, as the service sends them.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter()
}

/// The field of a header's cell, upper or lower case.
pub(super) fn field(header: &str) -> Option<&'static str> {
    let header = header.trim();
    if header.eq_ignore_ascii_case(CV_IN_BULK) {
        return Some(CV);
    }
    fields().find(|name| name.eq_ignore_ascii_case(header))
}

/// The fields by which records can be filtered: all but the figures.
pub(super) fn filters() -> impl Iterator<Item = &'static str> {
    fields().filter(|name| ![VALUE, CV, "load_time"].contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::nass::columns::NATURAL_KEY;

    #[test]
    fn there_are_39_fields_and_a_key_of_26_of_them() {
        let elements = FACTS.columns.iter().filter_map(|column| match column.source {
            Element(name) => Some(name),
            _ => None,
        });
        assert!(elements.eq(fields()));
        assert!(FACTS.columns.iter().all(|column| !column.name.is_empty()));
        assert!(NATURAL_KEY.iter().all(|name| fields().any(|field| field == *name)));
        assert_eq!(field("CV_%"), Some(CV));
        assert_eq!(field("VALUE"), Some(VALUE));
        assert_eq!(field(" Year "), Some("year"));
        assert_eq!(field("colour"), None);
    }
}
