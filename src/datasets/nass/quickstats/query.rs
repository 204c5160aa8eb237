//! Parses a request such as `state_alpha=CA&state_alpha=NV&year__GE=2010`.
//!
//! Several values for one name mean any of them; different names must all hold. Like the API, it silently ignores parameters
//! that are neither a column nor a column with an operator, so a misspelt name returns too many records.

use std::cmp::Ordering;

use url::form_urlencoded;

use crate::datasets::nass::columns::position;

/// The parameters of a request.
#[derive(Clone, Debug, Default)]
pub struct StatQuery {
    pub key: Option<String>,
    /// `CSV`, `JSON` or `XML`, in the case in which it was written.
    pub format: Option<String>,
    /// The column whose values are requested.
    pub param: Option<String>,
    pub(super) conditions: Vec<StatCondition>,
}

/// A condition on one column.
#[derive(Clone, Debug)]
pub(super) struct StatCondition {
    pub(super) column: usize,
    operator: StatOperator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatOperator {
    Equal,
    NotEqual,
    AtMost,
    Less,
    AtLeast,
    Greater,
    Like,
    NotLike,
}

const OPERATORS: [(&str, StatOperator); 7] = [
    ("LE", StatOperator::AtMost),
    ("LT", StatOperator::Less),
    ("GE", StatOperator::AtLeast),
    ("GT", StatOperator::Greater),
    ("LIKE", StatOperator::Like),
    ("NOT_LIKE", StatOperator::NotLike),
    ("NE", StatOperator::NotEqual),
];

impl StatQuery {
    /// Parses the query of an address.
    pub fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let value = value.into_owned();
            match name.as_ref() {
                "key" => query.key = Some(value),
                "format" => query.format = Some(value),
                "param" => query.param = Some(value),
                // A name without a value sets no condition.
                _ if value.is_empty() => {}
                name => query.add(name, value),
            }
        }
        query
    }

    fn add(&mut self, name: &str, value: String) {
        let (column, operator) = match name.split_once("__") {
            None => (name, Some(StatOperator::Equal)),
            Some((column, suffix)) => {
                let known = OPERATORS.iter().find(|(known, _)| *known == suffix);
                (column, known.map(|(_, operator)| *operator))
            }
        };
        let (Some(column), Some(operator)) = (position(column), operator) else { return };
        let same = |known: &&mut StatCondition| known.column == column && known.operator == operator;
        match self.conditions.iter_mut().find(same) {
            Some(known) => known.values.push(value),
            None => self.conditions.push(StatCondition { column, operator, values: vec![value] }),
        }
    }
}

impl StatCondition {
    /// Whether a field fulfils the condition.
    pub(super) fn passes(&self, field: &str) -> bool {
        self.values.iter().any(|value| {
            let order = || compare(field, value);
            match self.operator {
                StatOperator::Equal => field == value,
                StatOperator::NotEqual => field != value,
                StatOperator::AtMost => order().is_le(),
                StatOperator::Less => order().is_lt(),
                StatOperator::AtLeast => order().is_ge(),
                StatOperator::Greater => order().is_gt(),
                StatOperator::Like => is_like(field, value),
                StatOperator::NotLike => !is_like(field, value),
            }
        })
    }
}

/// Compares two numbers as numbers, and everything else as text.
fn compare(field: &str, value: &str) -> Ordering {
    let number = |text: &str| text.replace(',', "").parse::<f64>().ok();
    match (number(field), number(value)) {
        (Some(field), Some(value)) => field.total_cmp(&value),
        _ => field.cmp(value),
    }
}

/// `%` stands for any text; a pattern without one may occur anywhere.
fn is_like(field: &str, pattern: &str) -> bool {
    if !pattern.contains('%') {
        return field.contains(pattern);
    }
    let parts: Vec<_> = pattern.split('%').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(mut rest) = field.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    parts[1..parts.len() - 1].iter().all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_its_parts_in_their_order() {
        for (pattern, expected) in [
            ("CORN%", true),
            ("%ACRES", true),
            ("C%GRAIN%A%", true),
            ("GRAIN", true),
            ("%", true),
            ("GRAIN%", false),
            ("CORN%ACRE", false),
            ("%ACRES%GRAIN%", false),
            ("corn%", false),
        ] {
            assert_eq!(is_like("CORN, GRAIN - ACRES", pattern), expected, "{pattern}");
        }
        assert!(!is_like("AB", "AB%B"), "the ends do not overlap");
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert_eq!(compare("1,000", "999"), Ordering::Greater);
        assert_eq!(compare("2005", "2005"), Ordering::Equal);
        assert_eq!(compare("(D)", "5"), Ordering::Less);
    }
}
