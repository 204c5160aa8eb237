//! The city's address directory and its tax lots, in which addresses are looked up, and its census tracts, in which they lie.

use super::derived;
use crate::dataset::reference::{
    Reference, ReferenceColumn, ReferenceExtra, ReferenceFile, ReferenceFill, ReferenceInput, ReferenceTable,
};

/// PAD and PLUTO.
pub(super) const REFERENCE: Reference = Reference {
    about: "New York City's address directory (PAD) and tax lots (PLUTO)",
    inputs: &[
        ReferenceInput {
            name: "pad",
            is_optional: false,
            files: &[
                ReferenceFile { variable: "addresses", name: Some("bobaadr.txt"), columns: ADDRESSES },
                ReferenceFile { variable: "billing", name: Some("bobabbl.txt"), columns: BILLING },
            ],
        },
        ReferenceInput {
            name: "pluto",
            is_optional: false,
            files: &[ReferenceFile { variable: "pluto", name: None, columns: LOTS }],
        },
        ReferenceInput {
            name: "tracts",
            is_optional: true,
            files: &[ReferenceFile { variable: "tracts", name: None, columns: TRACTS }],
        },
    ],
    scripts: &[
        include_str!("../../../sql/oca/geocode/1_words.duckdb.sql"),
        include_str!("../../../sql/oca/reference/1_directory.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/5_keys.duckdb.sql"),
        include_str!("../../../sql/oca/reference/2_ranges.duckdb.sql"),
        include_str!("../../../sql/oca/reference/3_lots.duckdb.sql"),
    ],
    editions: "select version, rows from lots_version",
    left_out: "select reason, rows from left_out",
    tables: &[
        ReferenceTable {
            name: "ranges",
            order: "street, bucket, low, high, bbl, bin, zip, parity",
            changes: Some(include_str!("../../../sql/oca/reference/4_range_changes.duckdb.sql")),
        },
        ReferenceTable { name: "streets", order: "street", changes: None },
        ReferenceTable {
            name: "lots",
            order: "bbl",
            changes: Some(include_str!("../../../sql/oca/reference/4_lot_changes.duckdb.sql")),
        },
    ],
    fills: &[
        ReferenceFill {
            derived: &derived::LOTS,
            extra: None,
            export: include_str!("../../../sql/oca/reference/5_lots_csv.duckdb.sql"),
        },
        ReferenceFill {
            derived: &derived::TRACTS,
            extra: Some(ReferenceExtra {
                input: "tracts",
                script: include_str!("../../../sql/oca/reference/6_tracts.duckdb.sql"),
                faults: "select reason, rows from tract_faults",
                rows: include_str!("../../../sql/oca/reference/8_tracts_rows.pg.sql"),
                columns: &["geoid", "countyfp", "geom"],
                take: include_str!("../../../sql/oca/reference/9_tracts_take.pg.sql"),
            }),
            export: include_str!("../../../sql/oca/reference/7_tracts_csv.duckdb.sql"),
        },
    ],
};

const fn plain(names: &'static [&'static str]) -> ReferenceColumn {
    ReferenceColumn { variable: None, names, is_optional: false }
}

const fn named(variable: &'static str, names: &'static [&'static str]) -> ReferenceColumn {
    ReferenceColumn { variable: Some(variable), names, is_optional: false }
}

const fn optional(variable: &'static str, names: &'static [&'static str]) -> ReferenceColumn {
    ReferenceColumn { variable: Some(variable), names, is_optional: true }
}

const ADDRESSES: &[ReferenceColumn] = &[
    plain(&["boro"]),
    plain(&["block"]),
    plain(&["lot"]),
    plain(&["bin"]),
    plain(&["lhnd"]),
    plain(&["lhns"]),
    plain(&["hhnd"]),
    plain(&["hhns"]),
    plain(&["scboro"]),
    plain(&["stname"]),
    plain(&["addrtype"]),
    plain(&["parity"]),
    plain(&["zipcode"]),
];

const BILLING: &[ReferenceColumn] = &[
    plain(&["loboro"]),
    plain(&["loblock"]),
    plain(&["lolot"]),
    plain(&["hilot"]),
    plain(&["billboro"]),
    plain(&["billblock"]),
    plain(&["billlot"]),
];

/// The city's file of census tracts, of 2020 or of 2010.
const TRACTS: &[ReferenceColumn] = &[
    named("geometry", &["the_geom"]),
    optional("geoid", &["geoid"]),
    optional("boro_tract", &["boroct2020", "boroct2010"]),
];

/// The planning department's names, then the open-data portal's.
const LOTS: &[ReferenceColumn] = &[
    named("bbl", &["bbl"]),
    named("cd", &["cd", "community board"]),
    named("council", &["council", "council district"]),
    named("ct", &["ct2010", "census tract 2010"]),
    named("cb", &["cb2010", "census block 2010"]),
    optional("bct", &["bct2020"]),
    optional("bctcb", &["bctcb2020"]),
    named("zip", &["zipcode", "postcode"]),
    named("address", &["address"]),
    named("units_res", &["unitsres"]),
    named("units_total", &["unitstotal"]),
    named("latitude", &["latitude"]),
    named("longitude", &["longitude"]),
    named("version", &["version"]),
];
