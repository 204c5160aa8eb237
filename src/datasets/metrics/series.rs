//! The four types that metrics are made of: a series, aggregates by time and by category, and a metric over these.

use jiff::civil::Date;

/// A kind of period. Periods are numbered consecutively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Month,
    /// From Monday to Sunday.
    Week,
}

/// Days from the first Monday that jiff knows to that of 1970's first week.
const MONDAY: (i16, i8, i8) = (1969, 12, 29);

impl Period {
    /// The number of the period that a day is in.
    pub fn of(self, day: Date) -> i32 {
        match self {
            Self::Month => i32::from(day.year()) * 12 + i32::from(day.month()) - 1,
            Self::Week => days(monday(), day).div_euclid(7),
        }
    }

    /// The first day of a period; `None`: outside the calendar.
    pub fn first_day(self, number: i32) -> Option<Date> {
        match self {
            Self::Month => {
                let (year, month) = (number.div_euclid(12), number.rem_euclid(12) + 1);
                Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()
            }
            Self::Week => {
                let days = jiff::Span::new().try_days(i64::from(number) * 7).ok()?;
                monday().checked_add(days).ok()
            }
        }
    }
}

fn monday() -> Date {
    jiff::civil::date(MONDAY.0, MONDAY.1, MONDAY.2)
}

fn days(from: Date, to: Date) -> i32 {
    from.until(to).map(|span| span.get_days()).unwrap_or_default()
}

/// A value or `None` for each period from the first one on, without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSeries {
    pub first: i32,
    pub values: Vec<Option<f64>>,
}

impl MetricSeries {
    /// The periods with their values.
    pub fn iter(&self) -> impl Iterator<Item = (i32, Option<f64>)> + '_ {
        (self.first..).zip(self.values.iter().copied())
    }

    /// The last value.
    pub fn last(&self) -> Option<f64> {
        self.values.last().copied().flatten()
    }
}

/// Aggregates by time: one for each period from the first on, with the default value where nothing happened.
#[derive(Clone, Debug, Default)]
pub struct ByTime<T> {
    first: i32,
    buckets: Vec<T>,
}

impl<T: Default> ByTime<T> {
    /// The aggregate of a period, to add to; an earlier period becomes the first one.
    pub fn at(&mut self, period: i32) -> &mut T {
        if self.buckets.is_empty() {
            self.first = period;
        }
        if period < self.first {
            let missing = (self.first - period) as usize;
            drop(self.buckets.splice(0..0, std::iter::repeat_with(T::default).take(missing)));
            self.first = period;
        }
        let at = (period - self.first) as usize;
        if at >= self.buckets.len() {
            self.buckets.resize_with(at + 1, T::default);
        }
        &mut self.buckets[at]
    }

    /// Drops periods more than `last` periods before the last one; what is added there later is not kept.
    pub fn keep(&mut self, last: usize) {
        let old = self.buckets.len().saturating_sub(last);
        drop(self.buckets.drain(..old));
        self.first += old as i32;
    }

    /// How many periods there are.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Are there no periods?
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The aggregates of `length` periods that end `back` periods before `at`; fewer if the window begins before the
    /// first period.
    pub fn window(&self, at: usize, back: usize, length: usize) -> &[T] {
        let end = (at + 1).saturating_sub(back);
        &self.buckets[end.saturating_sub(length)..end]
    }
}

/// The amount of each category, which is a number here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByCategory<T>(Vec<(u32, T)>);

impl<T: Clone + Default + std::ops::AddAssign> FromIterator<(u32, T)> for ByCategory<T> {
    /// Amounts in any order; those of the same category are summed.
    fn from_iter<I: IntoIterator<Item = (u32, T)>>(amounts: I) -> Self {
        let mut every: Vec<_> = amounts.into_iter().collect();
        every.sort_by_key(|(category, _)| *category);
        let mut summed: Vec<(u32, T)> = Vec::with_capacity(every.len());
        for (category, amount) in every {
            match summed.last_mut() {
                Some((last, sum)) if *last == category => *sum += amount,
                _ => summed.push((category, amount)),
            }
        }
        Self(summed)
    }
}

impl<T: Clone + Default + PartialEq + std::ops::AddAssign + std::ops::SubAssign> ByCategory<T> {
    /// Adds the amounts of `come` and subtracts those of `gone`, which must be contained in the sum; categories without
    /// any amount left are removed.
    pub fn moved_on(&self, come: &Self, gone: &Self) -> Self {
        let mut moved = Vec::with_capacity(self.0.len() + come.0.len());
        let (mut own, mut come, mut gone) =
            (self.0.iter().peekable(), come.0.iter().peekable(), gone.0.iter().peekable());
        loop {
            let next = [own.peek(), come.peek(), gone.peek()]
                .into_iter()
                .flatten()
                .map(|(category, _)| *category)
                .min();
            let Some(category) = next else { return Self(moved) };
            let mut amount = T::default();
            let is_next = |one: &&(u32, T)| one.0 == category;
            for (_, more) in [own.next_if(is_next), come.next_if(is_next)].into_iter().flatten() {
                amount += more.clone();
            }
            if let Some((_, less)) = gone.next_if(is_next) {
                amount -= less.clone();
            }
            if amount != T::default() {
                moved.push((category, amount));
            }
        }
    }
}

impl<T> ByCategory<T> {
    /// How many categories there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there no categories?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The categories, in order.
    pub fn categories(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|(category, _)| *category)
    }

    /// The amounts, by category.
    pub fn amounts(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, amount)| amount)
    }

    /// The number of these categories that are also in the other.
    pub fn common(&self, others: &Self) -> usize {
        let is_there = |category: &u32| others.0.binary_search_by_key(category, |(known, _)| *known).is_ok();
        self.0.iter().filter(|(category, _)| is_there(category)).count()
    }
}

/// A number that is computed for each period.
#[derive(Clone, Copy, Debug)]
pub struct Metric<T: 'static> {
    pub name: &'static str,
    /// The description for readers.
    pub sentence: &'static str,
    /// Computes the value for the period at this position; `None`: there is no value.
    pub value: fn(&ByTime<T>, usize) -> Option<f64>,
}

#[cfg(test)]
mod tests;
