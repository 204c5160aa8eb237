//! What is in the archive and has grown older since: what is believed of it, counted, or fetched anew.

use super::*;

/// The parts of a plan, as they lie in the archive so many days later.
pub(super) fn days_later(parts: Vec<PlannedPart>, days: i64) -> Vec<AskedPart> {
    let parts = parts.into_iter().filter_map(|part| part.part);
    parts.map(|part| AskedPart { asked_at: now() - SignedDuration::from_hours(24 * days), ..part }).collect()
}

/// One part loses what another one gains: the sum is the same.
#[test]
fn revisions_that_cancel_each_other_out_are_seen() {
    for (year, filters, days) in [(2008, &[][..], 2), (2007, &["source_desc=CENSUS"], 2_000)] {
        let mut records = Records::new(uneven(year..=year, 900.0));
        let mut options = options(year, year, 2_000);
        options.insert("filter".into(), filters.to_vec().into());
        let archived = days_later(records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap(), days);
        assert!(archived.len() > 5, "{}", archived.len());
        records.forget();
        records.run(&mut *begin(&options, archived.clone(), None, true)).unwrap();
        let counts = archived.len() as u64 + 1;
        assert_eq!((records.counts.get(), records.fetches.get()), (counts, 0), "each is counted");
        let first = |part: &AskedPart| {
            let is_in = |kind: &Kind| {
                let cell = |column: &str| kind.cells.iter().find(|(name, _)| *name == column);
                part.slice.broken(|column| cell(column).map_or("", |(_, cell)| cell)).next().is_none()
            };
            records.kinds.iter().position(|kind| kind.records > 2 && is_in(kind)).unwrap()
        };
        let (less, more) = (first(&archived[0]), first(&archived[archived.len() - 1]));
        records.kinds[less].records -= 2;
        records.kinds[more].records += 2;
        records.forget();
        let parts = records.run(&mut *begin(&options, archived, None, true)).unwrap();
        assert_eq!(records.fetches.get(), 2, "those two");
        holds_all(&records, &options::want(&options).unwrap(), &parts, 2_000);
    }
}

/// A census of years ago is taken from the archive; what holds surveys beside it is not.
#[test]
fn an_answer_that_is_of_a_census_alone_does_not_grow_old() {
    for (year, filters, is_kept) in [
        (2012, &["source_desc=CENSUS"][..], true),
        (2012, &["source_desc=SURVEY"], false),
        (2012, &[], false),
        (2013, &["source_desc=CENSUS"], false),
    ] {
        let records = Records::new(uneven(year..=year, 9.0));
        let mut options = options(year, year, 50_000);
        options.insert("filter".into(), filters.to_vec().into());
        let archived = days_later(records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap(), 4_000);
        records.forget();
        records.run(&mut *begin(&options, archived, None, true)).unwrap();
        assert_eq!(records.fetches.get() == 0, is_kept, "{year} {filters:?}");
    }
    // Where a census year is over, it is split by source first, so its part of the census stays.
    let records = Records::new(uneven(2012..=2012, 900.0));
    let options = options(2012, 2012, 2_000);
    let archived = days_later(records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap(), 4_000);
    let censuses =
        archived.iter().filter(|part| part.slice.to_string().contains("source_desc = CENSUS")).count();
    assert!(censuses > 3 && censuses < archived.len(), "{censuses} of {}", archived.len());
    records.forget();
    records.run(&mut *begin(&options, archived.clone(), None, true)).unwrap();
    assert_eq!(records.fetches.get(), (archived.len() - censuses) as u64);
}

/// Also where answers to the wider question were of use for only some of the narrower one.
#[test]
fn a_narrower_question_that_is_repeated_sends_no_request_for_records() {
    let records = Records::new(uneven(2012..=2014, 900.0));
    for (limit, filters) in [
        (700, &["commodity_desc=CORN"][..]),
        (700, &["agg_level_desc=COUNTY"]),
        (2_000, &["state_alpha__NE=IA"]),
        (2_000, &["commodity_desc=CORN", "agg_level_desc=COUNTY"]),
    ] {
        let wide = options(2012, 2014, limit);
        let mut narrow = options(2013, 2014, limit);
        narrow.insert("filter".into(), filters.to_vec().into());
        let mut archive: Vec<AskedPart> = Vec::new();
        let mut fetched = Vec::new();
        for (round, options) in (0..).zip([&wide, &narrow, &narrow, &wide, &narrow]) {
            records.forget();
            let parts = records.run(&mut *begin(options, archive.clone(), None, true)).unwrap();
            fetched.push(records.fetches.get());
            for part in parts.into_iter().filter_map(|part| part.part) {
                if !archive.iter().any(|known| known.name == part.name) {
                    let name = format!("run {round}: {}", part.name);
                    let asked_at = now() - SignedDuration::from_mins(10 - round);
                    archive.push(AskedPart { name, asked_at, ..part });
                }
            }
        }
        assert_eq!(fetched[2..], [0, 0, 0], "{limit} {filters:?}: {fetched:?}");
    }
}

/// A wide answer is newer than those of its parts: nothing is taken from these, whatever the limit is now.
#[test]
fn what_a_newer_answer_contains_is_not_taken() {
    let records = Records::new(uneven(2008..=2008, 300.0));
    let [narrow, wide] = [700, 50_000].map(|limit| options(2008, 2008, limit));
    let old = days_later(records.run(&mut *begin(&narrow, Vec::new(), None, true)).unwrap(), 0);
    let old =
        old.into_iter().map(|part| AskedPart { asked_at: now() - SignedDuration::from_hours(2), ..part });
    let new = days_later(records.run(&mut *begin(&wide, Vec::new(), None, true)).unwrap(), 0);
    assert_eq!(new.len(), 1);
    let archived: Vec<_> = old.chain(new.clone()).collect();
    records.forget();
    let parts = records.run(&mut *begin(&narrow, archived, None, true)).unwrap();
    assert_eq!(records.fetches.get(), 0);
    let taken: Vec<_> = parts.iter().filter_map(|part| part.part.as_ref()).collect();
    assert!(taken.iter().all(|part| **part == new[0]), "{taken:?}");
}
