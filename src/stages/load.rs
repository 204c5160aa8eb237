//! Load: copies the CSVs into unlogged staging tables over a few connections at once, either through them or by having
//! the database read from the store itself.
//!
//! In: [`Uploaded`]. Out: [`Loaded`]. A failure leaves production unchanged. The staging tables are dropped when the
//! run has committed, or at the latest when the next one begins.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::export::Csv;
use super::fetch::{Fetched, FetchedFile};
use super::upload::Uploaded;
use crate::clients::postgres::aws_s3::{self, AwsS3Error, Columns};
use crate::clients::postgres::{self, Connection};
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::run::aws_s3::{AwsS3, Direction};
use crate::run::context::Context;
use crate::words;
use crate::{fault, schema, sql};

const CONNECTIONS: usize = 2;
/// How long to wait for somebody who reads a staging table.
const LOCK_TIMEOUT: &str = "30s";
/// The same where nothing depends on it.
const SHORT_LOCK_TIMEOUT: &str = "5s";
/// How many bytes go to the server in one message.
const CHUNK: usize = 256 << 10;
/// Columns of the staging table that has one row for each good record.
const RECORDS_COLUMNS: [&str; 9] = [
    "record_id",
    "part_id",
    "as_of",
    "order_key",
    "ordinal",
    "offset_bytes",
    "is_delete",
    "has_data",
    "is_winner",
];

/// A batch in the staging tables.
#[derive(Debug)]
pub struct Loaded {
    /// The files on the local disk, which are needed again if the database refuses one of their records.
    fetched: Fetched,
    /// The rows of each staging table.
    rows: Vec<(String, u64)>,
}

impl Loaded {
    /// The number of the batch.
    pub(super) fn batch(&self) -> i32 {
        self.fetched.batch()
    }

    /// The files that the rows come from.
    pub(super) fn files(&self) -> &[FetchedFile] {
        self.fetched.files()
    }

    /// How many rows each staging table got.
    pub(super) fn rows(&self) -> &[(String, u64)] {
        &self.rows
    }

    /// The files, and the number of rows of each staging table.
    pub(super) fn into_parts(self) -> (Fetched, Vec<(String, u64)>) {
        (self.fetched, self.rows)
    }
}

/// Makes new staging tables and copies every CSV into its table.
pub async fn load(context: &Context, uploaded: Uploaded) -> Result<Loaded, Cause> {
    let step = context.begin(uploaded.batch(), "load").await?;
    fault::point!("load.begin");
    let (fetched, mut csvs) = uploaded.into_parts();
    make_tables(context).await?;
    fault::point!("load.tables");
    csvs.sort_by_key(|csv| csv.size_bytes);
    let bytes = csvs.iter().map(|csv| csv.size_bytes).sum();
    let queue: Mutex<VecDeque<Csv>> = Mutex::new(csvs.into());
    let workers = (0..CONNECTIONS).map(|_| load_all(context, fetched.batch(), &queue));
    let loaded = futures_util::future::try_join_all(workers).await?;
    let imported: usize = loaded.iter().map(|(_, imported)| imported).sum();
    let by_table: Vec<_> = loaded.into_iter().flat_map(|(tables, _)| tables).collect();
    let rows = by_table.iter().map(|(_, rows)| rows).sum();
    let (how, via) = match imported {
        0 => ("", "copy"),
        _ => (", by the database itself", "aws_s3"),
    };
    let what = format!("{} rows{how}", words::count(rows));
    step.done(&what, rows, bytes, json!({ "via": via, "imported_csvs": imported })).await?;
    fault::point!("load.end");
    Ok(Loaded { fetched, rows: by_table })
}

/// Drops the staging tables of the dataset; for the end of a failed run, and the start of every load.
pub async fn drop_tables(context: &Context, connection: &Connection) -> Result<(), Cause> {
    drop_tables_within(context, connection, LOCK_TIMEOUT).await
}

/// Drops the staging tables once their content is committed, or when a run begins, because they hold data that nobody
/// else may read. Never fails; a table that cannot be dropped now is dropped before the next load.
pub async fn clear(context: &Context) {
    let dropped = async {
        let connection = postgres::connect(&context.database, "clear up").await?;
        drop_tables_within(context, &connection, SHORT_LOCK_TIMEOUT).await
    };
    if let Err(error) = dropped.await {
        let private = context.dataset().private.map(|what| format!(", and hold {what}")).unwrap_or_default();
        tracing::warn!(
            run_id = %context.run_id,
            "the staging tables in {} could not be removed{private}: {error}; the next run removes them",
            context.target.database.staging_schema
        );
    }
}

/// Analyzes tables that have changed a lot, and the ledger's largest: the next batch, or a reader, comes before
/// autovacuum would do it. Not inside a promotion, whose locks last to its end. Never fails: nothing depends on it.
pub async fn analyze(context: &Context, tables: &[String]) {
    if tables.is_empty() {
        return;
    }
    let database = &context.target.database;
    let production = tables.iter().map(|table| (database.schema.as_str(), table.as_str()));
    let analyzed = async {
        let connection = postgres::connect(&context.database, "analyze").await?;
        let limit = format!("set lock_timeout = '{SHORT_LOCK_TIMEOUT}'");
        run(&connection, "analyze", &limit).await?;
        for (schema, table) in production.chain([(database.ledger_schema.as_str(), "record_origins")]) {
            let script = sql::render(sql::LOAD_ANALYZE, &[("schema", schema), ("table", table)]);
            run(&connection, &format!("analyze {table}"), &script).await?;
        }
        Ok::<_, Cause>(())
    };
    if let Err(error) = analyzed.await {
        tracing::debug!(run_id = %context.run_id, "the planner's statistics could not be updated: {error}");
    }
}

async fn drop_tables_within(
    context: &Context,
    connection: &Connection,
    lock_timeout: &str,
) -> Result<(), Cause> {
    let dataset = context.dataset();
    let mut script = format!("set lock_timeout = '{lock_timeout}';");
    for table in dataset.table_names().map(str::to_owned).chain([dataset.records_table()]) {
        script += &sql::render(sql::LOAD_DROP, &variables(context, &table));
    }
    run(connection, "drop the staging tables", &script).await
}

async fn make_tables(context: &Context) -> Result<(), Cause> {
    let connection = postgres::connect(&context.database, "load").await?;
    let dataset = context.dataset();
    drop_tables(context, &connection).await?;
    let records = dataset.records_table();
    let tables = dataset.scripts.staging.unwrap_or(dataset.scripts.tables);
    let mut script = sql::render(tables, &[("schema", &context.target.database.staging_schema)]);
    for derived in dataset.derived_tables() {
        let staging = &context.target.database.staging_schema;
        script += &schema::definition(derived, staging, staging);
    }
    for table in dataset.table_names() {
        script += &sql::render(sql::LOAD_UNLOGGED, &variables(context, table));
    }
    script += &sql::render(sql::LOAD_RECORDS_TABLE, &variables(context, &records));
    run(&connection, "make the staging tables", &script).await
}

fn variables<'a>(context: &'a Context, table: &'a str) -> [(&'a str, &'a str); 2] {
    [("staging", &context.target.database.staging_schema), ("table", table)]
}

async fn run(connection: &Connection, operation: &str, script: &str) -> Result<(), Cause> {
    Ok(connection.watch().answer(operation, connection.batch_execute(script)).await?)
}

/// One worker: takes the largest remaining CSV until none is left. Returns the rows of its tables, and the number of
/// CSVs that the database read from the store itself.
async fn load_all(
    context: &Context,
    batch: i32,
    queue: &Mutex<VecDeque<Csv>>,
) -> Result<(Vec<(String, u64)>, usize), Cause> {
    let mut connection = postgres::connect(&context.database, "load").await?;
    // A dry run uploads nothing that the database could read.
    let aws_s3 = context.aws_s3.as_ref().filter(|_| !context.target.dry_run);
    let (mut tables, mut imported) = (Vec::new(), 0);
    loop {
        let next = queue.lock().expect("no worker panics with the queue").pop_back();
        let Some(csv) = next else { return Ok((tables, imported)) };
        let rows = match import(context, aws_s3, &mut connection, batch, &csv).await? {
            Some(rows) => {
                imported += 1;
                rows
            }
            None => copy(context, &connection, &csv).await?,
        };
        let analyze = sql::render(sql::LOAD_ANALYZE_STAGED, &variables(context, &csv.table));
        run(&connection, &format!("load {}", csv.table), &analyze).await?;
        tables.push((csv.table, rows));
        fault::point!("load.table");
    }
}

/// Has the database read the CSV from the store; `None`: the table is still empty, and the caller copies.
async fn import(
    context: &Context,
    aws_s3: Option<&AwsS3>,
    connection: &mut Connection,
    batch: i32,
    csv: &Csv,
) -> Result<Option<u64>, Cause> {
    let Some(aws_s3) = aws_s3.filter(|aws_s3| aws_s3.works(Direction::Import)) else { return Ok(None) };
    let key = context.staging_csv(batch, &csv.table);
    let Some(from) = context.store.s3_location(&key) else { return Ok(None) };
    let operation = format!("load {} from {}", csv.table, context.store.url().object(&key));
    let failed = |e| AwsS3Error::Other(postgres::classify(e, operation.as_str()));
    let names = columns(context.dataset(), &csv.table);
    let schema = &context.target.database.staging_schema;
    let into = Columns { schema, table: &csv.table, names: Some(&names) };
    let doing = context.report.doing("load", Vec::new());
    let watch = connection.watch().showing(doing.shower());
    let imported = async {
        let transaction = connection.transaction().await.map_err(failed)?;
        let rows = aws_s3::import(&transaction, into, &from, &operation).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(rows)
    };
    match watch.answers(&operation, imported).await {
        Ok(rows) => Ok(Some(rows)),
        Err(error) => aws_s3.give_up(Direction::Import, error).map(|()| None),
    }
}

async fn copy(context: &Context, connection: &Connection, csv: &Csv) -> Result<u64, Cause> {
    let operation = format!("load {}", csv.table);
    let watch = connection.watch();
    let unread = || Cause::io(format!("read {}.csv", csv.table));
    let staging = &context.target.database.staging_schema;
    let columns = sql::identifiers(columns(context.dataset(), &csv.table));
    let statement =
        sql::render(sql::LOAD_COPY, &[("staging", staging), ("table", &csv.table), ("columns", &columns)]);
    let bar = context.report.bytes_bar(&operation, csv.size_bytes);
    let mut file = tokio::fs::File::open(&csv.path).await.map_err(unread())?;
    let sink = watch.answer(&operation, connection.copy_in::<_, Bytes>(&statement)).await?;
    let mut sink = std::pin::pin!(sink);
    loop {
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
        if file.read_buf(&mut chunk).await.map_err(unread())? == 0 {
            break;
        }
        bar.inc(chunk.len() as u64);
        watch.answer(&operation, sink.send(chunk.freeze())).await?;
        fault::point!("load.mid_copy");
    }
    let rows = watch.answer(&operation, sink.finish()).await?;
    bar.finish_and_clear();
    Ok(rows)
}

/// The columns of a CSV, in their order.
fn columns(dataset: &Dataset, table: &str) -> Vec<&'static str> {
    match dataset.own_tables().find(|known| known.name == table) {
        Some(table) => table.columns.iter().map(|column| column.name).collect(),
        None => RECORDS_COLUMNS.into(),
    }
}
