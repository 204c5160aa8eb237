//! Publish: the public CSVs (and the private one), all from one consistent snapshot of the database.
//!
//! In: the database as it is after the promotions. Out: [`Published`]. A failure leaves the database committed
//! and some objects old; `public/manifest.json`, written last, still describes the older set, and the
//! next run publishes again.
//!
//! A database that writes to the store itself writes into the run's own private folder. From there S3 copies the
//! objects to their places when all of them are whole: so they get the headers and the encryption of everything else
//! (what the database writes is encrypted with a key that the public has not), and the database's role needs no
//! right on a public path.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::BytesMut;
use futures_util::stream::TryReadyChunksError;
use futures_util::{TryFutureExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::{IsolationLevel, Transaction};

use crate::clients::postgres::aws_s3::{self, Columns};
use crate::clients::postgres::{self, PgError, Watch};
use crate::dataset::{PublishedColumns, PublishedTable, Reach};
use crate::error::Cause;
use crate::run::aws_s3::Direction;
use crate::run::context::Context;
use crate::words;
use crate::{fault, schema, sql};

/// Bytes that are collected before they go to the store.
const CHUNK: usize = 1 << 20;
/// Rows that are taken from the connection in one go; it waits for none of them.
const MESSAGES: usize = 256;
/// S3 copies no larger object at once.
const S3_COPY_BYTES_MAX: u64 = 5 << 30;

/// What the tables, the views and their columns are: an object beside the CSVs of the tables.
const DICTIONARY: PublishedTable = PublishedTable {
    name: "data-dictionary.csv",
    reach: Reach::Public,
    table: "",
    columns: PublishedColumns::All,
};

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
    csv: &'static PublishedTable,
    key: String,
    rows: u64,
    size_bytes: u64,
    /// Of all public ones in the end.
    sha256: Option<String>,
    /// Where the database has put it; its place is still to be taken.
    exported: Option<String>,
}

/// Streams every published table into the store, then the date, the badge and the manifest.
pub async fn publish(context: &Context) -> Result<Published, Cause> {
    let step = context.begin(0, "publish").await?;
    fault::point!("publish.begin");
    let written = write(context).await;
    if context.aws_s3.is_some() {
        remove_exports(context).await;
    }
    let (objects, newest) = written?;
    context.ledger.confirm().await?;
    if let Some(newest) = &newest {
        let objects = context.objects();
        context.store.upload_bytes(&objects.public("last-updated-date.txt"), newest.clone().into()).await?;
        context.store.upload_bytes(&objects.public("last-updated-shield.svg"), shield(newest).into()).await?;
    }
    fault::point!("publish.before_manifest");
    context.ledger.confirm().await?;
    let manifest = manifest(context, newest.as_deref(), &objects);
    context
        .store
        .upload_bytes(&context.objects().public("manifest.json"), format!("{manifest:#}\n").into())
        .await?;
    fault::point!("publish.after_manifest");

    // A view has no rows of its own that anybody could write.
    let tables: HashSet<_> = context.dataset().table_names().collect();
    let counted = objects.iter().filter(|object| tables.contains(object.csv.table));
    let counted: BTreeMap<_, _> = counted.map(|object| (object.csv.table, object.rows)).collect();
    warn_of_others(context, &counted).await?;
    let rows = objects.iter().map(|object| object.rows).sum();
    let bytes = objects.iter().map(|object| object.size_bytes).sum();
    let exported = objects.iter().filter(|object| object.exported.is_some()).count();
    let (how, via) = match exported {
        0 => ("", "copy"),
        _ => (", by the database itself", "aws_s3"),
    };
    let what = format!("{} CSVs, {} to {}{how}", objects.len(), words::size(bytes), context.target.store);
    // Every row was read: the ledger reckons from these numbers on.
    let details = json!({ "newest": newest, "via": via, "exported_csvs": exported, "rows": counted });
    step.done(&what, rows, bytes, details).await?;
    fault::point!("publish.end");
    Ok(Published { objects: objects.len(), newest })
}

/// Writes the CSVs; gives them and the newest run date.
async fn write(context: &Context) -> Result<(Vec<Object>, Option<String>), Cause> {
    let mut connection = postgres::connect(&context.database, "publish").await?;
    let watch = connection.watch();
    let begun = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let mut snapshot = watch.answer("open a snapshot", begun.start()).await?;
    let ready = schema::ready(&snapshot, context.dataset(), &context.target.database.schema);
    let ready = watch.answers("look at what is derived of the tables", ready).await?;
    // Amazon does not say that its function works in a transaction that only reads.
    if context.aws_s3.is_none() {
        watch.answer("open a snapshot", snapshot.batch_execute(sql::PUBLISH_READ_ONLY)).await?;
    }
    watch.answer("open a snapshot", snapshot.batch_execute(sql::PUBLISH_ORDER)).await?;
    let parted = watch.answers("look at the tables", parted(context, &snapshot)).await?;
    let mut objects = Vec::new();
    for csv in context.dataset().published {
        if is_derived(context, csv.table) && !ready.contains(csv.table) {
            tracing::warn!(
                run_id = %context.run_id,
                "{} is not published: {} is not there yet, or not as this program makes it; the next promotion makes it",
                context.objects().published(csv),
                csv.table
            );
            empty(context, csv).await?;
            continue;
        }
        // One that lost the lock while it stood still must not put old objects over those of another run.
        context.ledger.confirm().await?;
        objects.push(match export(context, &mut snapshot, &watch, csv).await? {
            Some(object) => object,
            None => copy(context, &snapshot, &watch, csv, &statement(context, csv, &parted)).await?,
        });
        fault::point!("publish.object");
    }
    if !context.dataset().dictionary.is_empty() {
        let said = context.dataset().said().to_string();
        let variables = [("schema", context.target.database.schema.as_str()), ("dictionary", &said)];
        let statement = sql::render(sql::PUBLISH_DICTIONARY, &variables);
        objects.push(copy(context, &snapshot, &watch, &DICTIONARY, &statement).await?);
    }
    let newest = watch.answers("read the newest run date", newest(context, &snapshot)).await?;
    watch.answer("close the snapshot", snapshot.rollback()).await?;
    put_into_place(context, &mut objects).await?;
    Ok((objects, newest))
}

/// Takes the rows out of a published object that is not written anew: what is sealed since would stay in it.
async fn empty(context: &Context, csv: &PublishedTable) -> Result<(), Cause> {
    let key = context.objects().published(csv);
    // Who may not list a bucket is not told whether it is there.
    if matches!(context.store.head(&key).await, Ok(None)) {
        return Ok(());
    }
    context.ledger.confirm().await?;
    let derived = context.dataset().derived.iter().find(|derived| derived.table.name == csv.table);
    let columns = derived.map_or(&[][..], |derived| derived.table.columns);
    let header: Vec<_> = columns.iter().map(|column| column.name).collect();
    context.store.upload_bytes(&key, (header.join(",") + "\n").into()).await?;
    tracing::warn!(run_id = %context.run_id, "{key} has no rows until then: what was in it may be sealed by now");
    Ok(())
}

fn is_derived(context: &Context, name: &str) -> bool {
    context.dataset().derived.iter().any(|derived| derived.table.name == name)
}

/// Says which tables hold another number of rows than the ledger remembers: somebody else wrote to them.
async fn warn_of_others(context: &Context, counted: &BTreeMap<&str, u64>) -> Result<(), Cause> {
    let remembered = context.ledger.remembered_rows().await?;
    for (table, found) in counted {
        let Some(expected) = remembered.get(*table).filter(|expected| **expected as u64 != *found) else {
            continue;
        };
        tracing::warn!(
            run_id = %context.run_id,
            table,
            rows = found,
            rows_remembered = expected,
            "{table} has {} row(s), and the ledger reckoned with {}: somebody else wrote to it; from now on the ledger \
             reckons with what is there",
            words::count(*found),
            words::count(*expected as u64)
        );
    }
    Ok(())
}

/// The columns of a CSV; `None`: all that the table has.
fn names(context: &Context, csv: &PublishedTable) -> Option<Vec<&'static str>> {
    let dataset = context.dataset();
    match csv.columns {
        PublishedColumns::Named => {
            let derived = dataset.derived.iter().map(|derived| &derived.table);
            let table = dataset.own_tables().chain(derived).find(|known| known.name == csv.table);
            let table = table.expect("a published table is one of the dataset");
            Some(table.columns.iter().map(|column| column.name).collect())
        }
        PublishedColumns::Only(names) => Some(names.to_vec()),
        PublishedColumns::All => None,
    }
}

/// Tables with their rows in others, and the columns of each, as a list of identifiers.
async fn parted(context: &Context, snapshot: &Transaction<'_>) -> Result<HashMap<String, String>, PgError> {
    let failed = |e| postgres::classify(e, "look at the tables");
    let names: Vec<_> = context.dataset().table_names().collect();
    let schema = &context.target.database.schema;
    let rows = snapshot.query(sql::PUBLISH_PARTS, &[schema, &names]).await.map_err(failed)?;
    let rows = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Plain COPY is faster; a query is only for what it cannot take whole.
fn statement(context: &Context, csv: &PublishedTable, parted: &HashMap<String, String>) -> String {
    let schema = &context.target.database.schema;
    let named = names(context, csv).map(sql::identifiers);
    let is_view = context.dataset().views().any(|view| view.table.name == csv.table);
    let (script, columns) = match (parted.get(csv.table), named) {
        (_, Some(columns)) if is_view => (sql::PUBLISH_COPY_PARTS, columns),
        (None, None) => (sql::PUBLISH_COPY_ALL, String::new()),
        (None, Some(columns)) => (sql::PUBLISH_COPY, columns),
        (Some(all), named) => (sql::PUBLISH_COPY_PARTS, named.unwrap_or_else(|| all.clone())),
    };
    sql::render(script, &[("schema", schema), ("table", csv.table), ("columns", &columns)])
}

/// Where the database puts its CSVs first.
fn exports_folder(context: &Context) -> String {
    format!("{}/exports", context.staging_prefix(1))
}

/// Has the database write a CSV; `None`: it cannot, or it wrote what S3 cannot put into place, and the caller copies.
async fn export(
    context: &Context,
    snapshot: &mut Transaction<'_>,
    watch: &Watch,
    csv: &'static PublishedTable,
) -> Result<Option<Object>, Cause> {
    let Some(aws_s3) = context.aws_s3.as_ref().filter(|aws_s3| aws_s3.works(Direction::Export)) else {
        return Ok(None);
    };
    let key = format!("{}/{}", exports_folder(context), context.objects().published(csv).replace('/', "-"));
    let Some(to) = context.store.s3_location(&key) else { return Ok(None) };
    let operation = format!("export {} to {}", csv.table, context.store.url().object(&key));
    let failed = |e| postgres::classify(e, operation.as_str());
    let names = names(context, csv);
    let schema = &context.target.database.schema;
    let from = Columns { schema, table: csv.table, names: names.as_deref() };
    // A failure must not end the snapshot, from which the rows are taken the other way then.
    let savepoint = snapshot.savepoint("export").await.map_err(failed)?;
    let doing = context.report.doing("publish", Vec::new());
    let watch = watch.clone().showing(doing.shower());
    let written = watch.answers(&operation, aws_s3::export(&savepoint, from, &to, &operation)).await;
    let exported = match written {
        Ok(exported) => exported,
        Err(error) => {
            aws_s3.give_up(Direction::Export, error)?;
            savepoint.rollback().await.map_err(failed)?;
            return Ok(None);
        }
    };
    savepoint.commit().await.map_err(failed)?;
    let place = context.objects().published(csv);
    if exported.objects != 1 || exported.size_bytes > S3_COPY_BYTES_MAX {
        tracing::info!(
            object = place,
            exported.objects,
            exported.size_bytes,
            "{place} is too large to be one object of the database's; its rows go through the connection"
        );
        return Ok(None);
    }
    let aws_s3::ExportedObjects { rows, size_bytes, .. } = exported;
    Ok(Some(Object { csv, key: place, rows, size_bytes, sha256: None, exported: Some(key) }))
}

/// Takes the checksums of what the database has written and will be public (from the objects as they are: the
/// database gives none), then has S3 copy all of it to its places.
async fn put_into_place(context: &Context, objects: &mut [Object]) -> Result<(), Cause> {
    for object in objects.iter_mut().filter(|object| object.csv.reach == Reach::Public) {
        if let Some(exported) = &object.exported {
            let read = context.store.checksum(exported).await?;
            (object.size_bytes, object.sha256) = (read.size_bytes, Some(read.sha256));
        }
    }
    for object in objects {
        if let Some(exported) = &object.exported {
            context.store.copy(exported, &object.key).await?;
        }
    }
    Ok(())
}

/// Removes what the database has written, parts of split objects too. What cannot be removed is private, as all of
/// the run's folder.
async fn remove_exports(context: &Context) {
    let folder = exports_folder(context);
    let removed = async {
        for object in context.store.list(&folder).await? {
            context.store.delete(&object.key).await?;
        }
        Ok::<_, Cause>(())
    };
    if let Err(error) = removed.await {
        tracing::warn!("{} could not be cleared: {error}", context.store.url().object(&folder));
    }
}

async fn copy(
    context: &Context,
    snapshot: &Transaction<'_>,
    watch: &Watch,
    csv: &'static PublishedTable,
    statement: &str,
) -> Result<Object, Cause> {
    let key = context.objects().published(csv);
    let operation = format!("publish {key}");
    let bar = context.report.bytes_bar(&key, 0);
    let mut writer = context.store.writer(&key).await?;
    // The server sends one message a row, the header included: what has come is taken at once.
    let stream = watch.answer(&operation, snapshot.copy_out(statement)).await?.try_ready_chunks(MESSAGES);
    let mut stream = std::pin::pin!(stream);
    let (mut lines, mut chunk) = (0_u64, BytesMut::with_capacity(CHUNK + (CHUNK >> 2)));
    while let Some(messages) =
        watch.answer(&operation, stream.try_next().map_err(|TryReadyChunksError(_, error)| error)).await?
    {
        lines += messages.len() as u64;
        messages.iter().for_each(|line| chunk.extend_from_slice(line));
        if chunk.len() >= CHUNK {
            bar.inc(chunk.len() as u64);
            writer.write(chunk.split().freeze()).await?;
        }
    }
    writer.write(chunk.freeze()).await?;
    fault::point!("publish.mid_object");
    let written = writer.finish().await?;
    bar.finish_and_clear();
    Ok(Object {
        csv,
        key,
        rows: lines.saturating_sub(1),
        size_bytes: written.size_bytes,
        sha256: Some(written.sha256),
        exported: None,
    })
}

async fn newest(context: &Context, snapshot: &Transaction<'_>) -> Result<Option<String>, Cause> {
    let failed = |e| postgres::classify(e, "read the newest run date");
    let database = &context.target.database;
    let query = sql::newest(context.dataset(), &database.schema, &database.ledger_schema);
    let row = snapshot.query_one(&query, &[]).await.map_err(failed)?;
    Ok(row.try_get(0).map_err(failed)?)
}

/// What a reader needs to tell a consistent set of files: it names only public ones.
fn manifest(context: &Context, newest: Option<&str>, objects: &[Object]) -> Value {
    let public = objects.iter().filter(|object| object.csv.reach == Reach::Public);
    let files = public.map(|object| {
        json!({
            "name": object.csv.name,
            "rows": object.rows,
            "size_bytes": object.size_bytes,
            "sha256": object.sha256,
        })
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
