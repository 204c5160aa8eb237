//! The four types that metrics are made of, and nothing more: a series, its aggregates by time, by category, a metric over them.

use jiff::civil::Date;

/// A stretch of time, counted: each has the number after that of the one before.
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

    /// The first day of a period; `None`: out of the calendar.
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

/// A value, or none, for each period from a first one on, without a hole.
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

/// What happened, by time: something for each period from the first on; nothing where nothing happened.
#[derive(Clone, Debug, Default)]
pub struct ByTime<T> {
    first: i32,
    buckets: Vec<T>,
}

impl<T: Default> ByTime<T> {
    /// What happened in a period, to add to it; what is before the first one moves that.
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

    /// Forgets what is more than so many periods behind the last one; what happens there later is not kept.
    pub fn keep(&mut self, last: usize) {
        let old = self.buckets.len().saturating_sub(last);
        drop(self.buckets.drain(..old));
        self.first += old as i32;
    }

    /// How many periods there are.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Has nothing happened?
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Those of so many periods that end `back` periods before one; fewer where the first is among them.
    pub fn window(&self, at: usize, back: usize, length: usize) -> &[T] {
        let end = (at + 1).saturating_sub(back);
        &self.buckets[end.saturating_sub(length)..end]
    }
}

/// How much there is of each category, which is a number here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByCategory<T>(Vec<(u32, T)>);

impl<T: Clone + Default + std::ops::AddAssign> FromIterator<(u32, T)> for ByCategory<T> {
    /// Amounts in any order; those of one category are added up.
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
    /// With those of another, and without those of a third, which are among both; categories of which nothing is left go.
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

    /// Is there none?
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

    /// How many categories of these are among the others.
    pub fn common(&self, others: &Self) -> usize {
        let is_there = |category: &u32| others.0.binary_search_by_key(category, |(known, _)| *known).is_ok();
        self.0.iter().filter(|(category, _)| is_there(category)).count()
    }
}

/// A number that is told of each period of what happened.
#[derive(Clone, Copy, Debug)]
pub struct Metric<T: 'static> {
    pub name: &'static str,
    /// What a reader sees.
    pub sentence: &'static str,
    /// Of the period at this place; `None`: nothing can be told.
    pub value: fn(&ByTime<T>, usize) -> Option<f64>,
}

#[cfg(test)]
mod tests;
