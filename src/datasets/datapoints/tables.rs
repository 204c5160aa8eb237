//! The tables: days, points, their sums, and places.

use crate::dataset::CellSource::{Element, Made, RecordId};
use crate::dataset::derived::{Derived, DerivedKind};
use crate::dataset::{Column, ColumnType, Table};

const DATE: Column = Column::new("date", ColumnType::Date, RecordId);
const ZONE: Column = Column::new("zone", ColumnType::Text, Made);
const SBI: Column = Column::new("sbi", ColumnType::Text, Made);
const HITS: Column = Column::new("hits", ColumnType::BigInt, Made);
const DELTA: Column = Column::new("delta", ColumnType::BigInt, Made);

/// One row for each day.
pub const DAYS: Table = Table {
    name: "datapoint_days",
    element: "",
    unique: &[],
    columns: &[DATE, Column::new("points", ColumnType::BigInt, Made), HITS, DELTA],
};

/// One row for each line of a file.
pub const POINTS: Table = Table {
    name: "datapoints",
    element: "",
    unique: &[],
    columns: &[
        DATE,
        Column::new("hour", ColumnType::Int, Element("hour")),
        Column::new("id_activity", ColumnType::BigInt, Element("id_activity")),
        Column::new("postcode", ColumnType::Text, Element("postcode")),
        Column::new("hits", ColumnType::Int, Element("hits")),
        Column::new("delta", ColumnType::Int, Element("delta")),
        Column::new("sbi", ColumnType::Text, Element("sbi")),
    ],
};

/// Sums by day, place and branch.
pub const PLACE_DAYS: Table = Table {
    name: "datapoint_place_days",
    element: "",
    unique: &[],
    columns: &[DATE, ZONE, Column::new("postcode", ColumnType::Text, Made), SBI, HITS, DELTA],
};

/// Sums by day, zone and branch.
pub const ZONE_DAYS: Table =
    Table { name: "datapoint_zone_days", element: "", unique: &[], columns: &[DATE, ZONE, SBI, HITS, DELTA] };

/// The coordinates and zones of postcodes.
pub const PLACES: Table = Table {
    name: "datapoint_places",
    element: "",
    unique: &[],
    columns: &[
        Column::new("postcode", ColumnType::Text, RecordId),
        Column::new("lat", ColumnType::Numeric, Element("lat")),
        Column::new("lon", ColumnType::Numeric, Element("lon")),
        Column::new("zone", ColumnType::Text, Element("zone")),
    ],
};

/// Pieces of zone, days and branch that are large enough to be shown; no two of them share a day.
pub const ATOMS: Table = Table {
    name: "datapoint_atoms",
    element: "",
    unique: &[],
    columns: &[
        ZONE,
        Column::new("first", ColumnType::Date, Made),
        Column::new("last", ColumnType::Date, Made),
        SBI,
        HITS,
    ],
};

const MONTH: Column = Column::new("month", ColumnType::Date, Made);
const CELLS: Column = Column::new("cells", ColumnType::Text, Made);

/// Sums by day and zone, packed.
pub const ZONE_POINTS: Derived = packed("datapoint_zone_points", &[DATE, ZONE, CELLS]);

/// Sums by whole month and place, packed.
pub const PLACE_MONTHS: Derived = packed(
    "datapoint_place_months",
    &[MONTH, ZONE, Column::new("postcode", ColumnType::Text, Made), HITS, DELTA, CELLS],
);

/// Sums by whole month and zone, packed.
pub const ZONE_MONTHS: Derived = packed("datapoint_zone_months", &[MONTH, ZONE, CELLS]);

const fn packed(name: &'static str, columns: &'static [Column]) -> Derived {
    Derived {
        table: Table { name, element: "", unique: &[], columns },
        kind: DerivedKind::Reference { keys: "" },
        make: include_str!("../../../sql/datapoints/10_months.pg.sql"),
    }
}
