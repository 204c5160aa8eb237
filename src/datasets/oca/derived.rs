//! Tables and views derived from the court extract: a summary of each case, and views that may be public.

use super::filings::{ATOMS, DAYS, PLACE_DAYS, PLACES, ZONE_DAYS};
use crate::dataset::CellSource::Made;
use crate::dataset::ColumnType::*;
use crate::dataset::derived::{Derived, DerivedKind};
use crate::dataset::{Column, ColumnType, Table};

/// What the promotion makes, each after those it is made from.
pub const DERIVED: &[Derived] = &[
    SUMMARY,
    LOTS,
    TRACTS,
    ADDRESSES_PUBLIC,
    ADDRESSES_WITH_BBL,
    ADDRESSES_WITH_CT,
    PLACES,
    DAYS,
    PLACE_DAYS,
    ZONE_DAYS,
    ATOMS,
];

/// One row per case, for analysts.
const SUMMARY: Derived = Derived {
    table: table(
        "oca_case_summary",
        &[
            made("indexnumberid", Text),
            made("fileddate", Date),
            made("court", Text),
            made("borough", Text),
            made("classification", Text),
            made("propertytype", Text),
            made("firstpaper", Text),
            made("status", Text),
            made("disposeddate", Date),
            made("disposedreason", Text),
            made("primaryclaimtotal", Numeric),
            made("petitioners", Int),
            made("petitioners_with_counsel", Int),
            made("respondents", Int),
            made("respondents_with_counsel", Int),
            made("appearances", Int),
            made("firstappearancedate", Date),
            made("lastappearancedate", Date),
            made("motions", Int),
            made("lastmotiondate", Date),
            made("judgments", Int),
            made("judgments_with_possession", Int),
            made("judgmentamount", Numeric),
            made("firstjudgmentdate", Date),
            made("lastjudgmentdate", Date),
            made("warrants", Int),
            made("warrants_issued", Int),
            made("warrants_executed", Int),
            made("firstwarrantissueddate", Date),
            made("lastwarrantexecutiondate", Date),
        ],
    ),
    kind: DerivedKind::Table {
        keys: include_str!("../../../sql/oca/10_summary_keys.pg.sql"),
        fill: include_str!("../../../sql/oca/10_summary_rows.pg.sql"),
    },
    make: include_str!("../../../sql/oca/10_summary.pg.sql"),
};

/// Tax lots of the city: the number of residents, and the districts a lot lies in. The reference load fills it.
pub const LOTS: Derived = Derived {
    table: table(
        "oca_lots",
        &[
            made("bbl", Text),
            made("unitsres", Int),
            made("cd", Text),
            made("council", Text),
            made("bct2020", Text),
            made("bctcb2020", Text),
            made("ct2010", Text),
            made("cb2010", Text),
        ],
    ),
    kind: DerivedKind::Reference { keys: include_str!("../../../sql/oca/11_lots_keys.pg.sql") },
    make: include_str!("../../../sql/oca/11_lots.pg.sql"),
};

/// Census tracts; with PostGIS their geometry, `geom`. The reference load fills it.
pub const TRACTS: Derived = Derived {
    table: table("oca_tracts", &[made("geoid", Text), made("countyfp", Text)]),
    kind: DerivedKind::Reference { keys: include_str!("../../../sql/oca/12_tracts_keys.pg.sql") },
    make: include_str!("../../../sql/oca/12_tracts.pg.sql"),
};

const ADDRESSES_PUBLIC: Derived = Derived {
    table: table(
        "oca_addresses_public",
        &[made("indexnumberid", Text), made("city", Text), made("state", Text), made("postalcode", Text)],
    ),
    kind: DerivedKind::View,
    make: include_str!("../../../sql/oca/13_addresses_public.pg.sql"),
};

const ADDRESSES_WITH_BBL: Derived = Derived {
    table: table(
        "oca_addresses_with_bbl",
        &[
            made("indexnumberid", Text),
            made("city", Text),
            made("state", Text),
            made("postalcode", Text),
            made("borough_code", Text),
            made("place_name", Text),
            made("boro", Text),
            made("cd", Text),
            made("ct", Text),
            made("bct2020", Text),
            made("bctcb2020", Text),
            made("ct2010", Text),
            made("cb2010", Text),
            made("council", Text),
            made("grc", Text),
            made("grc2", Text),
            made("msg", Text),
            made("msg2", Text),
            made("unitsres", Int),
            made("bbl", Text),
        ],
    ),
    kind: DerivedKind::View,
    make: include_str!("../../../sql/oca/13_addresses_with_bbl.pg.sql"),
};

const ADDRESSES_WITH_CT: Derived = Derived {
    table: table(
        "oca_addresses_with_ct",
        &[
            made("indexnumberid", Text),
            made("geoid", Text),
            made("countyfp", Text),
            made("city", Text),
            made("state", Text),
            made("postalcode", Text),
        ],
    ),
    kind: DerivedKind::View,
    make: include_str!("../../../sql/oca/13_addresses_with_ct.pg.sql"),
};

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, element: "", unique: &[], columns }
}

const fn made(name: &'static str, kind: ColumnType) -> Column {
    Column::new(name, kind, Made)
}
