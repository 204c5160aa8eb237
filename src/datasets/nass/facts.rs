//! The columns of a fact: what the service names them, their types, which of them make its key.

use crate::dataset::CellSource::{Element, Made, RecordId};
use crate::dataset::{Column, ColumnType, Table};

/// What the service calls a figure, and its uncertainty, which are no names of columns.
pub(super) const VALUE: &str = "Value";
pub(super) const CV: &str = "CV (%)";
/// The same in the bulk files.
pub(super) const CV_IN_BULK: &str = "CV_%";

const fn text(name: &'static str) -> Column {
    Column::new(name, ColumnType::Text, Element(name))
}

/// The facts, one row each: the fields in the order of the service, and what is made of them.
pub(super) const FACTS: Table = Table {
    name: "nass_facts",
    element: "",
    unique: &[],
    columns: &[
        text("source_desc"),
        text("sector_desc"),
        text("group_desc"),
        text("commodity_desc"),
        text("class_desc"),
        text("prodn_practice_desc"),
        text("util_practice_desc"),
        text("statisticcat_desc"),
        text("unit_desc"),
        text("short_desc"),
        text("domain_desc"),
        text("domaincat_desc"),
        text("agg_level_desc"),
        text("state_ansi"),
        text("state_fips_code"),
        text("state_alpha"),
        text("state_name"),
        text("asd_code"),
        text("asd_desc"),
        text("county_ansi"),
        text("county_code"),
        text("county_name"),
        text("region_desc"),
        text("zip_5"),
        text("watershed_code"),
        text("watershed_desc"),
        text("congr_district_code"),
        text("country_code"),
        text("country_name"),
        text("location_desc"),
        Column::new("year", ColumnType::Int, Element("year")),
        text("freq_desc"),
        text("begin_code"),
        text("end_code"),
        text("reference_period_desc"),
        Column::new("week_ending", ColumnType::Date, Element("week_ending")),
        Column::new("load_time", ColumnType::Timestamp, Element("load_time")),
        Column::new("value", ColumnType::Numeric, Element(VALUE)),
        Column::new("value_code", ColumnType::Text, Made),
        Column::new("cv", ColumnType::Numeric, Element(CV)),
        Column::new("cv_code", ColumnType::Text, Made),
        Column::new("fips", ColumnType::Text, Made),
        Column::new("record_id", ColumnType::Text, RecordId),
    ],
};

/// The names of the 39 fields, as the service sends them.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    FACTS.columns.iter().filter_map(|column| match column.source {
        Element(name) => Some(name),
        _ => None,
    })
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
        assert_eq!(fields().count(), 39);
        assert!(NATURAL_KEY.iter().all(|name| fields().any(|field| field == *name)));
        assert_eq!(field("CV_%"), Some(CV));
        assert_eq!(field("VALUE"), Some(VALUE));
        assert_eq!(field(" Year "), Some("year"));
        assert_eq!(field("colour"), None);
    }
}
