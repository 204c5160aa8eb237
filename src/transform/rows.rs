//! The clean rows of a group: their columns are matched by name with the table's, their number is counted by partition, and
//! they are encoded for COPY.

use std::path::Path;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use super::clean::{Cleaning, CleaningError};
use super::columns::PgColumn;
use super::encode::{self, EncodeError, Encoded, KeyPlaces};
use super::job::Job;
use super::look::RawTable;
use super::read::{ReadError, apart};
use crate::clients::duckdb::DuckLimits;
use crate::fields::meant;
use crate::words;

/// The number of keys that an error about unexpected rows quotes.
const SHOWN: usize = 3;

/// The columns of the clean table, and the name of its key.
#[derive(Clone, Debug)]
pub struct CleanColumns {
    pub columns: Vec<PgColumn>,
    pub key: String,
    /// The columns that the cleaning gives for no rows. It must give them for any rows: what one partition alone lacks would
    /// become NULL there without a warning.
    pub given: Vec<String>,
}

/// The clean rows of a group, ready to be written.
#[derive(Clone, Debug, Default)]
pub struct CleanRows {
    pub encoded: Encoded,
    /// The names of the columns in `encoded`, in order.
    pub columns: Vec<String>,
    /// The number of rows of each partition.
    pub rows_out: Vec<u64>,
}

/// The reasons why a group could not be cleaned, in words for the ledger.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    #[error(transparent)]
    Cleaning(#[from] CleaningError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Rows that do not fit the table, or that belong to another partition.
    #[error("{0}")]
    Rows(String),
}

impl CleanColumns {
    /// Prepares a job's cleaning, and finds out which columns it gives by trying it on no rows.
    ///
    /// # Errors
    /// In words: it cannot be prepared or fails, or its columns do not match.
    pub fn open(
        &mut self,
        job: &Job,
        (folder, limits): (&Path, DuckLimits),
        raw: &RawTable,
    ) -> Result<Cleaning, CleaningError> {
        let columns = (raw.columns.as_slice(), self.columns.as_slice());
        let mut cleaning = Cleaning::open(job, folder, limits, columns)?;
        let matched = self.matched(&*cleaning.columns()?).map_err(CleaningError::Failed)?;
        self.given = matched.into_iter().map(|(_, name)| name).collect();
        Ok(cleaning)
    }

    /// The columns that hold only NULL in the clean table, because the cleaning never gives them.
    pub fn always_null(&self) -> Vec<&str> {
        let is_null = |column: &&PgColumn| {
            !self.given.contains(&column.name) && !column.has_default && !column.is_generated
        };
        self.columns.iter().filter(is_null).map(|column| column.name.as_str()).collect()
    }

    /// The columns to write, in the order of the table, each with its place in `out` and its name.
    ///
    /// # Errors
    /// In words: the table does not have a column of `out`, or `out` lacks a column that must have a value.
    pub fn matched(&self, out: &Schema) -> Result<Vec<(usize, String)>, String> {
        let known: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
        for (place, field) in out.fields().iter().enumerate() {
            let name = field.name();
            if !known.contains(&name.as_str()) {
                return Err(format!(
                    "the cleaning returns a column `{name}`, which the clean table does not have; {}",
                    meant(name, &known, "it has")
                ));
            }
            if out.fields().iter().take(place).any(|other| other.name() == name) {
                return Err(format!("the cleaning gives two columns `{name}`"));
            }
        }
        let mut matched = Vec::new();
        for column in &self.columns {
            match out.fields().iter().position(|field| field.name() == &column.name) {
                Some(_) if column.is_generated => {
                    return Err(format!(
                        "the clean table generates `{}`: the cleaning must not give it",
                        column.name
                    ));
                }
                Some(place) => matched.push((place, column.name.clone())),
                None if column.name == self.key => {
                    return Err(format!(
                        "the cleaning does not give `{}`, the key of the clean table",
                        column.name
                    ));
                }
                None if column.not_null && !column.has_default && !column.is_generated => {
                    return Err(format!(
                        "the cleaning does not give `{}`, which must have a value in the clean table",
                        column.name
                    ));
                }
                None if self.given.contains(&column.name) => {
                    return Err(format!(
                        "the cleaning does not give `{}` here, although it does for no rows: each result must have the same columns",
                        column.name
                    ));
                }
                None => {}
            }
        }
        Ok(matched)
    }
}

/// Cleans the rows of a group: all at once if the cleaning may see several partitions, otherwise one partition after the other.
/// This call blocks.
pub fn clean(
    cleaning: &mut Cleaning,
    together: bool,
    target: &CleanColumns,
    raw: &RawTable,
    keys: &[Option<String>],
    batches: Vec<RecordBatch>,
) -> Result<CleanRows, GroupError> {
    let mut rows = CleanRows { rows_out: vec![0; keys.len()], ..CleanRows::default() };
    let known = KeyPlaces::new(keys.iter().map(Option::as_deref), raw.key().is_padded());
    let name = name(keys);
    if together || keys.len() == 1 {
        cleaning.clean(&name, batches, |batch| rows.take(&batch, target, &known, None))?;
        return Ok(rows);
    }
    let partitions = apart(&batches, keys, raw)?;
    drop(batches);
    for (place, batches) in partitions.into_iter().enumerate() {
        let name = shown_key(keys[place].as_deref());
        cleaning.clean(&name, batches, |batch| rows.take(&batch, target, &known, Some(place)))?;
    }
    Ok(rows)
}

impl CleanRows {
    /// Adds clean rows; with `only` all of them must belong to this partition.
    fn take(
        &mut self,
        batch: &RecordBatch,
        target: &CleanColumns,
        known: &KeyPlaces,
        only: Option<usize>,
    ) -> Result<(), GroupError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let matched = target.matched(&batch.schema()).map_err(GroupError::Rows)?;
        let (places, names): (Vec<_>, Vec<_>) = matched.into_iter().unzip();
        if self.columns.is_empty() {
            self.columns = names;
        } else if self.columns != names {
            return Err(GroupError::Rows(
                "the cleaning gives other columns for some partitions than for others".into(),
            ));
        }
        let key = batch.schema().index_of(&target.key).expect("the key is among the columns that matched");
        let mut astray = Vec::new();
        for (row, place) in known.places(batch, key)?.into_iter().enumerate() {
            match place.filter(|place| only.is_none_or(|only| only == *place)) {
                Some(place) => self.rows_out[place] += 1,
                None => astray.push(row),
            }
        }
        if !astray.is_empty() {
            let shown: Vec<_> =
                astray.iter().take(SHOWN).map(|row| encode::shown(batch, key, *row)).collect();
            return Err(GroupError::Rows(format!(
                "{} came out with a key that no row went in with: {} is {}; a key that is cleaned goes \
                 into another column",
                words::counted(astray.len() as u64, "row"),
                target.key,
                shown.join(", ")
            )));
        }
        Ok(encode::encode(batch, &places, &mut self.encoded)?)
    }
}

/// A key for messages.
pub fn shown_key(key: Option<&str>) -> String {
    match key {
        None => "NULL".into(),
        Some(key) => format!("`{key}`"),
    }
}

/// A short description of the partitions of a group.
pub fn name(keys: &[Option<String>]) -> String {
    let first = keys.first().map_or_else(String::new, |key| shown_key(key.as_deref()));
    match keys.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", more - 1),
    }
}
