//! The published tables of a dataset, and their forms.

/// One table, or a part of its columns, that is published after a promotion.
#[derive(Clone, Copy, Debug)]
pub struct PublishedTable {
    /// The name of its CSV in the dataset's folder of public or private objects; other forms have another ending.
    pub name: &'static str,
    pub reach: Reach,
    pub table: &'static str,
    pub columns: PublishedColumns,
    /// `None`: all rows are in one object, in the table's physical order.
    pub split: Option<SplitBy>,
}

/// Who may read a published object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Public,
    Private,
}

/// Which columns of a table are published.
#[derive(Clone, Copy, Debug)]
pub enum PublishedColumns {
    /// Those that the dataset names; columns that somebody added in production are not published.
    Named,
    /// These, in this order.
    Only(&'static [&'static str]),
    /// All columns of the table; for private objects.
    All,
}

/// One object for each value of a column, in some forms; in others one object of all rows.
#[derive(Clone, Copy, Debug)]
pub struct SplitBy {
    /// A column of whole numbers.
    pub column: &'static str,
    /// The text columns by which the rows of an object are sorted; the last one is unique.
    pub order: &'static [&'static str],
    /// The forms of which there is one for each value.
    pub forms: &'static [PublishedForm],
}

/// The form of a published object. All forms of a table say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum PublishedForm {
    /// CSV with a header
    #[value(name = "csv")]
    Csv,
    /// The same bytes, packed by gzip
    #[value(name = "csv.gz")]
    Packed,
    /// Typed columns
    #[value(name = "parquet")]
    Parquet,
}

impl PublishedForm {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Packed, Self::Parquet];

    /// Its name, which is also what names of objects end in.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Packed => "csv.gz",
            Self::Parquet => "parquet",
        }
    }
}

/// The part of a name that stands for rows without a value.
const NO_VALUE: &str = "none";

impl PublishedTable {
    /// The name of an object of it: of the rows with a value of the split column, `Some(None)`: of those without one.
    pub fn object(&self, value: Option<Option<i64>>, form: PublishedForm) -> String {
        let (stem, form) = (self.stem(), form.name());
        match value {
            None => format!("{stem}.{form}"),
            Some(Some(value)) => format!("{stem}-{value}.{form}"),
            Some(None) => format!("{stem}-{NO_VALUE}.{form}"),
        }
    }

    /// May an object of this name be one of it, in any form?
    pub fn may_be(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(self.stem()) else { return false };
        let Some((value, form)) = rest.split_once('.') else { return false };
        let is_value = |value: &str| value == NO_VALUE || value.parse::<i64>().is_ok();
        PublishedForm::ALL.iter().any(|known| known.name() == form)
            && match self.split {
                None => value.is_empty(),
                // An unsplit object may be left from before the table was split.
                Some(_) => value.is_empty() || value.strip_prefix('-').is_some_and(is_value),
            }
    }

    fn stem(&self) -> &str {
        self.name.strip_suffix(".csv").unwrap_or(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_its_name() {
        let table = PublishedTable {
            name: "rates.csv",
            reach: Reach::Public,
            table: "rates",
            columns: PublishedColumns::Named,
            split: Some(SplitBy { column: "year", order: &["code"], forms: &PublishedForm::ALL }),
        };
        let whole = PublishedTable { split: None, ..table };
        for form in PublishedForm::ALL {
            for value in [None, Some(None), Some(Some(2012)), Some(Some(-3))] {
                let name = table.object(value, form);
                assert!(table.may_be(&name), "{name}");
                assert_eq!(whole.may_be(&name), value.is_none(), "{name}");
            }
        }
        assert_eq!(table.object(Some(Some(2012)), PublishedForm::Packed), "rates-2012.csv.gz");
        for other in
            ["rates.txt", "rates", "rates-old.csv", "rates-.csv", "rates_by_day.csv", "manifest.json"]
        {
            assert!(!table.may_be(other), "{other}");
        }
    }
}
