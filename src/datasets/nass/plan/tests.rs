//! The plan against a set of records in memory.

mod again;
mod archived;
mod revised;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use self::archived::days_later;
use super::super::{feed, options};
use super::*;
use crate::dataset::Options;
use crate::dataset::asked::{AskedPart, PlannedPart, SavedPlan};
use crate::dataset::slice::{Comparator, SliceTest};

/// A number of records with the same cells.
struct Kind {
    cells: [(&'static str, String); 7],
    records: u64,
}

/// A service in memory.
struct Records {
    kinds: Vec<Kind>,
    /// The kinds of a year and a state.
    places: BTreeMap<[String; 2], Vec<usize>>,
    counts: Cell<u64>,
    fetches: Cell<u64>,
    counted: RefCell<Vec<Slice>>,
    /// The error of the first count.
    first_off: Cell<i64>,
    /// The value that its lists leave out.
    unlisted: &'static str,
    /// The most records of one answer.
    limit: u64,
    /// Its refusals name the limit.
    names_limit: bool,
}

impl Records {
    fn new(kinds: Vec<Kind>) -> Self {
        let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, kind) in kinds.iter().enumerate() {
            places.entry([0, 1].map(|cell: usize| kind.cells[cell].1.clone())).or_default().push(at);
        }
        Self {
            kinds,
            places,
            counts: Cell::new(0),
            fetches: Cell::new(0),
            counted: RefCell::default(),
            first_off: Cell::new(0),
            unlisted: "",
            limit: u64::MAX,
            names_limit: true,
        }
    }

    fn count(&self, slice: &Slice) -> u64 {
        let (of_place, of_rest): (Vec<_>, Vec<_>) =
            slice.tests.iter().partition(|test| ["year", "state_alpha"].contains(&test.column.as_str()));
        let passes = |test: &SliceTest, cells: &[(&str, String)]| {
            let cell = cells.iter().find(|(name, _)| *name == test.column);
            test.passes(cell.map_or("", |(_, cell)| cell))
        };
        let kinds = self
            .places
            .values()
            .filter(|kinds| of_place.iter().all(|test| passes(test, &self.kinds[kinds[0]].cells)));
        let kinds = kinds.flatten().map(|at| &self.kinds[*at]);
        kinds
            .filter(|kind| of_rest.iter().all(|test| passes(test, &kind.cells)))
            .map(|kind| kind.records)
            .sum()
    }

    /// The service's answer to a step; `None`: the plan is over.
    fn answer(&self, step: &PlanStep, number: u64) -> Option<PlanWord> {
        let more = |calls: &Cell<u64>| calls.set(calls.get() + 1);
        Some(match step {
            PlanStep::Count(slice) => {
                more(&self.counts);
                self.counted.borrow_mut().push(slice.clone());
                let off = self.first_off.take();
                PlanWord::Counted(slice.clone(), self.count(slice).saturating_add_signed(off))
            }
            PlanStep::List(column) => {
                more(&self.counts);
                PlanWord::Listed(column.clone(), self.list(column))
            }
            PlanStep::Fetch { slice, .. } => {
                more(&self.fetches);
                match self.count(slice) {
                    records if records > self.limit => {
                        PlanWord::TooMany(slice.clone(), self.names_limit.then_some(self.limit))
                    }
                    records => PlanWord::Fetched(part(slice, records, now(), number)),
                }
            }
            PlanStep::Done(_) | PlanStep::Refuse { .. } | PlanStep::Misasked(_) => return None,
        })
    }

    fn forget(&self) {
        self.counts.set(0);
        self.fetches.set(0);
    }

    fn list(&self, column: &str) -> Vec<String> {
        let cells = self.kinds.iter().flat_map(|kind| &kind.cells).filter(|(name, _)| *name == column);
        let mut values: Vec<_> = cells
            .map(|(_, cell)| cell.clone())
            .filter(|cell| !cell.is_empty() && cell != self.unlisted)
            .collect();
        values.sort();
        values.dedup();
        values
    }

    /// Does every step of a plan.
    fn run(&self, plan: &mut dyn AskPlan) -> Result<Vec<PlannedPart>, String> {
        for number in 0..20_000 {
            let step = plan.next();
            match (self.answer(&step, number), step) {
                (Some(told), _) => plan.tell(told),
                (None, PlanStep::Refuse { why, .. } | PlanStep::Misasked(why)) => return Err(why),
                (None, PlanStep::Done(parts)) => return Ok(parts),
                (None, other) => panic!("{other:?}"),
            }
        }
        Err("it never ends".into())
    }
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn part(slice: &Slice, records: u64, asked_at: Timestamp, number: u64) -> AskedPart {
    AskedPart {
        name: format!("part-{number}"),
        slice: slice.clone(),
        records,
        asked_at,
        sha256: String::new(),
        size_bytes: 1,
        is_outdated: false,
        agrees_until: None,
    }
}

/// A number from 0 to 1 that depends only on the words.
fn noise(words: &str) -> f64 {
    let hash = words.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = hash ^ (hash >> 32);
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Years with uneven states, three levels and some counties; about `a_state` records for a state and year.
fn uneven(years: std::ops::RangeInclusive<i32>, a_state: f64) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for year in years {
        for state in STATES {
            let trend = 0.9 + 0.2 * noise(&format!("{state}{year}"));
            let weight = 0.05 + 1.9 * noise(state).powi(2);
            let census = if values::is_census(&year.to_string()) { 2 } else { 1 };
            for source in &SOURCES[2 - census..] {
                for (level, share) in [("STATE", 0.2), ("AGRICULTURAL DISTRICT", 0.15), ("COUNTY", 0.65)] {
                    let codes: Vec<_> = match level {
                        "COUNTY" => {
                            (0..9).map(|n| format!("{:03}", 2 * n + 1)).chain(["998".to_owned()]).collect()
                        }
                        _ => vec![String::new()],
                    };
                    for (code, groups) in codes.iter().zip(std::iter::repeat(["FIELD CROPS", "LIVESTOCK"])) {
                        for group in groups {
                            let cells = [
                                ("year", year.to_string()),
                                ("state_alpha", (*state).to_owned()),
                                ("source_desc", (*source).to_owned()),
                                ("agg_level_desc", level.to_owned()),
                                ("county_code", code.clone()),
                                ("group_desc", group.to_owned()),
                                (
                                    "commodity_desc",
                                    if group == "LIVESTOCK" { "CATTLE" } else { "CORN" }.to_owned(),
                                ),
                            ];
                            let records = a_state * weight * trend * share / codes.len() as f64 / 2.0;
                            kinds.push(Kind { cells, records: records.round() as u64 });
                        }
                    }
                }
            }
        }
    }
    kinds
}

fn options(from: i32, to: i32, limit: u64) -> Options {
    let options = serde_json::json!({ "from": from, "to": to, "api_limit": limit });
    options.as_object().unwrap().clone()
}

fn begin(
    options: &Options,
    archived: Vec<AskedPart>,
    saved: Option<&SavedPlan>,
    fetches: bool,
) -> Box<dyn AskPlan> {
    let want = options::want(options).unwrap();
    (feed::QUICK_STATS.plan)(PlanInput { options, want: &want, archived, saved, now: now(), fetches })
}

/// Asserts that every record is in exactly one part, and that no part exceeds the limit.
fn holds_all(records: &Records, want: &Slice, parts: &[PlannedPart], limit: u64) {
    for kind in records.kinds.iter().filter(|kind| kind.records > 0) {
        let is_in = |slice: &Slice| {
            slice
                .broken(|column| {
                    kind.cells.iter().find(|(name, _)| *name == column).map_or("", |(_, cell)| cell)
                })
                .next()
                .is_none()
        };
        let expected = usize::from(is_in(want));
        assert_eq!(parts.iter().filter(|part| is_in(&part.slice)).count(), expected, "{:?}", kind.cells);
    }
    for part in parts {
        assert_eq!(part.records, records.count(&part.slice), "{}", part.slice);
        assert!(part.records <= limit, "{}: {}", part.slice, part.records);
    }
    for (at, part) in parts.iter().enumerate() {
        assert!(!parts[at + 1..].iter().any(|other| other.slice.overlaps(&part.slice)), "{}", part.slice);
    }
}

#[test]
fn what_fits_is_one_request_and_one_count() {
    let records = Records::new(uneven(2005..=2006, 300.0));
    let options = options(2005, 2006, 50_000);
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    assert_eq!((parts.len(), records.counts.get(), records.fetches.get()), (1, 1, 1));
    holds_all(&records, &options::want(&options).unwrap(), &parts, 50_000);
}

#[test]
fn nothing_at_all_is_a_part_without_records() {
    let records = Records::new(Vec::new());
    let parts = records.run(&mut *begin(&options(2005, 2006, 100), Vec::new(), None, true)).unwrap();
    assert_eq!((parts.len(), parts[0].records), (1, 0));
}

/// The plan makes at most three times the calls that full answers would need, and fetches at most 1.3 times as often.
#[test]
fn few_are_asked_and_answers_are_full() {
    for (years, a_state, limit) in [
        (2013..=2013, 17_000.0, 50_000),
        (2013..=2016, 17_000.0, 50_000),
        (2008..=2011, 900.0, 2_000),
        (2005..=2015, 17_000.0, 50_000),
        (2005..=2015, 5_000.0, 50_000),
        (2010..=2016, 1_500.0, 5_000),
    ] {
        let records = Records::new(uneven(years.clone(), a_state));
        let options = options(*years.start(), *years.end(), limit);
        let want = options::want(&options).unwrap();
        let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
        holds_all(&records, &want, &parts, limit);
        let full = records.count(&want).div_ceil(limit);
        let (fetches, calls) = (records.fetches.get(), records.fetches.get() + records.counts.get());
        println!("{years:?} {a_state} {limit}: {full} full, {fetches} fetched, {calls} calls");
        assert!(full >= 10, "{full}");
        assert!(fetches * 10 <= full * 13, "{fetches} requests for {full} full answers ({years:?})");
        assert!(calls <= full * 3, "{calls} calls for {full} full answers ({years:?})");
    }
}

/// Two years exceed the limit: the first is counted, and the second is what the first leaves.
#[test]
fn what_the_others_leave_is_not_counted() {
    let records = Records::new(uneven(2014..=2015, 900.0));
    let options = options(2014, 2015, 5_000);
    let want = options::want(&options).unwrap();
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    holds_all(&records, &want, &parts, 5_000);
    let year = |slice: &Slice| {
        slice.tests.len() == 1 && slice.tests[0].column == "year" && slice.tests[0].values.len() == 1
    };
    let counted = records.counted.borrow();
    assert_eq!(counted.iter().filter(|slice| year(slice)).count(), 1, "{counted:?}");
}

/// The number changes between the counts, so that the difference is wrong; this is noticed.
#[test]
fn what_the_others_leave_is_counted_where_it_does_not_add_up() {
    for off in [-7, 7] {
        let records = Records::new(uneven(2014..=2015, 900.0));
        let options = options(2014, 2015, 5_000);
        let want = options::want(&options).unwrap();
        records.first_off.set(off);
        let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
        holds_all(&records, &want, &parts, 5_000);
    }
}

#[test]
fn a_state_that_is_over_is_split_by_level_and_by_county() {
    let records = Records::new(uneven(2013..=2013, 3_000.0));
    let options = options(2013, 2013, 700);
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    holds_all(&records, &options::want(&options).unwrap(), &parts, 700);
    assert!(parts.iter().any(|part| part.slice.tests.iter().any(|test| test.column == "county_code")));
}

/// A service that compares an empty code with none would find no row of a state or a district by its county.
#[test]
fn rows_without_a_county_are_not_split_by_it() {
    let records = Records::new(uneven(2013..=2013, 30_000.0));
    let options = options(2013, 2013, 7_000);
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    holds_all(&records, &options::want(&options).unwrap(), &parts, 7_000);
    let tested = |slice: &Slice, column: &str| slice.tests.iter().find(|test| test.column == column).cloned();
    let counted = records.counted.borrow();
    let levels = |slice: &&Slice| tested(slice, "county_code").and(tested(slice, "agg_level_desc"));
    let levels: Vec<_> = counted.iter().filter_map(|slice| levels(&slice)).collect();
    assert!(!levels.is_empty() && levels.iter().all(|level| level.values == ["COUNTY"]), "{levels:?}");
    let is_group = |slice: &&Slice| tested(slice, "group_desc").is_some();
    assert!(counted.iter().any(|slice| is_group(&slice)));
}

#[test]
fn what_cannot_be_split_is_named() {
    let mut records = Records::new(uneven(2013..=2013, 100.0));
    records.kinds.iter_mut().find(|kind| kind.cells[4].1 == "003").unwrap().records = 3_000;
    let options = options(2013, 2013, 700);
    let error = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap_err();
    assert!(error.contains("cannot be split further") && error.contains("county_code = 003"), "{error}");
}

/// One state is in no list, and in one year it is the rest.
#[test]
fn what_the_known_values_do_not_add_up_to_is_a_part() {
    let mut kinds = uneven(2013..=2013, 600.0);
    for kind in kinds.iter_mut().filter(|kind| kind.cells[1].1 == "TX") {
        kind.cells[1].1 = "ZZ".into();
    }
    let mut records = Records::new(kinds);
    let options = options(2013, 2013, 2_000);
    for unlisted in ["", "ZZ"] {
        records.unlisted = unlisted;
        let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
        holds_all(&records, &options::want(&options).unwrap(), &parts, 2_000);
        let told = |part: &PlannedPart| {
            part.slice.to_string().contains(if unlisted.is_empty() { "ZZ" } else { "state_alpha > " })
        };
        assert!(parts.iter().any(told), "{unlisted}");
    }
}

#[test]
fn a_dry_run_fetches_nothing_and_tells_the_whole_plan() {
    let records = Records::new(uneven(2008..=2009, 300.0));
    let mut plan = begin(&options(2008, 2009, 2_000), Vec::new(), None, false);
    let parts = records.run(&mut *plan).unwrap();
    assert_eq!(records.fetches.get(), 0);
    assert_eq!(plan.unsent(), parts.len() as u64);
    assert!(plan.tree().iter().any(|line| line.starts_with("  year = 2008: ")), "{:#?}", plan.tree());
}

#[test]
fn a_value_that_is_not_there_is_refused_with_what_is_near() {
    let mut records = Records::new(uneven(2013..=2013, 30.0));
    let filtered = |filters: &[&str]| {
        let mut options = options(2013, 2013, 50_000);
        options.insert("filter".into(), filters.to_vec().into());
        options
    };
    let run = |records: &Records, filters: &[&str]| {
        records.forget();
        records.run(&mut *begin(&filtered(filters), Vec::new(), None, true))
    };
    let error = run(&records, &["commodity_desc=CORN", "commodity_desc=CATLE"]).unwrap_err();
    assert_eq!(error, "commodity_desc is never CATLE; near to it: CATTLE");
    assert_eq!((records.counts.get(), records.fetches.get()), (2, 0), "the list, and that value's count");
    let error = run(&records, &["group_desc__NE=FIELD CORPS"]).unwrap_err();
    assert_eq!(error, "group_desc is never FIELD CORPS; near to it: FIELD CROPS");
    assert_eq!(run(&records, &["commodity_desc=CORN"]).unwrap().len(), 1);
    // The list was cut short, and the value exists.
    records.unlisted = "CORN";
    assert_eq!(run(&records, &["commodity_desc=CORN"]).unwrap().len(), 1);
    assert_eq!((records.counts.get(), records.fetches.get()), (3, 1));
}

#[test]
fn a_plan_says_early_what_it_needs() {
    let records = Records::new(uneven(2013..=2013, 17_000.0));
    let mut plan = begin(&options(2013, 2013, 8_000), Vec::new(), None, true);
    assert_eq!(plan.needs(), None);
    let step = plan.next();
    plan.tell(records.answer(&step, 0).unwrap());
    let needs = plan.needs().unwrap();
    let parts = records.run(&mut *plan).unwrap();
    let calls = records.counts.get() + records.fetches.get();
    assert!(calls * 2 > needs && calls < needs * 2, "{calls} calls, and {needs} were expected");
    let archived = parts.iter().filter_map(|part| part.part.clone()).collect();
    let mut again = begin(&options(2013, 2013, 8_000), archived, None, true);
    again.tell(records.answer(&step, 0).unwrap());
    assert_eq!(again.needs(), Some(0));
    // What is older is counted first.
    let count = parts.len() as u64;
    let mut later = begin(&options(2013, 2013, 8_000), days_later(parts, 3), None, true);
    later.tell(records.answer(&step, 0).unwrap());
    assert_eq!(later.needs(), Some(count));
}

#[test]
fn more_than_a_thousand_parts_are_no_trouble() {
    let records = Records::new(uneven(2005..=2015, 17_000.0));
    let options = options(2005, 2015, 6_000);
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    assert!(parts.len() > 1_000, "{}", parts.len());
    let sum: u64 = parts.iter().map(|part| part.records).sum();
    assert_eq!(sum, records.count(&options::want(&options).unwrap()));
}

/// One state exceeds the limit in each year, and a few records have no state: they come with the first states instead of a
/// request of their own.
#[test]
fn few_are_asked_where_a_state_is_over_and_some_records_are_of_none() {
    let parts = few_are_asked_with_some_of_no_state(4.0);
    let of_none = parts.iter().filter(|part| part.slice.to_string().contains("state_alpha < "));
    assert_eq!(of_none.count(), 1, "in the first year alone it is a request of its own");
}

/// One state among the first fills an answer alone: the request for the first states excludes it.
#[test]
fn few_are_asked_where_a_state_nearly_fills_an_answer_and_some_records_are_of_none() {
    let parts = few_are_asked_with_some_of_no_state(2.7);
    let without = parts.iter().filter(|part| part.slice.to_string().contains("state_alpha not CA"));
    assert_eq!(without.count(), 2, "once it is known how much that is");
}

/// Plans four years in which California has so many times its records, and some records have no state; asserts that few
/// requests are made, and none again.
fn few_are_asked_with_some_of_no_state(times: f64) -> Vec<PlannedPart> {
    let mut kinds = uneven(2013..=2016, 900.0);
    for kind in kinds.iter_mut().filter(|kind| kind.cells[1].1 == "CA") {
        kind.records = (kind.records as f64 * times) as u64 + 3;
    }
    let none = kinds.iter().filter(|kind| kind.cells[1].1 == "RI" && kind.cells[3].1 == "STATE");
    let none: Vec<_> = none.map(|kind| kind.cells.clone()).collect();
    kinds.extend(none.into_iter().map(|mut cells| {
        cells[1].1 = String::new();
        cells[3].1 = "REGION : MULTI-STATE".to_owned();
        Kind { cells, records: 6 }
    }));
    let records = Records::new(kinds);
    let limit = 5_000;
    let options = options(2013, 2016, limit);
    let want = options::want(&options).unwrap();
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    holds_all(&records, &want, &parts, limit);
    let full = records.count(&want).div_ceil(limit);
    let (fetches, calls) = (records.fetches.get(), records.fetches.get() + records.counts.get());
    println!("{full} full, {fetches} fetched, {calls} calls");
    assert!(full >= 10 && fetches * 10 <= full * 13 && calls <= full * 3, "{full} {fetches} {calls}");
    // The same parts are found again in the archive.
    let archived: Vec<_> = parts.iter().filter_map(|part| part.part.clone()).collect();
    records.forget();
    records.run(&mut *begin(&options, archived, None, true)).unwrap();
    assert_eq!(records.fetches.get(), 0);
    parts
}

/// The service takes a name that comes twice for "or", so a bound of the filters and one of the plan become one.
#[test]
fn a_bound_of_the_filters_and_one_of_the_plan_are_one() {
    use super::slices::{beside, gaps};
    let states = |how, value: &str| SliceTest::text("state_alpha", how, vec![value.into()]);
    let slice = Slice::default().and(states(Comparator::Above, "IA"));
    let state = values::Dimension::State;
    assert_eq!(beside(&slice, state, Comparator::Above, "TX").to_string(), "state_alpha > TX");
    assert_eq!(beside(&slice, state, Comparator::Above, "AL").to_string(), "state_alpha > IA");
    for gap in gaps(&slice, state, &["KS".to_owned(), "TX".to_owned()]) {
        let hows: HashSet<_> = gap.tests.iter().map(|test| test.how).collect();
        assert_eq!(hows.len(), gap.tests.len(), "{gap}");
    }
}
