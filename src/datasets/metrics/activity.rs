//! The monthly work in a project or a group, and the metrics computed from it.

use std::collections::HashSet;

use super::series::{ByCategory, ByTime, Metric, MetricSeries};

/// Commits of one author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitCounts {
    pub commits: u64,
    pub merges: u64,
}

impl std::ops::AddAssign for CommitCounts {
    fn add_assign(&mut self, more: Self) {
        self.commits += more.commits;
        self.merges += more.merges;
    }
}

impl std::ops::SubAssign for CommitCounts {
    fn sub_assign(&mut self, less: Self) {
        self.commits -= less.commits;
        self.merges -= less.merges;
    }
}

/// A month: the commits of each author in it and in the twelve months that end with it, and the number of new authors.
#[derive(Clone, Debug, Default)]
pub struct MonthOfWork {
    authors: ByCategory<CommitCounts>,
    year: ByCategory<CommitCounts>,
    newcomers: u64,
}

/// The other month that a metric may use besides its own: the one a year before.
const YEAR: usize = 12;

/// Collects the work of one project or group month by month, and computes the metrics of each closed month. It keeps
/// only a year of data.
#[derive(Debug, Default)]
pub struct Activity {
    months: ByTime<MonthOfWork>,
    known: HashSet<u32>,
    /// The work in the open month.
    open: Vec<(u32, CommitCounts)>,
    /// The series of each metric, starting with the first month with a commit.
    series: Vec<MetricSeries>,
}

impl Activity {
    /// Adds the work of an author, given by number, in the open month.
    pub fn add(&mut self, author: u32, counts: CommitCounts) {
        self.open.push((author, counts));
    }

    /// Closes a month. Every month must be closed in order, starting with the first one with a commit.
    pub fn close(&mut self, month: i32) {
        if self.open.is_empty() && self.months.is_empty() {
            return;
        }
        let authors: ByCategory<_> = self.open.drain(..).collect();
        let newcomers = authors.categories().filter(|author| self.known.insert(*author)).count() as u64;
        *self.months.at(month) = MonthOfWork { authors, year: ByCategory::default(), newcomers };
        let at = self.months.len() - 1;
        let none = MonthOfWork::default();
        let [before, gone] = [1, YEAR].map(|back| self.months.window(at, back, 1).first().unwrap_or(&none));
        let year = before.year.moved_on(&self.months.window(at, 0, 1)[0].authors, &gone.authors);
        self.months.at(month).year = year;
        if self.series.is_empty() {
            self.series = METRICS.iter().map(|_| MetricSeries { first: month, values: Vec::new() }).collect();
        }
        for (metric, series) in METRICS.iter().zip(&mut self.series) {
            series.values.push((metric.value)(&self.months, at));
        }
        self.months.keep(YEAR);
    }

    /// The series of each metric over the closed months, in the order of [`METRICS`]; empty if there was no work.
    pub fn series(&self) -> &[MetricSeries] {
        &self.series
    }
}

/// All metrics; this is their only definition. Bots are left out, merges are commits, and a commit counts once.
pub const METRICS: &[Metric<MonthOfWork>] = &[
    Metric {
        name: "commits",
        sentence: "Commits whose author's time is in the month, in UTC, on the default branch; merges count, bots do not",
        value: |months, at| Some(commits(&months.window(at, 0, 1)[0].authors) as f64),
    },
    Metric {
        name: "authors",
        sentence: "Different people who wrote the commits of the month",
        value: |months, at| Some(months.window(at, 0, 1)[0].authors.len() as f64),
    },
    Metric {
        name: "newcomers",
        sentence: "Authors whose first commit ever here is in the month",
        value: |months, at| Some(months.window(at, 0, 1)[0].newcomers as f64),
    },
    Metric {
        name: "bus_factor",
        sentence: "The fewest authors who together wrote at least half of the commits of the twelve months that end with this one; 0 if there are none",
        value: |months, at| Some(bus_factor(&months.window(at, 0, 1)[0].year)),
    },
    Metric {
        name: "merge_share",
        sentence: "The share of the month's commits that have two parents or more; empty without commits",
        value: |months, at| merge_share(&months.window(at, 0, 1)[0].authors),
    },
    Metric {
        name: "retention",
        sentence: "The share of the authors of the twelve months that ended a year before who are also authors in \
                   the twelve months that end with this one; empty if there were none",
        value: |months, at| {
            retention(&months.window(at, YEAR, 1).first()?.year, &months.window(at, 0, 1)[0].year)
        },
    },
    Metric {
        name: "growth",
        sentence: "Commits of the twelve months that end with this one, by those of the twelve before, less one; empty if there were none before",
        value: |months, at| {
            growth(&months.window(at, YEAR, 1).first()?.year, &months.window(at, 0, 1)[0].year)
        },
    },
];

type AuthorCounts = ByCategory<CommitCounts>;

fn commits(authors: &AuthorCounts) -> u64 {
    authors.amounts().map(|counts| counts.commits).sum()
}

fn bus_factor(year: &AuthorCounts) -> f64 {
    let mut counts: Vec<_> = year.amounts().map(|counts| counts.commits).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let total: u64 = counts.iter().sum();
    let (mut sum, mut authors) = (0, 0);
    for count in counts {
        if sum * 2 >= total {
            break;
        }
        sum += count;
        authors += 1;
    }
    f64::from(authors)
}

fn merge_share(month: &AuthorCounts) -> Option<f64> {
    let merges: u64 = month.amounts().map(|counts| counts.merges).sum();
    match commits(month) {
        0 => None,
        commits => Some(merges as f64 / commits as f64),
    }
}

fn retention(before: &AuthorCounts, now: &AuthorCounts) -> Option<f64> {
    (!before.is_empty()).then(|| before.common(now) as f64 / before.len() as f64)
}

fn growth(before: &AuthorCounts, now: &AuthorCounts) -> Option<f64> {
    match commits(before) {
        0 => None,
        before => Some(commits(now) as f64 / before as f64 - 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, work: &[(i32, &str, u64, u64)], last: i32) -> Vec<Option<f64>> {
        let mut activity = Activity::default();
        for month in work[0].0..=last {
            for (_, author, commits, merges) in work.iter().filter(|work| work.0 == month) {
                let counts = CommitCounts { commits: *commits, merges: *merges };
                activity.add(u32::from(author.as_bytes()[0]), counts);
            }
            activity.close(month);
        }
        let metric = METRICS.iter().position(|metric| metric.name == name).unwrap();
        activity.series().get(metric).map(|series| series.values.clone()).unwrap_or_default()
    }

    const WORK: &[(i32, &str, u64, u64)] =
        &[(100, "a", 4, 1), (100, "b", 2, 0), (102, "b", 1, 1), (102, "c", 1, 0), (113, "a", 5, 0)];

    #[test]
    fn months_are_counted_from_the_first_commit_on() {
        let some = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
        assert_eq!(values("commits", WORK, 103), some(&[6.0, 0.0, 2.0, 0.0]));
        assert_eq!(values("authors", WORK, 103), some(&[2.0, 0.0, 2.0, 0.0]));
        assert_eq!(values("newcomers", WORK, 103), some(&[2.0, 0.0, 1.0, 0.0]));
        assert_eq!(values("merge_share", WORK, 103), [Some(1.0 / 6.0), None, Some(0.5), None]);
        assert_eq!(values("commits", WORK, 99), []);
    }

    #[test]
    fn years_end_with_the_month() {
        let factor = values("bus_factor", WORK, 126);
        // 4 of 6 are of one; 4 a, 3 b, 1 c: one has half of eight; of the year to 113: 5 a, 1 b, 1 c.
        assert_eq!(
            (factor[0], factor[2], factor[13], factor[26]),
            (Some(1.0), Some(1.0), Some(1.0), Some(0.0))
        );
        let retention = values("retention", WORK, 126);
        assert_eq!((retention[11], retention[12]), (None, Some(0.5)));
        // Month 113: of a and b in 90..=101, both in 102..=113.
        assert_eq!(retention[13], Some(1.0));
        // Month 125: of a, b and c in 102..=113, nobody since 114.
        assert_eq!(retention[25], Some(0.0));
        let growth = values("growth", WORK, 126);
        assert_eq!((growth[11], growth[13], growth[25]), (None, Some(7.0 / 6.0 - 1.0), Some(-1.0)));
    }

    #[test]
    fn half_is_enough_for_the_bus_factor() {
        assert_eq!(values("bus_factor", &[(1, "a", 2, 0), (1, "b", 1, 0), (1, "c", 1, 0)], 1), [Some(1.0)]);
        assert_eq!(values("bus_factor", &[(1, "a", 1, 0), (1, "b", 1, 0), (1, "c", 1, 0)], 1), [Some(2.0)]);
    }
}
