//! A slice of a table: tests on columns, all of which a row must pass. The same value defines what is asked for, what
//! each record of the answer is checked against, and what is replaced in production.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The rows that pass every test; without tests, all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slice {
    pub tests: Vec<SliceTest>,
}

/// One test of the cells of a column. An empty cell and a missing one are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SliceTest {
    pub column: String,
    /// Compared as numbers; else byte by byte.
    pub is_number: bool,
    pub how: Comparator,
    /// Any number of values for `In`, `NotIn`, `Like` and `NotLike`, one for the others.
    pub values: Vec<String>,
}

/// How a cell is compared with the values of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparator {
    In,
    NotIn,
    AtMost,
    Below,
    AtLeast,
    Above,
    /// Matches any of the patterns, in which `%` matches any text; a pattern without it may match anywhere.
    Like,
    NotLike,
}

impl SliceTest {
    /// A test of texts.
    pub fn text(column: &str, how: Comparator, values: Vec<String>) -> Self {
        Self { column: column.to_owned(), is_number: false, how, values }
    }

    /// A test of whole numbers.
    pub fn number(column: &str, how: Comparator, values: Vec<String>) -> Self {
        Self { column: column.to_owned(), is_number: true, how, values }
    }

    /// Does a cell pass?
    pub fn passes(&self, cell: &str) -> bool {
        match self.how {
            Comparator::In => self.values.iter().any(|value| self.is_same(cell, value)),
            Comparator::NotIn => !self.values.iter().any(|value| self.is_same(cell, value)),
            Comparator::Like => self.values.iter().any(|pattern| is_like(cell, pattern)),
            Comparator::NotLike => !self.values.iter().any(|pattern| is_like(cell, pattern)),
            _ => self.values.iter().all(|value| self.is_within(cell, value)),
        }
    }

    fn is_same(&self, cell: &str, value: &str) -> bool {
        cell == value || self.is_number && number(cell).is_some_and(|cell| Some(cell) == number(value))
    }

    fn is_within(&self, cell: &str, value: &str) -> bool {
        let order = match self.is_number {
            true => match (number(cell), number(value)) {
                (Some(cell), Some(value)) => cell.cmp(&value),
                _ => return false,
            },
            false => cell.cmp(value),
        };
        match self.how {
            Comparator::AtMost => order.is_le(),
            Comparator::Below => order.is_lt(),
            Comparator::AtLeast => order.is_ge(),
            _ => order.is_gt(),
        }
    }

    /// Is it certain that no cell passes both?
    fn excludes(&self, other: &Self) -> bool {
        if self.column != other.column {
            return false;
        }
        match (self.how, other.how) {
            (Comparator::In, _) => !self.values.iter().any(|value| other.passes(value)),
            (_, Comparator::In) => other.excludes(self),
            (Comparator::AtLeast | Comparator::Above, Comparator::AtMost | Comparator::Below) => {
                let is_within =
                    |test: &Self, values: &[String]| values.iter().all(|value| test.passes(value));
                !(is_within(self, &other.values) && is_within(other, &self.values))
            }
            (Comparator::AtMost | Comparator::Below, Comparator::AtLeast | Comparator::Above) => {
                other.excludes(self)
            }
            _ => false,
        }
    }

    /// Is it certain that every cell that passes this test also passes the other?
    fn implies(&self, other: &Self) -> bool {
        if self.column != other.column {
            return false;
        }
        if self == other {
            return true;
        }
        match (self.how, other.how) {
            (Comparator::In, _) => self.values.iter().all(|value| other.passes(value)),
            (Comparator::NotIn, Comparator::NotIn) => {
                other.values.iter().all(|value| self.values.contains(value))
            }
            (Comparator::AtLeast, Comparator::AtLeast | Comparator::Above)
            | (Comparator::AtMost, Comparator::AtMost | Comparator::Below)
            | (Comparator::Above, Comparator::Above | Comparator::AtLeast)
            | (Comparator::Below, Comparator::Below | Comparator::AtMost) => {
                self.values.iter().all(|value| other.passes(value))
            }
            _ => false,
        }
    }
}

impl Slice {
    /// The same with one more test.
    pub fn and(&self, test: SliceTest) -> Self {
        let mut tests = self.tests.clone();
        tests.push(test);
        tests.sort();
        tests.dedup();
        Self { tests }
    }

    /// The rows that are in both.
    pub fn and_all(&self, other: &Self) -> Self {
        other.tests.iter().fold(self.clone(), |both, test| both.and(test.clone()))
    }

    /// The tests that a row fails; `cell` gives the row's cell of a column.
    pub fn broken<'a>(&self, cell: impl Fn(&str) -> &'a str) -> impl Iterator<Item = &SliceTest> {
        self.tests.iter().filter(move |test| !test.passes(cell(&test.column)))
    }

    /// May a row be in both?
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.tests.iter().any(|test| other.tests.iter().any(|known| test.excludes(known)))
    }

    /// Is it certain that every row of it is in the other one?
    pub fn is_within(&self, other: &Self) -> bool {
        other.tests.iter().all(|test| self.tests.iter().any(|own| own.implies(test)))
    }
}

/// `state in (AL, AK), year at least 2005`; `everything` without tests.
impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tests.is_empty() {
            return f.write_str("everything");
        }
        for (test, at) in self.tests.iter().zip(0..) {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{test}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SliceTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            Comparator::In if self.values.len() == 1 => "=",
            Comparator::In => "in",
            Comparator::NotIn => "not",
            Comparator::AtMost => "<=",
            Comparator::Below => "<",
            Comparator::AtLeast => ">=",
            Comparator::Above => ">",
            Comparator::Like => "like",
            Comparator::NotLike => "not like",
        };
        write!(f, "{} {how} ", self.column)?;
        let shown: Vec<_> = self.values.iter().take(4).map(String::as_str).collect();
        f.write_str(&shown.join(" "))?;
        match self.values.len() {
            0..=4 => Ok(()),
            more => write!(f, " and {} more", more - 4),
        }
    }
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// `%` matches any text, including an empty one; a pattern without it may match anywhere.
fn is_like(cell: &str, pattern: &str) -> bool {
    if !pattern.contains('%') {
        return cell.contains(pattern);
    }
    let mut pieces = pattern.split('%');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = cell.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(column: &str, how: Comparator, values: &[&str]) -> SliceTest {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        SliceTest { column: column.into(), is_number: column == "year", how, values }
    }

    fn slice(tests: &[SliceTest]) -> Slice {
        tests.iter().fold(Slice::default(), |slice, test| slice.and(test.clone()))
    }

    #[test]
    fn a_cell_passes_or_not() {
        use Comparator::*;
        for (how, values, yes, no) in [
            (In, &["a", "b"][..], "b", "c"),
            (NotIn, &["a", "b"], "c", "a"),
            (AtMost, &["b"], "b", "c"),
            (Below, &["b"], "a", "b"),
            (AtLeast, &["b"], "b", "a"),
            (Above, &["b"], "c", "b"),
            (Like, &["%CORN%"], "SWEET CORN, FRESH", "WHEAT"),
            (Like, &["CORN"], "SWEET CORN", "WHEAT"),
            (Like, &["C%N%N"], "CORN, GRAIN", "CORN"),
            (NotLike, &["%CORN%"], "WHEAT", "CORN"),
            (In, &[""], "", "x"),
        ] {
            let test = test("x", how, values);
            assert!(test.passes(yes) && !test.passes(no), "{test}");
        }
        let year = test("year", AtLeast, &["999"]);
        assert!(year.passes("2005") && !year.passes("998") && !year.passes(""), "as numbers");
    }

    #[test]
    fn what_excludes_and_what_contains_each_other_is_told() {
        use Comparator::*;
        let years =
            |from: &str, to: &str| slice(&[test("year", AtLeast, &[from]), test("year", AtMost, &[to])]);
        let year = |year: &str| slice(&[test("year", In, &[year])]);
        assert!(year("2005").is_within(&years("2005", "2010")));
        assert!(
            !year("2004").is_within(&years("2005", "2010")) && !year("2004").overlaps(&years("2005", "2010"))
        );
        assert!(years("2006", "2008").is_within(&years("2005", "2010")));
        assert!(!years("2005", "2010").is_within(&years("2006", "2008")));
        assert!(years("2005", "2010").overlaps(&years("2010", "2012")));
        assert!(!years("2005", "2010").overlaps(&years("2011", "2012")));
        let south = year("2005").and(test("state", In, &["AL", "GA"]));
        assert!(south.is_within(&year("2005")) && !year("2005").is_within(&south));
        assert!(!south.overlaps(&year("2005").and(test("state", NotIn, &["AL", "GA", "FL"]))));
        assert!(south.overlaps(&year("2005").and(test("state", NotIn, &["AL"]))));
        assert!(south.overlaps(&slice(&[test("commodity", In, &["CORN"])])), "nothing is known of both");
        assert!(slice(&[test("x", Above, &["1"])]).overlaps(&slice(&[test("x", Below, &["3"])])));
        assert!(year("2005").is_within(&Slice::default()) && Slice::default().overlaps(&year("2005")));
    }
}
