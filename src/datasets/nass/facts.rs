//! The columns of a fact: their names in the service, their types, and which of them identify it.

use super::columns::{self, COLUMNS};
use crate::dataset::CellSource::{Element, Made, RecordId};
use crate::dataset::{Column, ColumnType, Table};

/// The service's names for a figure and its uncertainty, which are not names of columns here.
pub(super) const VALUE: &str = COLUMNS[columns::VALUE];
pub(super) const CV: &str = COLUMNS[columns::VALUE + 1];
/// The name of the uncertainty in the bulk files.
pub(super) const CV_IN_BULK: &str = "CV_%";

/// The number of computed columns after the fields.
const MADE: usize = 4;

/// The table of facts: the fields in the order of the service, each figure followed by its code, then the computed columns.
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

/// The names of the 39 fields in the service.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter()
}

/// The field of a cell in a header, in upper or lower case.
pub(super) fn field(header: &str) -> Option<&'static str> {
    let header = header.trim();
    if header.eq_ignore_ascii_case(CV_IN_BULK) {
        return Some(CV);
    }
    fields().find(|name| name.eq_ignore_ascii_case(header))
}

/// The fields by which records can be filtered: all except the figures and the load time.
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
