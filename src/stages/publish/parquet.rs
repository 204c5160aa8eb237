//! Converts a CSV to Parquet with typed columns, using DuckDB.

use std::path::{Path, PathBuf};

use tokio::sync::Mutex;
use tokio_postgres::Transaction;

use super::plan;
use crate::clients::duckdb::{DuckError, DuckLimits, Staging};
use crate::clients::postgres::{self, Watch};
use crate::dataset::{Column, ColumnType, PublishedForm, PublishedTable};
use crate::error::Cause;
use crate::run::context::Context;
use crate::sql;
use crate::system::background::blocking;
use crate::system::workspace::Workspace;
use crate::words;

/// The most digits of a decimal number.
const DIGITS: i32 = 38;
/// A number of up to this many digits fits into eight bytes.
const SMALL: i32 = 18;
/// The length of a line, in bytes, that DuckDB always accepts.
const LINE: u64 = 2 << 20;

/// The columns of a table, with the expressions that convert their texts.
#[derive(Clone, Debug)]
pub(super) struct Typed(Vec<(&'static str, String)>);

/// The types of a table's columns: those of the dataset, with as many digits as the numbers have. A column with a number that no
/// decimal type takes is published as text, so that no other file waits until somebody corrects the number.
///
/// # Errors
/// What the database answers.
pub(super) async fn typed(
    context: &Context,
    snapshot: &Transaction<'_>,
    watch: &Watch,
    table: &PublishedTable,
) -> Result<Typed, Cause> {
    let mut typed = Vec::new();
    for column in plan::columns(context, table) {
        let name = sql::identifier(column.name);
        let expression = match column.kind {
            ColumnType::Text => name,
            ColumnType::TextArray => format!("array_elements({name})"),
            ColumnType::Date => format!("{name}::date"),
            ColumnType::Timestamp => format!("{name}::timestamp"),
            ColumnType::Int => format!("{name}::integer"),
            ColumnType::BigInt => format!("{name}::bigint"),
            ColumnType::Boolean => format!("{name}::boolean"),
            ColumnType::Real => format!("{name}::real"),
            ColumnType::Numeric => match digits(context, snapshot, watch, table, column).await? {
                Some((digits, scale)) => format!("{name}::decimal({digits}, {scale})"),
                None => name,
            },
        };
        typed.push((column.name, expression));
    }
    Ok(Typed(typed))
}

/// How many digits the numbers of a column have, and how many of them are after the decimal point; `None`, with a warning: no
/// decimal type takes all of them.
async fn digits(
    context: &Context,
    snapshot: &Transaction<'_>,
    watch: &Watch,
    table: &PublishedTable,
    column: &Column,
) -> Result<Option<(i32, i32)>, Cause> {
    let operation = format!("look at the numbers of {}", table.table);
    let schema = context.target.database.schema.as_str();
    let variables = [("schema", schema), ("table", table.table), ("column", column.name)];
    let query = sql::render(sql::PUBLISH_DIGITS, &variables);
    let row = watch.answer(&operation, snapshot.query_one(&query, &[])).await?;
    let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let (whole, scale, odd): (i32, i32, bool) = read().map_err(|e| postgres::classify(e, &*operation))?;
    if odd || whole + scale > DIGITS {
        let why = match odd {
            true => "infinite numbers or NaN".to_owned(),
            false => format!("numbers of {} digits, {scale} of them behind the point", whole + scale),
        };
        tracing::warn!(
            run_id = %context.run_id,
            "{}.{} holds {why}: no decimal type of Parquet takes them, so the column is published as text in Parquet \
             until they are put right",
            table.table, column.name
        );
        return Ok(None);
    }
    Ok(Some((if whole + scale > SMALL { DIGITS } else { SMALL }, scale)))
}

/// The folder in which Parquet is made; removed when this is dropped.
pub(super) struct Workshop {
    folder: Workspace,
    limits: DuckLimits,
    /// The memory suffices for one at a time.
    bench: Mutex<()>,
}

impl Workshop {
    /// Opens it, if Parquet is wanted.
    pub(super) fn open(context: &Context) -> Result<Option<Self>, Cause> {
        let publishing = &context.target.publishing;
        if !publishing.wants(PublishedForm::Parquet) {
            return Ok(None);
        }
        let folder = Workspace::create(&publishing.work_dir)?;
        Ok(Some(Self { folder, limits: publishing.duckdb, bench: Mutex::default() }))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the Parquet of a CSV with `rows` rows, beside it; removes the CSV.
    pub(super) async fn make(&self, typed: Typed, csv: PathBuf, rows: u64) -> Result<PathBuf, Cause> {
        let _one = self.bench.lock().await;
        let limits = self.limits;
        let made = blocking(move || {
            let parquet = csv.with_extension(PublishedForm::Parquet.name());
            let counted = convert(&csv, &parquet, &typed, limits)?;
            std::fs::remove_file(&csv).map_err(Cause::io(format!("remove {}", csv.display())))?;
            Ok::<_, Cause>((parquet, counted))
        });
        let (parquet, counted) = made.await??;
        if counted != rows {
            let name = parquet.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(Cause::Refused {
                message: format!(
                    "{name} has {} of the CSV's {rows}: it is not published",
                    words::counted(counted, "row")
                ),
                hint: Some("leave parquet out of --publish (MERGANSER_PUBLISH), and report it".into()),
            });
        }
        Ok(parquet)
    }
}

/// Converts a CSV; returns the number of rows of the Parquet.
fn convert(csv: &Path, parquet: &Path, Typed(typed): &Typed, limits: DuckLimits) -> Result<u64, Cause> {
    let (csv_path, parquet_path) = (csv.to_string_lossy(), parquet.to_string_lossy());
    let texts: Vec<_> = typed.iter().map(|(name, _)| format!("{}: 'varchar'", sql::literal(name))).collect();
    let casts: Vec<_> =
        typed.iter().map(|(name, cast)| format!("{cast} as {}", sql::identifier(name))).collect();
    let longest = longest_line(csv).map_err(Cause::io(format!("read {}", csv.display())))?;
    let variables = [
        ("csv", &*csv_path),
        ("parquet", &*parquet_path),
        ("texts", &format!("{{{}}}", texts.join(", "))),
        ("casts", &casts.join(", ")),
        ("longest", &(longest.max(LINE)).to_string()),
    ];
    let operation = format!("write {parquet_path}");
    let store = Staging::create(parquet.parent().unwrap_or(Path::new(".")), limits)?;
    store.execute(&operation, sql::PUBLISH_ARRAY_ELEMENTS, &[])?;
    store.execute(&operation, sql::PUBLISH_PARQUET, &variables)?;
    let count = sql::render(sql::PUBLISH_COUNT, &variables);
    let counted: Result<Vec<u64>, DuckError> = store.query(&operation, &count, |row| row.get(0));
    Ok(counted?.into_iter().sum())
}

/// The length of the longest row in bytes, including quoted line breaks, as the longest distance between two ends of
/// rows.
fn longest_line(csv: &Path) -> std::io::Result<u64> {
    use std::io::Read;
    let (mut file, mut buffer) = (std::fs::File::open(csv)?, vec![0; 1 << 20]);
    let (mut longest, mut length, mut quoted) = (0_u64, 0_u64, false);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(longest.max(length));
        }
        let mut from = 0;
        for at in memchr::memchr2_iter(b'"', b'\n', &buffer[..n]) {
            // A doubled quote closes and opens again, so toggling is right.
            if buffer[at] == b'"' {
                quoted = !quoted;
            } else if !quoted {
                longest = longest.max(length + (at + 1 - from) as u64);
                (length, from) = (0, at + 1);
            }
        }
        length += (n - from) as u64;
    }
}
