//! Reads the raw rows of partitions from PostgreSQL into Arrow batches.

use std::pin::pin;

use arrow::array::{Int64Array, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use futures_util::StreamExt;

use super::columns::{PgColumn, Wire};
use super::decode::{DecodeError, Decoder};
use super::encode::{EncodeError, KeyPlaces};
use super::look::RawTable;
use super::session::JobSession;
use crate::clients::postgres::{self, PgError};
use crate::error::Cause;
use crate::sql;

/// A column name that no table has. The column is removed before the rows are cleaned.
const WRITTEN_BY: &str = "\u{1}written_by";

/// The rows to read.
#[derive(Clone, Debug)]
pub struct Wanted<'w> {
    pub keys: &'w [Option<String>],
    /// The first page, and the one after the last.
    pub pages: Option<(i64, i64)>,
    /// The most rows to read by key; `None`: all.
    pub limit: Option<u64>,
}

impl<'w> Wanted<'w> {
    /// All rows of these partitions, or those of one that are in these pages.
    pub fn all(keys: &'w [Option<String>], pages: Option<(i64, i64)>) -> Self {
        Self { keys, pages, limit: None }
    }
}

/// The raw rows of several partitions.
#[derive(Debug)]
pub struct RawRows {
    pub batches: Vec<RecordBatch>,
    /// The counts for each key in `keys`.
    pub counted: Vec<Counted>,
    pub bytes: u64,
}

/// The counts for one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub rows: u64,
    /// The sum of the ids of the transactions that wrote the rows.
    pub written: i128,
}

/// The reasons why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error("rows of {table} cannot be read: {source}")]
    Decode { table: String, source: DecodeError },
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("the server gave a row of another partition than it was asked for")]
    Stray,
}

impl From<ReadError> for Cause {
    fn from(error: ReadError) -> Self {
        let hint = match error {
            ReadError::Postgres(error) => return error.into(),
            ReadError::Decode { .. } | ReadError::Encode(_) => {
                "make a view that casts this column to text, and name the view in [source] table"
            }
            ReadError::Stray => "reindex the raw table, then run the same command again",
        };
        Cause::Refused { message: error.to_string(), hint: Some(hint.into()) }
    }
}

/// Reads rows of these partitions.
pub async fn read(session: &JobSession, raw: &RawTable, wanted: &Wanted<'_>) -> Result<RawRows, ReadError> {
    let text = script(raw, wanted);
    let (batches, bytes) = copy(session, raw, &text).await?;
    let keys = KeyPlaces::new(wanted.keys.iter().map(Option::as_deref), raw.key().is_padded());
    let mut counted = vec![Counted::default(); wanted.keys.len()];
    let mut whole = Vec::with_capacity(batches.len());
    for batch in batches {
        let written = batch.column(raw.columns.len()).as_any().downcast_ref::<Int64Array>();
        let written = written.expect("the last column is a bigint");
        for (row, place) in keys.places(&batch, raw.key)?.into_iter().enumerate() {
            let counted = &mut counted[place.ok_or(ReadError::Stray)?];
            counted.rows += 1;
            counted.written += i128::from(written.value(row));
        }
        whole.push(without_last(&batch));
    }
    Ok(RawRows { batches: whole, counted, bytes })
}

async fn copy(
    session: &JobSession,
    raw: &RawTable,
    text: &str,
) -> Result<(Vec<RecordBatch>, u64), ReadError> {
    let what = format!("read {}", raw.table);
    let stream = session.watch.answer(&what, session.connection.copy_out(text)).await?;
    let mut stream = pin!(stream.ready_chunks(256));
    let columns = [raw.columns.as_slice(), &[PgColumn::beside(WRITTEN_BY)]].concat();
    let mut decoder = Decoder::new(&columns);
    let table = raw.table.to_string();
    let failed = |source| ReadError::Decode { table: table.clone(), source };
    while let Some(messages) =
        session.watch.answers(&what, async { Ok::<_, PgError>(stream.next().await) }).await?
    {
        for message in messages {
            let message = message.map_err(|error| postgres::classify(error, what.as_str()))?;
            decoder.take(&message).map_err(failed)?;
        }
    }
    let bytes = decoder.bytes;
    let batches = decoder.finish().map_err(failed)?;
    Ok((batches, bytes))
}

fn without_last(batch: &RecordBatch) -> RecordBatch {
    let columns: Vec<usize> = (0..batch.num_columns() - 1).collect();
    batch.project(&columns).expect("these columns are there")
}

/// The expressions to select: the columns (as text if their type has no counterpart), and the transaction that wrote the row.
pub fn expressions(raw: &RawTable) -> String {
    let column = |column: &PgColumn| {
        let name = sql::identifier(&column.name);
        match column.wire() {
            Wire::AsText => format!("{name}::text"),
            Wire::RowId => name,
            // The cast is needed because the server does not send a domain as its base type.
            _ => format!("{name}::{}", cast(column)),
        }
    };
    let columns = raw.columns.iter().map(column).chain([raw.written().to_owned()]);
    columns.collect::<Vec<_>>().join(", ")
}

fn cast(column: &PgColumn) -> String {
    match column.wire() {
        Wire::Decimal(digits, scale) => format!("numeric({digits}, {scale})"),
        _ => column.cast().to_owned(),
    }
}

fn script(raw: &RawTable, wanted: &Wanted<'_>) -> String {
    let (keys, with_null) = key_list(wanted.keys);
    let columns = expressions(raw);
    let pages = wanted.pages.map(|(first, end)| (first.to_string(), end.to_string()));
    let mut variables = vec![
        ("schema", raw.table.schema.as_str()),
        ("table", &raw.table.table),
        ("expressions", &columns),
        ("key", &raw.key().name),
        ("key_type", raw.key().cast()),
        ("keys", &keys),
        ("with_null", with_null),
        ("condition", &raw.condition),
    ];
    let limit = wanted.limit.map_or("all".to_owned(), |limit| limit.to_string());
    variables.push(("limit", &limit));
    match &pages {
        None => sql::render(sql::TRANSFORM_READ_BY_KEY, &variables),
        Some((first, end)) => {
            variables.extend([("first_page", first.as_str()), ("end_page", end)]);
            sql::render(sql::TRANSFORM_READ_BY_PAGES, &variables)
        }
    }
}

/// The keys as the text of a PostgreSQL array, and whether NULL is among them.
pub fn key_list(keys: &[Option<String>]) -> (String, &'static str) {
    let known: Vec<_> = keys.iter().flatten().collect();
    (sql::array_of(&known), if keys.contains(&None) { "true" } else { "false" })
}

/// Splits rows by partition; the result is in the order of the keys.
pub fn apart(
    batches: &[RecordBatch],
    keys: &[Option<String>],
    raw: &RawTable,
) -> Result<Vec<Vec<RecordBatch>>, ReadError> {
    if keys.len() == 1 {
        return Ok(vec![batches.to_vec()]);
    }
    let known = KeyPlaces::new(keys.iter().map(Option::as_deref), raw.key().is_padded());
    let mut apart = vec![Vec::new(); keys.len()];
    for batch in batches {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); keys.len()];
        for (row, place) in known.places(batch, raw.key)?.into_iter().enumerate() {
            rows[place.ok_or(ReadError::Stray)?].push(row as u32);
        }
        for (partition, rows) in apart.iter_mut().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
            let some = take_record_batch(batch, &UInt32Array::from(rows));
            partition.push(some.expect("the rows are of this batch"));
        }
    }
    Ok(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_an_array_whatever_they_hold() {
        let keys =
            [Some("a".into()), None, Some("b\"\\,{}".into()), Some(String::new()), Some("NULL".into())];
        assert_eq!(key_list(&keys), (r#"{"a","b\"\\,{}","","NULL"}"#.into(), "true"));
        assert_eq!(key_list(&[]), ("{}".into(), "false"));
    }
}
