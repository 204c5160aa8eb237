//! The tables of the graph and the metrics.

use crate::dataset::CellSource::{Made, RecordId};
use crate::dataset::derived::{Derived, DerivedKind};
use crate::dataset::{Column, ColumnType, Table};

use ColumnType::{BigInt, Date, Int, Numeric, Text, TextArray};

const ID: Column = Column::new("record_id", Text, RecordId);

const fn made(name: &'static str, kind: ColumnType) -> Column {
    Column::new(name, kind, Made)
}

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, element: "", unique: &[], columns }
}

/// One row per node. After its month come the metrics of that month, in their order, then a checksum of everything
/// about the node.
pub(super) const NODES: Table = table(
    "graph_nodes",
    &[
        made("kind", Text),
        made("key", Text),
        made("name", Text),
        made("pagerank", Numeric),
        made("month", Date),
        made("commits", Numeric),
        made("authors", Numeric),
        made("newcomers", Numeric),
        made("bus_factor", Numeric),
        made("merge_share", Numeric),
        made("retention", Numeric),
        made("growth", Numeric),
        made("content_hash", Text),
        ID,
    ],
);

pub(super) const EDGES: Table = table(
    "graph_edges",
    &[
        made("kind", Text),
        made("from_key", Text),
        made("to_key", Text),
        made("weight", Numeric),
        made("from_kind", Text),
        made("to_kind", Text),
        ID,
    ],
);

pub(super) const VALUES: Table = table(
    "site_metrics",
    &[
        made("kind", Text),
        made("key", Text),
        made("metric", Text),
        made("month", Date),
        made("value", Numeric),
        ID,
    ],
);

const fn view(name: &'static str, columns: &'static [Column], make: &'static str) -> Derived {
    Derived { table: table(name, columns), kind: DerivedKind::View, make }
}

/// Neighbours, paths and similar projects.
pub(super) const VIEWS: &[Derived] = &[
    view(
        "graph_neighbours",
        &[
            made("kind", Text),
            made("key", Text),
            made("edge", Text),
            made("direction", Text),
            made("other_kind", Text),
            made("other_key", Text),
            made("other_name", Text),
            made("weight", Numeric),
        ],
        include_str!("../../../sql/metrics/10_neighbours.pg.sql"),
    ),
    view(
        "graph_paths",
        &[
            made("from_kind", Text),
            made("from_key", Text),
            made("to_kind", Text),
            made("to_key", Text),
            made("steps", Int),
            made("path", TextArray),
        ],
        include_str!("../../../sql/metrics/11_paths.pg.sql"),
    ),
    view(
        "graph_similar_projects",
        &[made("project", Text), made("other", Text), made("shared", BigInt), made("similarity", Numeric)],
        include_str!("../../../sql/metrics/12_similar.pg.sql"),
    ),
];
