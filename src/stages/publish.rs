//! Publish: the public CSVs (and the private one), all from one consistent snapshot of the database.
//!
//! In: the database as it is after the promotions. Out: [`Published`]. A failure leaves the database committed
//! and some objects old; `public/manifest.json`, written last, still describes the older set, and the
//! next run publishes again.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use super::Context;
use crate::clients::postgres;
use crate::dataset::PublishedColumns;
use crate::error::Cause;
use crate::{report, sql};

/// Bytes that are collected before they go to the store.
const CHUNK: usize = 1 << 20;

/// What was published.
#[derive(Debug)]
pub struct Published {
    objects: usize,
    newest: Option<String>,
}

impl Published {
    /// How many CSVs.
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// The newest run date, as in `public/last-updated-date.txt`.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

/// One published object, as the manifest names it.
struct Object {
    key: &'static str,
    rows: u64,
    size_bytes: u64,
    sha256: String,
}

/// Streams every published table into the store, then the date, the badge and the manifest.
pub async fn publish(context: &Context) -> Result<Published, Cause> {
    let step = context.begin(0, "publish").await?;
    let mut connection = postgres::connect(&context.database, "publish").await?;
    let snapshot = connection
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|e| postgres::classify(e, "open a snapshot"))?;
    let mut objects = Vec::new();
    for published in context.dataset().published {
        let statement = statement(context, published.table, published.columns);
        objects.push(copy(context, &snapshot, published.object, &statement).await?);
    }
    let newest = newest(context, &snapshot).await?;
    snapshot.rollback().await.map_err(|e| postgres::classify(e, "close the snapshot"))?;
    if let Some(newest) = &newest {
        context.store.upload_bytes("public/last-updated-date.txt", newest.clone().into()).await?;
        context.store.upload_bytes("public/last-updated-shield.svg", shield(newest).into()).await?;
    }
    let manifest = manifest(context, newest.as_deref(), &objects);
    context.store.upload_bytes("public/manifest.json", format!("{manifest:#}\n").into()).await?;

    let rows = objects.iter().map(|object| object.rows).sum();
    let bytes = objects.iter().map(|object| object.size_bytes).sum();
    let what = format!("{} CSVs, {} to {}", objects.len(), report::size(bytes), context.config.store);
    step.done(&what, rows, bytes, json!({ "newest": newest })).await?;
    Ok(Published { objects: objects.len(), newest })
}

fn statement(context: &Context, table: &str, columns: PublishedColumns) -> String {
    let dataset = context.dataset();
    let named = || {
        let mut tables = dataset.tables.iter().chain(dataset.kept);
        let table =
            tables.find(|known| known.name == table).expect("a published table is one of the dataset");
        table.columns.iter().map(|column| column.name).collect::<Vec<_>>()
    };
    let (script, names) = match columns {
        PublishedColumns::Named => (sql::PUBLISH_COPY, named()),
        PublishedColumns::Only(names) => (sql::PUBLISH_COPY, names.to_vec()),
        PublishedColumns::All => (sql::PUBLISH_COPY_ALL, Vec::new()),
    };
    let columns = names.into_iter().map(sql::identifier).collect::<Vec<_>>().join(", ");
    let schema = &context.config.database.schema;
    sql::render(script, &[("schema", schema), ("table", table), ("columns", &columns)])
}

async fn copy(
    context: &Context,
    snapshot: &Transaction<'_>,
    key: &'static str,
    statement: &str,
) -> Result<Object, Cause> {
    let failed = |e| postgres::classify(e, format!("publish {key}"));
    let bar = context.report.bytes_bar(key, 0);
    let mut writer = context.store.writer(key).await?;
    let stream = snapshot.copy_out(statement).await.map_err(failed)?;
    let mut stream = std::pin::pin!(stream);
    let (mut lines, mut chunk) = (0_u64, BytesMut::with_capacity(CHUNK + (CHUNK >> 2)));
    while let Some(line) = stream.next().await {
        // The server sends one message a row, the header included.
        let line: Bytes = line.map_err(failed)?;
        lines += 1;
        chunk.extend_from_slice(&line);
        if chunk.len() >= CHUNK {
            bar.inc(chunk.len() as u64);
            writer.write(chunk.split().freeze()).await?;
        }
    }
    writer.write(chunk.freeze()).await?;
    let written = writer.finish().await?;
    bar.finish_and_clear();
    Ok(Object { key, rows: lines.saturating_sub(1), size_bytes: written.size_bytes, sha256: written.sha256 })
}

async fn newest(context: &Context, snapshot: &Transaction<'_>) -> Result<Option<String>, Cause> {
    let failed = |e| postgres::classify(e, "read the newest run date");
    let database = &context.config.database;
    let variables = [("schema", database.schema.as_str()), ("ledger", &database.ledger_schema)];
    let query = sql::render(context.dataset().scripts.newest, &variables);
    let row = snapshot.query_one(&query, &[]).await.map_err(failed)?;
    Ok(row.try_get(0).map_err(failed)?)
}

/// What a reader needs to tell a consistent set of files: it names only public ones.
fn manifest(context: &Context, newest: Option<&str>, objects: &[Object]) -> Value {
    let files = objects.iter().filter_map(|object| {
        let name = object.key.strip_prefix("public/")?;
        Some(json!({
            "name": name,
            "rows": object.rows,
            "size_bytes": object.size_bytes,
            "sha256": object.sha256,
        }))
    });
    json!({
        "dataset": context.dataset().name,
        "run_id": context.run_id,
        "newest_run_date": newest,
        "published_at": Timestamp::now().to_string(),
        "files": files.collect::<Vec<_>>(),
    })
}

/// A badge that says when the data was last updated.
fn shield(date: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="164" height="20" role="img" aria-label="last updated: {date}">
  <title>last updated: {date}</title>
  <rect width="86" height="20" rx="3" fill="#555"/>
  <rect x="82" width="82" height="20" rx="3" fill="#2a7ab0"/>
  <rect x="82" width="6" height="20" fill="#2a7ab0"/>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
    <text x="42" y="14">last updated</text>
    <text x="125" y="14">{date}</text>
  </g>
</svg>
"##
    )
}
