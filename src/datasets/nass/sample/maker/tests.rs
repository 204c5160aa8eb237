use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::tests::options;
use super::*;

/// With a limit of 2,000 there must be years, states and counties to split by; with one of 100 some slices must be impossible
/// to split.
#[test]
fn records_are_spread_unevenly() {
    let out = PathBuf::new();
    let options = options(200_000, &out);
    let maker = Maker::new(&options).unwrap();
    let (mut years, mut states, mut counties) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut series = BTreeSet::new();
    for sector in 0..SECTORS.len() {
        for share in maker.shares(sector) {
            let fields: Vec<_> = maker.places[share.place].fields.split('\t').collect();
            *years.entry(share.year).or_insert(0) += share.records;
            *states.entry((share.year, fields[3])).or_insert(0) += share.records;
            if fields[0] == "COUNTY" {
                *counties.entry((share.year, fields[3])).or_insert(0) += share.records;
            }
            if share.year == 2022 && fields[0] == "COUNTY" && sector == 1 && share.records > 150 {
                series.insert(fields[17]);
            }
        }
    }
    assert_eq!(years.values().sum::<u64>(), 200_000);
    assert!(years[&2022] > 4 * years[&2021] && years[&2021] > 4_000, "{years:?}");
    let [most, least] = ["CA", "RI"].map(|state| states[&(2022, state)]);
    assert!(most > 4_000 && least < 300, "{most} {least}");
    assert!(counties[&(2022, "CA")] > 2_000, "{}", counties[&(2022, "CA")]);
    assert!(!series.is_empty(), "a county with more than a hundred records of one statistic");
}
