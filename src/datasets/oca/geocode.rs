//! Geocoding: the questions about addresses, the ways to answer them, and the use of the answers.

use super::census::CENSUS;
use super::geosearch::GEOSEARCH;
use super::located::COLUMNS;
use super::options;
use crate::dataset::Options;
use crate::dataset::enrichment::{Backfill, Enrichment, EnrichmentPlan, How, Way};

/// The city's address directory, script by script.
const PAD: How = How::Reference {
    open: &[
        include_str!("../../../sql/oca/geocode/1_words.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/2_reference.duckdb.sql"),
    ],
    scripts: &[
        include_str!("../../../sql/oca/geocode/3_places.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/4_lines.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/5_keys.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/6_match.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/7_answers.duckdb.sql"),
        include_str!("../../../sql/oca/geocode/8_take.duckdb.sql"),
    ],
    close: include_str!("../../../sql/oca/geocode/9_close.duckdb.sql"),
    rules: "3",
};

const WAYS: &[Way] = &[
    Way { name: "pad", how: PAD },
    Way { name: GEOSEARCH.name, how: How::Ask(&GEOSEARCH) },
    Way { name: CENSUS.name, how: How::Ask(&CENSUS) },
];

/// Coordinates, building and lot of addresses.
pub(super) const GEOCODE: Enrichment = Enrichment {
    name: "geocode",
    about: "where the addresses are",
    question: "address",
    questions: include_str!("../../../sql/oca/geocode/questions.duckdb.sql"),
    sealed: include_str!("../../../sql/oca/geocode/sealed.pg.sql"),
    fields: &["street1", "street2", "city", "state", "postalcode"],
    columns: &COLUMNS,
    open: include_str!("../../../sql/oca/geocode/open.duckdb.sql"),
    apply: include_str!("../../../sql/oca/geocode/apply.duckdb.sql"),
    ways: WAYS,
    plan,
    hint: "merganser reference oca --pad FILE --pluto FILE makes a reference for pad; or --geocode census,geosearch, which sends addresses out",
    lost: "merganser reference oca --pad PAD --pluto PLUTO puts them there again; until then --geocode none runs without them, \
           with remembered answers only",
    backfill: Backfill {
        table: "oca_addresses",
        open: concat!(
            include_str!("../../../sql/oca/geocode/address_key.pg.sql"),
            include_str!("../../../sql/oca/geocode/backfill_open.pg.sql")
        ),
        take: include_str!("../../../sql/oca/geocode/backfill_take.pg.sql"),
        left: include_str!("../../../sql/oca/geocode/backfill_left.pg.sql"),
        unfinished: include_str!("../../../sql/oca/9_unfinished.pg.sql"),
        lacks: "with lat and lon and without geom",
    },
};

/// The way with this name; `None` for `none`.
fn way(name: &str) -> Option<&'static Way> {
    WAYS.iter().find(|way| way.name == name)
}

fn plan(options: &Options) -> EnrichmentPlan {
    let named = options::geocoders(options);
    EnrichmentPlan {
        ways: named.map(|names| names.into_iter().filter_map(way).collect()),
        seconds: options::geocode_seconds(options),
        bases: options::geocoder_urls(options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_geocoder_that_can_be_named_is_a_way() {
        assert!(options::GEOCODERS.iter().all(|name| way(name).is_some()));
    }
}
