//! Cleans the sample of a job and compares it with the truth. Both sides are stored in tables of a transaction that is rolled
//! back, so that the server converts them exactly as in a real run.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::SinkExt;

use super::clean::Cleaning;
use super::finish::{self, CleanTable};
use super::job::{Job, JobTest, TableName, Truth};
use super::look::{self, RawTable, missing_table};
use super::read::{self, Wanted};
use super::rows::{self, CleanColumns};
use super::session::JobSession;
use super::{plan, target};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::fields::meant;
use crate::sql;
use crate::words::counted;

/// The tolerance for comparing floats, relative to the larger one but never below this value itself.
const TOLERANCE: f64 = 1e-9;
/// The most differences that are kept in words.
const KEPT: usize = 20;

/// The result of a test.
#[derive(Clone, Debug, Default)]
pub struct Tested {
    pub rows: usize,
    pub truth_rows: usize,
    /// The first differences, in words.
    pub differences: Vec<String>,
    /// The number of all differences.
    pub count: usize,
}

/// The cells of a table as text.
struct TableCells {
    columns: Vec<String>,
    is_float: Vec<bool>,
    rows: Vec<Vec<Option<String>>>,
}

/// A result from inside a transaction that is always rolled back.
struct RolledBack(Result<Tested, Cause>);

impl From<PgError> for RolledBack {
    fn from(error: PgError) -> Self {
        Self(Err(error.into()))
    }
}

/// Cleans the sample and compares the result with the truth.
///
/// # Errors
/// The sample cannot be cleaned, one side lacks a column, or any database error. Nothing is changed in any case.
pub async fn test(
    session: &JobSession,
    job: &Job,
    test: &JobTest,
    open: impl FnOnce(&RawTable, &mut CleanColumns) -> Result<Cleaning, Cause>,
) -> Result<Tested, Cause> {
    let raw = RawTable::look(session, job, &test.source).await?;
    let partitions = plan::partitions(session, &raw, false).await?;
    let keys: Vec<_> = partitions.into_iter().map(|partition| partition.key).collect();
    let refused = |message: String| Cause::Refused {
        message,
        hint: Some("correct [clean] of the job or the script in [target] create, then test again".into()),
    };
    let found = read::read(session, &raw, &Wanted::all(&keys, None)).await?;
    let name = TableName {
        schema: job.target.table.schema.clone(),
        table: format!(
            "{}__test_{}",
            job.target.table.table.chars().take(40).collect::<String>(),
            std::process::id()
        ),
    };
    session
        .transaction("test the cleaning", async {
            let tested = async {
                target::make(session, job, &name).await?;
                let mut clean = target::columns(session, job, &name).await?;
                let mut cleaning = open(&raw, &mut clean)?;
                let together = job.clean.grouped;
                let cleaned = tokio::task::block_in_place(|| {
                    rows::clean(&mut cleaning, together, &clean, &raw, &keys, found.batches)
                });
                let cleaned =
                    cleaned.map_err(|error| refused(format!("the sample cannot be cleaned: {error}")))?;
                let table = CleanTable {
                    table: name.clone(),
                    key: clean.key.clone(),
                    is_in_place: false,
                    with_leftovers: false,
                };
                finish::write(session, &table, &cleaned, "write the sample")
                    .await
                    .map_err(|error| refused(format!("the clean table refuses the sample: {error}")))?;
                let truth = truth(session, test, &name, &clean).await?;
                let made = cells(session, &name, &truth.columns, &clean).await?;
                compare(&made, &truth, &test.key)
            };
            Err::<(), _>(RolledBack(tested.await))
        })
        .await
        .map_or_else(|RolledBack(tested)| tested, |()| unreachable!("it is always rolled back"))
}

async fn truth(
    session: &JobSession,
    test: &JobTest,
    version: &TableName,
    clean: &CleanColumns,
) -> Result<TableCells, Cause> {
    let path = match &test.truth {
        Truth::Table(table) => {
            if look::relation(session, table).await?.is_none() {
                return Err(missing_table(table));
            }
            let there = look::columns(session, table).await?;
            let columns: Vec<_> = there.into_iter().map(|(column, _)| column.name).collect();
            known(&columns, clean, &table.to_string())?;
            return cells(session, table, &columns, clean).await;
        }
        Truth::Csv(path) => path,
    };
    let shown = path.display().to_string();
    let text = std::fs::read(path).map_err(Cause::io(format!("read {shown}")))?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let header = reader.headers().map_err(|error| Cause::Refused {
        message: format!("{shown} has no header that can be read: {error}"),
        hint: Some("make it a CSV in UTF-8 whose first line names the columns".into()),
    })?;
    let header: Vec<_> = header.iter().map(str::to_owned).collect();
    known(&header, clean, &shown)?;
    let columns = sql::identifiers(header.iter().map(String::as_str));
    let variables = [("schema", version.schema.as_str()), ("table", &version.table), ("columns", &columns)];
    session.run("make a table for the truth", &sql::render(sql::TRANSFORM_TRUTH_TABLE, &variables)).await?;
    copy(session, &sql::render(sql::TRANSFORM_TRUTH_COPY, &variables[2..]), text.clone()).await?;
    let place = TableName { schema: "pg_temp".into(), table: "merganser_truth".into() };
    cells(session, &place, &header, clean).await
}

/// # Errors
/// The clean table does not have one of the columns.
fn known(columns: &[String], clean: &CleanColumns, whose: &str) -> Result<(), Cause> {
    let names: Vec<_> = clean.columns.iter().map(|column| column.name.as_str()).collect();
    match columns.iter().find(|column| !names.contains(&column.as_str())) {
        None => Ok(()),
        Some(column) => Err(Cause::Refused {
            message: format!("{whose} has a column `{column}`, which the clean table does not have"),
            hint: Some(meant(column, &names, "choose from its columns")),
        }),
    }
}

async fn copy(session: &JobSession, text: &str, bytes: Vec<u8>) -> Result<(), PgError> {
    let what = "take in the truth";
    let sink = session.watch.answer(what, session.connection.copy_in::<_, Bytes>(text)).await?;
    let mut sink = std::pin::pin!(sink);
    session.watch.answer(what, sink.send(bytes.into())).await?;
    session.watch.answer(what, sink.finish()).await.map(drop)
}

async fn cells(
    session: &JobSession,
    table: &TableName,
    columns: &[String],
    clean: &CleanColumns,
) -> Result<TableCells, Cause> {
    let texts = columns.iter().map(|name| format!("{}::text collate \"C\"", sql::identifier(name)));
    let texts = texts.collect::<Vec<_>>().join(", ");
    let variables = [("schema", table.schema.as_str()), ("table", &table.table), ("texts", &texts)];
    let rows =
        session.query(&format!("read {table}"), &sql::render(sql::TRANSFORM_CELLS, &variables)).await?;
    let row = |row: &tokio_postgres::Row| {
        (0..columns.len()).map(|at| row.try_get(at)).collect::<Result<Vec<Option<String>>, _>>()
    };
    let rows = rows.iter().map(row).collect::<Result<_, _>>().map_err(super::session::decode)?;
    let is_float = |name: &String| {
        let column = clean.columns.iter().find(|column| column.name == *name);
        column.is_some_and(|column| ["real", "double precision"].contains(&column.base.as_str()))
    };
    Ok(TableCells { columns: columns.to_vec(), is_float: columns.iter().map(is_float).collect(), rows })
}

/// Compares the rows: matched by the columns of `key`, or as a multiset.
fn compare(made: &TableCells, truth: &TableCells, key: &[String]) -> Result<Tested, Cause> {
    let mut tested = Tested { rows: made.rows.len(), truth_rows: truth.rows.len(), ..Tested::default() };
    let places = key
        .iter()
        .map(|name| {
            truth.columns.iter().position(|column| column == name).ok_or_else(|| Cause::Refused {
                message: format!("[test] key names `{name}`, which the truth does not have"),
                hint: Some(format!("choose from its columns: {}", truth.columns.join(", "))),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    match places.is_empty() {
        true => as_multiset(made, truth, &mut tested),
        false => by_key(made, truth, &places, &mut tested),
    }
    Ok(tested)
}

fn by_key(made: &TableCells, truth: &TableCells, places: &[usize], tested: &mut Tested) {
    let key = |row: &[Option<String>]| places.iter().map(|place| row[*place].clone()).collect::<Vec<_>>();
    let shown = |key: &[Option<String>]| {
        let cells: Vec<_> = key.iter().map(|cell| shown(cell.as_ref())).collect();
        cells.join(", ")
    };
    let mut known: HashMap<_, Vec<&Vec<Option<String>>>> = HashMap::new();
    for row in &made.rows {
        known.entry(key(row)).or_default().push(row);
    }
    for row in &truth.rows {
        let key = key(row);
        let found = known.get_mut(&key).and_then(Vec::pop);
        let Some(found) = found else {
            tested.differ(format!("{}: there is no such row", shown(&key)));
            continue;
        };
        for (place, column) in truth.columns.iter().enumerate() {
            if !same(found[place].as_deref(), row[place].as_deref(), truth.is_float[place]) {
                tested.differ(format!(
                    "{}: {column} is {}, and should be {}",
                    shown(&key),
                    self::shown(found[place].as_ref()),
                    self::shown(row[place].as_ref())
                ));
            }
        }
    }
    let mut left: Vec<_> = known.into_iter().filter(|(_, rows)| !rows.is_empty()).collect();
    left.sort();
    for (key, rows) in left {
        tested.differ(format!("{}: {} that should not be", shown(&key), counted(rows.len() as u64, "row")));
    }
}

fn as_multiset(made: &TableCells, truth: &TableCells, tested: &mut Tested) {
    let is_same = |a: &[Option<String>], b: &[Option<String>]| {
        a.iter()
            .zip(b)
            .zip(&truth.is_float)
            .all(|((a, b), is_float)| same(a.as_deref(), b.as_deref(), *is_float))
    };
    let row =
        |row: &[Option<String>]| row.iter().map(|cell| shown(cell.as_ref())).collect::<Vec<_>>().join(", ");
    // Identical rows are removed first; the few that remain are compared with tolerance.
    let mut counted: HashMap<&Vec<Option<String>>, usize> = HashMap::new();
    for row in &made.rows {
        *counted.entry(row).or_default() += 1;
    }
    let mut missing = Vec::new();
    for row in &truth.rows {
        match counted.get_mut(row).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => missing.push(row),
        }
    }
    let mut extra: Vec<_> = made
        .rows
        .iter()
        .filter(|row| counted.get_mut(row).filter(|count| **count > 0).map(|count| *count -= 1).is_some())
        .collect();
    for wanted in missing {
        match extra.iter().position(|other| is_same(other, wanted)) {
            Some(at) => {
                extra.remove(at);
            }
            None => tested.differ(format!("there is no row ({})", row(wanted))),
        }
    }
    for other in extra {
        tested.differ(format!("there is a row that should not be ({})", row(other)));
    }
}

fn same(a: Option<&str>, b: Option<&str>, is_float: bool) -> bool {
    if a == b {
        return true;
    }
    let number = |text: Option<&str>| text.filter(|_| is_float).and_then(|text| text.parse::<f64>().ok());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
        _ => false,
    }
}

fn shown(cell: Option<&String>) -> String {
    cell.map_or_else(|| "NULL".into(), |text| format!("`{text}`"))
}

impl Tested {
    fn differ(&mut self, words: String) {
        self.count += 1;
        if self.differences.len() < KEPT {
            self.differences.push(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[[Option<&str>; 2]]) -> TableCells {
        TableCells {
            columns: vec!["k".into(), "v".into()],
            is_float: vec![false, true],
            rows: rows.iter().map(|row| row.map(|cell| cell.map(str::to_owned)).to_vec()).collect(),
        }
    }

    fn differences(made: &[[Option<&str>; 2]], truth: &[[Option<&str>; 2]], key: &[&str]) -> Vec<String> {
        let key: Vec<_> = key.iter().map(|name| (*name).to_owned()).collect();
        compare(&cells(made), &cells(truth), &key).unwrap().differences
    }

    #[test]
    fn floats_may_differ_a_little_and_null_is_no_text() {
        let truth = [[Some("a"), Some("1")], [Some("b"), None], [None, Some("NaN")]];
        let made = [[None, Some("NaN")], [Some("a"), Some("1.0000000001")], [Some("b"), None]];
        assert!(differences(&made, &truth, &[]).is_empty() && differences(&made, &truth, &["k"]).is_empty());
        let made = [[Some("a"), Some("1.1")], [Some("b"), Some("")], [None, Some("NaN")]];
        let by_key = differences(&made, &truth, &["k"]);
        assert_eq!(by_key, ["`a`: v is `1.1`, and should be `1`", "`b`: v is ``, and should be NULL"]);
        assert_eq!(differences(&made, &truth, &[]).len(), 4);
    }

    #[test]
    fn rows_count_as_often_as_they_are_there() {
        let one = [[Some("a"), Some("1")]];
        let two = [[Some("a"), Some("1")], [Some("a"), Some("1")]];
        assert_eq!(differences(&one, &two, &[]), ["there is no row (`a`, `1`)"]);
        assert_eq!(differences(&two, &one, &[]), ["there is a row that should not be (`a`, `1`)"]);
        assert_eq!(differences(&two, &one, &["k"]), ["`a`: 1 row that should not be"]);
    }
}
