//! The limits of a run's losses: failed records, deleted records, rows of a table.

use crate::error::Cause;

/// How many failed records a run may have: the larger of both.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct FailureBudget {
    pub percent: f64,
    pub records: u64,
}

impl Default for FailureBudget {
    /// Five per cent; a handful in a small file does not stop a run.
    fn default() -> Self {
        Self { percent: 5.0, records: 10 }
    }
}

impl std::str::FromStr for FailureBudget {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        let budget = match text.trim().strip_suffix('%') {
            Some(_) => percent(text).map(|percent| Self { percent, records: 0 }),
            None => text.trim().parse().ok().map(|records| Self { percent: 0.0, records }),
        };
        budget.ok_or_else(|| {
            Cause::usage(format!(
                "--max-failures (MERGANSER_MAX_FAILURES) takes a number or per cent (20, 5%), not `{text}`"
            ))
        })
    }
}

/// How many records of a batch may be newly deleted and lose data: the larger of both.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct DeleteLimit {
    pub percent: f64,
    pub records: u64,
}

impl Default for DeleteLimit {
    /// Ten per cent; fewer than ten deletions are always accepted.
    fn default() -> Self {
        Self { percent: 10.0, records: 9 }
    }
}

impl std::str::FromStr for DeleteLimit {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        let limit = match text.trim().strip_suffix('%') {
            Some(_) => percent(text).map(|percent| Self { percent, records: 0 }),
            None => text.trim().parse().ok().map(|records| Self { percent: 0.0, records }),
        };
        limit.ok_or_else(|| {
            Cause::usage(format!(
                "--max-deletes (MERGANSER_MAX_DELETES) takes a number or per cent (200, 15%), not `{text}`"
            ))
        })
    }
}

/// What a table may lose in one batch: a percentage of its rows, and always fewer rows than this number.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct DropLimit {
    pub percent: f64,
    pub rows: u64,
}

impl Default for DropLimit {
    /// Ten per cent; a handful of a small table's rows is not a drop.
    fn default() -> Self {
        Self { percent: 10.0, rows: 10 }
    }
}

impl std::str::FromStr for DropLimit {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        let limit = percent(text).map(|percent| Self { percent, rows: 0 });
        limit.ok_or_else(|| {
            Cause::usage(format!(
                "--max-drop (MERGANSER_MAX_DROP) takes per cent from 0 to 100, not `{text}`"
            ))
        })
    }
}

/// `12.5%` or `12.5` as a number from 0 to 100.
fn percent(text: &str) -> Option<f64> {
    let value: f64 = text.trim().trim_end_matches('%').trim().parse().ok()?;
    (0.0..=100.0).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_budget_is_a_number_or_per_cent() {
        assert_eq!("20".parse::<FailureBudget>().ok(), Some(FailureBudget { percent: 0.0, records: 20 }));
        assert_eq!("2.5%".parse::<FailureBudget>().ok(), Some(FailureBudget { percent: 2.5, records: 0 }));
        assert!("-1".parse::<FailureBudget>().is_err() && "101%".parse::<FailureBudget>().is_err());
    }

    #[test]
    fn a_delete_limit_is_a_number_or_per_cent() {
        assert_eq!("200".parse::<DeleteLimit>().ok(), Some(DeleteLimit { percent: 0.0, records: 200 }));
        assert_eq!("15%".parse::<DeleteLimit>().ok(), Some(DeleteLimit { percent: 15.0, records: 0 }));
        assert!("-1".parse::<DeleteLimit>().is_err() && "101%".parse::<DeleteLimit>().is_err());
    }

    #[test]
    fn a_drop_limit_is_per_cent() {
        assert_eq!("2.5%".parse::<DropLimit>().ok(), Some(DropLimit { percent: 2.5, rows: 0 }));
        assert_eq!("0".parse::<DropLimit>().ok(), Some(DropLimit { percent: 0.0, rows: 0 }));
        assert!("-1".parse::<DropLimit>().is_err() && "NaN".parse::<DropLimit>().is_err());
    }
}
