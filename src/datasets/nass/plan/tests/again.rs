//! Plans that know something already: answers in the archive, or a plan that was saved.

use super::*;

#[test]
fn what_is_archived_and_young_is_not_asked_for_again() {
    let records = Records::new(uneven(2005..=2010, 900.0));
    let first = options(2005, 2008, 2_000);
    let parts = records.run(&mut *begin(&first, Vec::new(), None, true)).unwrap();
    let archived: Vec<_> = parts.into_iter().filter_map(|part| part.part).collect();
    records.forget();
    let again = records.run(&mut *begin(&first, archived.clone(), None, true)).unwrap();
    assert_eq!((records.counts.get(), records.fetches.get()), (1, 0));
    holds_all(&records, &options::want(&first).unwrap(), &again, 2_000);

    let wider = options(2007, 2010, 2_000);
    let parts = records.run(&mut *begin(&wider, archived.clone(), None, true)).unwrap();
    let is_old = |part: &&PlannedPart| archived.iter().any(|known| Some(known) == part.part.as_ref());
    assert!(parts.iter().filter(is_old).count() > 20, "two years of it are there");
    let full = records.count(&options::want(&options(2009, 2010, 2_000)).unwrap()).div_ceil(2_000);
    assert!(records.fetches.get() * 10 <= full * 13, "{} for {full}", records.fetches.get());
    holds_all(&records, &options::want(&wider).unwrap(), &parts, 2_000);

    let mut old = first.clone();
    old.insert("max_age".into(), 0.into());
    records.fetches.set(0);
    records.run(&mut *begin(&old, archived.clone(), None, true)).unwrap();
    assert_eq!(records.fetches.get(), archived.len() as u64, "each is fetched anew");
}

#[test]
fn a_revision_that_changes_a_count_is_fetched_and_little_else() {
    let mut records = Records::new(uneven(2008..=2008, 900.0));
    let options = options(2008, 2008, 2_000);
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    let archived: Vec<_> = parts.into_iter().filter_map(|part| part.part).collect();
    let alabama = records.kinds.iter_mut().find(|kind| kind.cells[1].1 == "AL" && kind.records > 3).unwrap();
    alabama.records -= 2;
    records.fetches.set(0);
    let parts = records.run(&mut *begin(&options, archived, None, true)).unwrap();
    assert_eq!(records.fetches.get(), 1);
    holds_all(&records, &options::want(&options).unwrap(), &parts, 2_000);
}

/// The plan is stopped at every step and continued from what was saved; no step is done twice.
#[test]
fn a_plan_goes_on_where_it_was_saved() {
    let records = Records::new(uneven(2008..=2008, 300.0));
    let options = options(2008, 2008, 2_000);
    let parts = records.run(&mut *begin(&options, Vec::new(), None, true)).unwrap();
    let calls = (records.counts.get(), records.fetches.get());
    records.forget();
    let mut saved = SavedPlan::default();
    let resumed = loop {
        let parts = saved.told.iter().filter_map(|told| match told {
            PlanWord::Fetched(part) => Some(part.clone()),
            _ => None,
        });
        let mut plan = begin(&options, parts.collect(), Some(&saved), true);
        saved.begun = plan.begun();
        let step = plan.next();
        match (records.answer(&step, saved.told.len() as u64), step) {
            (Some(told), _) => saved.told.push(told),
            (None, PlanStep::Done(parts)) => break parts,
            (None, other) => panic!("{other:?}"),
        }
    };
    assert_eq!((records.counts.get(), records.fetches.get()), calls);
    let slices = |parts: &[PlannedPart]| parts.iter().map(|part| part.slice.clone()).collect::<Vec<_>>();
    assert_eq!(slices(&resumed), slices(&parts));
}

/// An answer has fewer records than were counted, because one was removed in the meantime: the count is repeated, and the plan
/// goes on.
#[test]
fn a_count_that_changes_before_the_answer_is_asked_again() {
    let mut records = Records::new(uneven(2008..=2008, 300.0));
    let options = options(2008, 2008, 2_000);
    let mut plan = begin(&options, Vec::new(), None, true);
    loop {
        let step = plan.next();
        if matches!(step, PlanStep::Fetch { .. }) {
            break;
        }
        plan.tell(records.answer(&step, 0).unwrap());
    }
    for kind in records.kinds.iter_mut().filter(|kind| kind.cells[1].1 == "IA") {
        kind.records = kind.records.saturating_sub(1);
    }
    let parts = records.run(&mut *plan).unwrap();
    holds_all(&records, &options::want(&options).unwrap(), &parts, 2_000);
}

#[test]
fn a_smaller_limit_that_the_service_names_makes_the_plan_anew() {
    let records = Records::new(uneven(2008..=2008, 300.0));
    let options = options(2008, 2008, 50_000);
    let mut plan = begin(&options, Vec::new(), None, true);
    plan.tell(PlanWord::TooMany(Slice::default(), Some(2_000)));
    let parts = records.run(&mut *plan).unwrap();
    holds_all(&records, &options::want(&options).unwrap(), &parts, 2_000);
}

/// A slice is taken from a larger archived part, if nothing in that part has changed.
#[test]
fn what_lies_in_one_larger_part_is_not_asked_for() {
    let mut records = Records::new(uneven(2005..=2008, 300.0));
    let all = options(2005, 2008, 500_000);
    let parts = records.run(&mut *begin(&all, Vec::new(), None, true)).unwrap();
    let archived: Vec<_> = parts.into_iter().filter_map(|part| part.part).collect();
    assert_eq!(archived.len(), 1);
    records.forget();
    let two = options(2006, 2007, 500_000);
    let parts = records.run(&mut *begin(&two, archived.clone(), None, true)).unwrap();
    assert_eq!((records.counts.get(), records.fetches.get()), (2, 0));
    holds_all(&records, &options::want(&two).unwrap(), &parts, 500_000);
    assert_eq!(parts[0].part.as_ref().unwrap().slice, archived[0].slice);
    // If the slice is split, everything wanted from the part must be one slice.
    let wider = options(2007, 2010, 3_000_000);
    let mut more = uneven(2005..=2010, 300.0);
    more.retain(|kind| kind.records > 0);
    let more = Records::new(more);
    let parts = more.run(&mut *begin(&wider, archived.clone(), None, true)).unwrap();
    assert!(more.fetches.get() > 0);
    holds_all(&more, &options::want(&wider).unwrap(), &parts, 3_000_000);
    // The records were revised.
    records.kinds.iter_mut().find(|kind| kind.cells[0].1 == "2005" && kind.records > 3).unwrap().records -= 1;
    records.forget();
    let parts = records.run(&mut *begin(&two, archived, None, true)).unwrap();
    assert_eq!(records.fetches.get(), 1);
    holds_all(&records, &options::want(&two).unwrap(), &parts, 500_000);
}

/// Two runs over overlapping years have split them in different ways at the same time.
#[test]
fn parts_that_were_cut_in_different_ways_are_put_together() {
    let records = Records::new(uneven(2005..=2006, 300.0));
    let of = |limit: u64| {
        let parts = records.run(&mut *begin(&options(2005, 2006, limit), Vec::new(), None, true)).unwrap();
        parts.into_iter().filter_map(|part| part.part).collect::<Vec<_>>()
    };
    let (one, two) = (of(5_000), of(4_000));
    let mut both = Vec::new();
    for at in 0..one.len().max(two.len()) {
        both.extend(one.get(at).cloned());
        both.extend(two.get(at).cloned());
    }
    for (number, part) in both.iter_mut().enumerate() {
        part.asked_at = now() - SignedDuration::from_mins(number as i64);
        part.name = format!("part-{number}");
    }
    records.forget();
    let all = options(2005, 2006, 5_000);
    let parts = records.run(&mut *begin(&all, both, None, true)).unwrap();
    assert_eq!(records.fetches.get(), 0);
    holds_all(&records, &options::want(&all).unwrap(), &parts, 5_000);
}
