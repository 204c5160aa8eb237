//! Records that get another place: what an earlier run has learnt of the service is not true any more.

use super::*;

/// Moves some records of a kind to a kind with other cells.
fn recode(records: &mut Records, from: usize, many: u64, cells: &[(&'static str, &str)]) {
    let mut kinds = std::mem::take(&mut records.kinds);
    let mut to = kinds[from].cells.clone();
    for (column, value) in cells {
        to.iter_mut().find(|(name, _)| name == column).unwrap().1 = (*value).to_owned();
    }
    let many = many.min(kinds[from].records);
    kinds[from].records -= many;
    match kinds.iter_mut().find(|kind| kind.cells == to) {
        Some(kind) => kind.records += many,
        None => kinds.push(Kind { cells: to, records: many }),
    }
    let (limit, names_limit) = (records.limit, records.names_limit);
    *records = Records { limit, names_limit, ..Records::new(kinds) };
}

/// The largest kind with these cells.
fn largest(records: &Records, cells: &[(&'static str, &str)]) -> usize {
    let is_it = |kind: &Kind| {
        cells
            .iter()
            .all(|(column, value)| kind.cells.iter().any(|cell| cell == &(*column, (*value).to_owned())))
    };
    let all = records.kinds.iter().enumerate().filter(|(_, kind)| is_it(kind));
    all.max_by_key(|(_, kind)| kind.records).unwrap().0
}

fn anew(options: &Options) -> Options {
    let mut options = options.clone();
    options.insert("max_age".into(), 0.into());
    options
}

/// Records move out of every slice that an earlier run has learnt. Where answers are too old, the same slices are requested anew,
/// and do not add up.
#[test]
fn what_lies_beside_the_slices_of_an_earlier_run_is_found() {
    for cells in [&[("county_code", "991")][..], &[("state_alpha", "ZZ")]] {
        for added in [0, 1] {
            let mut records = Records::new(uneven(2013..=2013, 3_000.0));
            records.limit = 700;
            let first = options(2013, 2013, 700);
            let parts = records.run(&mut *begin(&first, Vec::new(), None, true)).unwrap();
            let archived = days_later(parts, 1);
            let county = largest(&records, &[("agg_level_desc", "COUNTY")]);
            let elsewhere = largest(&records, &[("state_alpha", "AL"), ("agg_level_desc", "STATE")]);
            recode(&mut records, county, 5, cells);
            records.kinds[elsewhere].records += added;
            for options in [&anew(&first), &first] {
                let parts = records.run(&mut *begin(options, archived.clone(), None, true)).unwrap();
                holds_all(&records, &options::want(options).unwrap(), &parts, 700);
            }
        }
    }
}

/// A slice of an earlier run has more records than one answer by now, although the count of what it belongs to is the same.
#[test]
fn a_slice_that_has_grown_too_large_is_split() {
    for (names_limit, max_age) in [(true, 0), (false, 0), (true, 30), (false, 30)] {
        let mut records = Records::new(uneven(2013..=2013, 3_000.0));
        (records.limit, records.names_limit) = (700, names_limit);
        let mut options = options(2013, 2013, 700);
        let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
        let archived = days_later(parts, 1);
        let state = records.kinds[largest(&records, &[("agg_level_desc", "COUNTY")])].cells[1].1.clone();
        for code in ["007", "009", "011", "013"] {
            let from = largest(&records, &[("state_alpha", &state), ("county_code", code)]);
            recode(&mut records, from, 80, &[("county_code", "001")]);
        }
        options.insert("max_age".into(), max_age.into());
        let parts = records.run(&mut *begin(&options, archived, None, true)).unwrap();
        assert!(records.fetches.get() < 300, "{}", records.fetches.get());
        holds_all(&records, &options::want(&options).unwrap(), &parts, 700);
    }
}

/// What is wanted names its states, and has a few records less by the time that each of them is counted.
#[test]
fn a_slice_that_fits_by_the_time_it_is_split_is_one_request() {
    for off in [4, 7, -4] {
        let mut options = options(2013, 2013, 1);
        options.insert("filter".into(), vec!["state_alpha=CA", "state_alpha=IA", "state_alpha=TX"].into());
        let want = options::want(&options).unwrap();
        let records = Records::new(uneven(2013..=2013, 100.0));
        let limit = records.count(&want) + 3;
        options.insert("api_limit".into(), limit.into());
        records.first_off.set(off);
        let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
        holds_all(&records, &want, &parts, limit);
        assert!(records.fetches.get() <= 3, "{}", records.fetches.get());
    }
}

/// A service that counts what it does not give is named, and not asked for ever.
#[test]
fn a_service_that_refuses_what_it_counts_is_named() {
    let service = Records::new(uneven(2013..=2013, 20.0));
    let options = options(2013, 2013, 50_000);
    let mut plan = begin(&options, Vec::new(), None, true);
    let error = (0..100).find_map(|number| match plan.next() {
        PlanStep::Fetch { slice, .. } => {
            plan.tell(PlanWord::TooMany(slice, Some(50_000)));
            None
        }
        PlanStep::Refuse { why, .. } => Some(why),
        step => {
            plan.tell(service.answer(&step, number).unwrap());
            None
        }
    });
    let error = error.expect("it ends");
    assert!(error.contains("does not give them at once"), "{error}");
}

/// One answer is enough by now, so what an earlier run has split is not requested piece by piece.
#[test]
fn what_fits_into_one_answer_by_now_is_one_request() {
    let records = Records::new(uneven(2013..=2013, 100.0));
    let parts = records.run(&mut *begin(&options(2013, 2013, 500), Vec::new(), None, true)).unwrap();
    let archived = days_later(parts, 1);
    assert!(archived.len() > 5);
    records.forget();
    records.run(&mut *begin(&anew(&options(2013, 2013, 50_000)), archived, None, true)).unwrap();
    assert_eq!((records.counts.get(), records.fetches.get()), (1, 1));
}

/// The archive has an answer with more than is wanted, whose records were revised while their number stayed.
#[test]
fn a_larger_part_that_does_not_have_it_is_not_taken() {
    let records = Records::new(uneven(2005..=2008, 300.0));
    let parts = records.run(&mut *begin(&options(2005, 2008, 500_000), Vec::new(), None, true)).unwrap();
    let archived = days_later(parts, 0);
    records.forget();
    let narrower = options(2006, 2007, 500_000);
    let mut plan = begin(&narrower, archived.clone(), None, true);
    records.run(&mut *plan).unwrap();
    assert_eq!(records.fetches.get(), 0);
    plan.tell(PlanWord::Outdated(archived[0].name.clone()));
    let parts = records.run(&mut *plan).unwrap();
    assert_eq!((parts.len(), records.fetches.get()), (1, 1));
    holds_all(&records, &options::want(&narrower).unwrap(), &parts, 500_000);
}

/// Where no answer is young enough, neither is what an interrupted run was told.
#[test]
fn a_plan_is_not_continued_where_everything_is_wanted_anew() {
    let records = Records::new(uneven(2008..=2008, 300.0));
    for (max_age, goes_on) in [(30, true), (0, false)] {
        let mut options = options(2008, 2008, 2_000);
        options.insert("max_age".into(), max_age.into());
        let mut plan = begin(&options, Vec::new(), None, true);
        let mut saved = SavedPlan { begun: plan.begun(), told: Vec::new() };
        for number in 0..5 {
            let told = records.answer(&plan.next(), number).unwrap();
            saved.told.push(told.clone());
            plan.tell(told);
        }
        let next = begin(&options, Vec::new(), Some(&saved), true).next();
        assert_eq!(next == plan.next(), goes_on);
    }
}

/// Histories of changes, of which each run must find all.
#[test]
fn whatever_moves_between_runs_everything_is_found() {
    let mut state = 0x9e37_79b9_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for history in 0..60 {
        let (first, years, limit) = (2_011 + random(3) as i32, random(3) as i32, 300 + 200 * random(4));
        let mut records = Records::new(uneven(first..=first + years, 60.0 + random(300) as f64));
        (records.limit, records.names_limit) = (limit, random(2) == 0);
        let mut archive: Vec<AskedPart> = Vec::new();
        for run in 0..6 {
            for _ in 0..random(4) {
                let at = random(records.kinds.len() as u64) as usize;
                let many = 1 + random(60);
                match random(5) {
                    0 => records.kinds[at].records += many,
                    1 => records.kinds[at].records = records.kinds[at].records.saturating_sub(many),
                    2 => recode(
                        &mut records,
                        at,
                        many,
                        &[("state_alpha", ["ZZ", "IA", ""][random(3) as usize])],
                    ),
                    3 => recode(
                        &mut records,
                        at,
                        many,
                        &[("county_code", ["991", "001", "005", ""][random(4) as usize])],
                    ),
                    _ => recode(
                        &mut records,
                        at,
                        many,
                        &[("agg_level_desc", ["ZIP CODE", "STATE"][random(2) as usize])],
                    ),
                }
            }
            let from = first + random(1 + years as u64) as i32;
            let to = from + random((first + years - from) as u64 + 1) as i32;
            let mut options = options(from, to, [limit, limit, 2 * limit][random(3) as usize]);
            options.insert("max_age".into(), [0, 30, 3][random(3) as usize].into());
            let said = format!("history {history}, run {run}: {options:?}");
            records.forget();
            let parts = records.run(&mut *begin(&options, archive.clone(), None, true));
            let parts = parts.unwrap_or_else(|why| panic!("{said}: {why}"));
            let want = options::want(&options).unwrap();
            holds_all(&records, &want, &parts, u64::MAX);
            let full = records.count(&want).div_ceil(limit);
            let sent = records.fetches.get() + records.counts.get();
            assert!(sent < 40 + 20 * full, "{said}: {sent} requests for {full}");
            for part in &mut archive {
                part.asked_at -= SignedDuration::from_hours(24 * 2);
            }
            for part in parts.into_iter().filter_map(|part| part.part) {
                if !archive.iter().any(|known| known.name == part.name) {
                    let name = format!("{run}: {}", part.name);
                    archive.push(AskedPart {
                        name,
                        asked_at: now() - SignedDuration::from_hours(48),
                        ..part
                    });
                }
            }
        }
    }
}
