use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;

/// Days from 1890 to 2110.
fn day() -> impl Strategy<Value = Date> {
    (-29_000i32..51_000).prop_map(|days| date(1970, 1, 1) + days.days())
}

proptest! {
    /// A day is in the period that begins at or before it, and the next one begins after it.
    #[test]
    fn each_day_is_in_one_period(day in day()) {
        for period in [Period::Month, Period::Week] {
            let number = period.of(day);
            let (first, next) = (period.first_day(number).unwrap(), period.first_day(number + 1).unwrap());
            prop_assert!(first <= day && day < next, "{:?} {} {} {}", period, first, day, next);
            prop_assert_eq!(period.of(first), number);
            prop_assert_eq!(period.of(next.yesterday().unwrap()), number);
        }
        prop_assert_eq!(Period::Week.first_day(Period::Week.of(day)).unwrap().weekday(), jiff::civil::Weekday::Monday);
        prop_assert_eq!(Period::Month.first_day(Period::Month.of(day)).unwrap().day(), 1);
    }

    /// Whatever the order, each period has what was added to it, and empty periods exist too.
    #[test]
    fn aggregates_by_time_lose_nothing_and_have_no_hole(events in prop::collection::vec((-40i32..40, 1u64..5), 1..40)) {
        let mut by_time = ByTime::<u64>::default();
        let mut model = BTreeMap::<i32, u64>::new();
        for (period, amount) in &events {
            *by_time.at(*period) += amount;
            *model.entry(*period).or_default() += amount;
        }
        let (first, last) = (*model.keys().next().unwrap(), *model.keys().last().unwrap());
        prop_assert_eq!(by_time.first, first);
        prop_assert_eq!(by_time.len(), (last + 1 - first) as usize);
        for (at, period) in (first..=last).enumerate() {
            let amount = model.get(&period).copied().unwrap_or_default();
            prop_assert_eq!(by_time.window(at, 0, 1), &[amount]);
            // A window has its periods even if it begins before the first one.
            let sum: u64 = model.range(period - 14..=period - 3).map(|(_, amount)| amount).sum();
            prop_assert_eq!(by_time.window(at, 3, 12).iter().sum::<u64>(), sum);
        }
    }

    /// Dropped periods do not change later results.
    #[test]
    fn what_is_kept_is_what_it_was(amounts in prop::collection::vec(0u64..5, 1..40), kept in 12usize..20) {
        let (mut whole, mut short) = (ByTime::<u64>::default(), ByTime::<u64>::default());
        for (period, amount) in (7..).zip(&amounts) {
            *whole.at(period) += amount;
            *short.at(period) += amount;
            let (at, last) = (whole.len() - 1, short.len() - 1);
            prop_assert_eq!(whole.window(at, 0, 12), short.window(last, 0, 12));
            prop_assert_eq!(whole.window(at, 12, 1), short.window(last, 12, 1));
            short.keep(kept);
            prop_assert!(short.len() <= kept);
        }
    }

    #[test]
    fn aggregates_by_category_add_up(events in prop::collection::vec((0u32..8, 1u64..5, 0usize..3), 0..40)) {
        let mut model = BTreeMap::<u32, u64>::new();
        for (category, amount, _) in &events {
            *model.entry(*category).or_default() += amount;
        }
        let of = |part: usize| -> ByCategory<u64> {
            events.iter().filter(|event| event.2 == part).map(|(category, amount, _)| (*category, *amount)).collect()
        };
        let [first, second, third] = [0, 1, 2].map(of);
        let none = ByCategory::default();
        let sum = first.moved_on(&second, &none).moved_on(&third, &none);
        prop_assert_eq!(sum.amounts().copied().collect::<Vec<_>>(), model.values().copied().collect::<Vec<_>>());
        prop_assert_eq!(sum.categories().collect::<Vec<_>>(), model.keys().copied().collect::<Vec<_>>());
        prop_assert_eq!(sum.common(&sum), sum.len());
        prop_assert_eq!(sum.common(&first), first.len());
        // What was added is subtracted again and leaves nothing behind.
        prop_assert_eq!(sum.moved_on(&none, &first).moved_on(&none, &third), second);
    }
}

#[test]
fn leap_days_and_the_turn_of_a_year() {
    assert_eq!(Period::Month.of(date(2024, 2, 29)), 2024 * 12 + 1);
    assert_eq!(Period::Month.of(date(2024, 3, 1)) - Period::Month.of(date(2024, 2, 29)), 1);
    assert_eq!(Period::Week.of(date(2024, 2, 29)), Period::Week.of(date(2024, 3, 1)));
    // 31 December 2024 is a Tuesday: its week goes on in 2025.
    assert_eq!(Period::Week.of(date(2024, 12, 31)), Period::Week.of(date(2025, 1, 5)));
    assert_eq!(Period::Week.of(date(2025, 1, 6)) - Period::Week.of(date(2025, 1, 5)), 1);
}
