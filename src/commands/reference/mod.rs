//! Reference: what rows are looked up in is checked, brought into one form, kept in the store, and made the one in use.
//! A failure leaves the reference in use as it was.

mod input;

use std::borrow::{Borrow, BorrowMut};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::cli::ReferenceArgs;
use crate::clients::duckdb::{DuckError, DuckLimits, Staging};
use crate::clients::http::{Http, HttpUrl};
use crate::clients::postgres::{self, PgError, Watch};
use crate::clients::store::{S3Options, Store, StoreUrl};
use crate::config::ReferenceConfig;
use crate::dataset::reference::{Reference, ReferenceFill, ReferenceTable};
use crate::error::{Cause, Exit, Failure};
use crate::ledger::confirm_written;
use crate::log::Report;
use crate::run::commit::commit;
use crate::run::context::Context;
use crate::run::fence::fence;
use crate::run::opened::Opened;
use crate::run::progress::Progress;
use crate::run::reference::{self as in_use, LocalReference};
use crate::system::background::blocking;
use crate::system::workspace::Workspace;
use crate::{schema, sql, words};
use input::{Taken, hex, refused};

/// Rows that are new, and rows that are gone.
pub type Change = (u64, u64);

/// What became of a reference.
#[derive(Debug, Default)]
pub struct Referenced {
    pub version: String,
    /// The one that was in use before.
    pub before: Option<String>,
    /// By table: rows, and what is new and gone, where that is told.
    pub tables: Vec<(&'static str, u64, Option<Change>)>,
    /// Rows that cannot be used, by the reason.
    pub left_out: Vec<(String, u64)>,
}

struct Referencing {
    context: Context,
    workspace: Workspace,
}

impl Borrow<Context> for Referencing {
    fn borrow(&self) -> &Context {
        &self.context
    }
}

impl BorrowMut<Context> for Referencing {
    fn borrow_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

/// A table of the reference as a file.
struct KeptTable {
    table: &'static ReferenceTable,
    path: PathBuf,
    rows: u64,
}

/// What the scripts made of the files.
struct Made {
    version: String,
    kept: Vec<KeptTable>,
    fills: Vec<(&'static ReferenceFill, PathBuf)>,
    left_out: Vec<(String, u64)>,
    changes: Vec<(&'static str, Change)>,
}

/// Takes a reference in.
///
/// # Errors
/// The one in use stays.
pub async fn take_in(config: ReferenceConfig, report: &Report) -> Result<Referenced, Failure> {
    let options = config.for_ledger();
    let ReferenceConfig { target, reference, inputs, work_dir, duckdb } = config;
    let more = async |context: Context| {
        let workspace = Workspace::create(&work_dir)?;
        Ok(Referencing { context, workspace })
    };
    let opened = Opened::open(target, options, more, report).await?;
    let (done, _) = opened
        .run(async |this: &Referencing, progress: &mut Progress| {
            progress.step("fetch");
            let taken = this.fetch(reference, &inputs).await?;
            progress.step("check");
            let context = &this.context;
            let folder = this.workspace.path().join("in-use");
            // One that is damaged or gone must not keep another from taking its place.
            let before = match in_use::current(&context.ledger, &context.store, &folder).await {
                Ok(before) => before,
                Err(cause) => {
                    tracing::warn!(run_id = %context.run_id, "not compared with the reference in use: {cause}");
                    None
                }
            };
            let step = context.begin(1, "check").await?;
            let work = this.workspace.path().to_owned();
            let was = before.clone();
            let made = blocking(move || make(reference, duckdb, &work, taken, was.as_ref())).await??;
            let rows: u64 = made.kept.iter().map(|kept| kept.rows).sum();
            let left_out: u64 = made.left_out.iter().map(|(_, rows)| rows).sum();
            let what = format!("{} row(s), {left_out} cannot be used", words::count(rows));
            step.done(&what, rows, 0, json!({ "version": made.version, "left_out": made.left_out })).await?;
            progress.step("promote");
            this.promote(&made).await?;
            progress.batches = 1;
            let told =
                |name: &str| made.changes.iter().find(|(known, _)| *known == name).map(|(_, told)| *told);
            Ok(Referenced {
                tables: made.kept.iter().map(|k| (k.table.name, k.rows, told(k.table.name))).collect(),
                version: made.version,
                before: before.map(|before| before.version),
                left_out: made.left_out,
            })
        })
        .await?;
    Ok(done)
}

impl Referencing {
    /// Brings the files here and looks at them.
    async fn fetch(
        &self,
        reference: &'static Reference,
        inputs: &[(&'static str, String)],
    ) -> Result<Vec<Taken>, Cause> {
        let step = self.context.begin(1, "fetch").await?;
        let mut taken = Vec::new();
        for input in reference.inputs {
            let from = inputs.iter().find(|(name, _)| *name == input.name).map(|(_, from)| from.as_str());
            let from = from.ok_or_else(|| Cause::usage(format!("--{} is not given", input.name)))?;
            let folder = self.workspace.path().join(input.name);
            crate::system::private::make_folder(&folder)
                .map_err(Cause::io(format!("make the folder {}", folder.display())))?;
            let path = local(input.name, from, &folder).await?;
            taken.extend(blocking(move || input::take(input, &path, &folder)).await??);
        }
        step.done(&format!("{} files", taken.len()), taken.len() as u64, 0, json!({})).await?;
        Ok(taken)
    }

    /// Puts the files into the store, then makes the reference the one in use, in one transaction.
    async fn promote(&self, made: &Made) -> Result<(), Cause> {
        let context = &self.context;
        let step = context.begin(1, "promote").await?;
        let mut files = Vec::new();
        for kept in &made.kept {
            // Never over the one in use: the ledger knows its checksum.
            let folder = format!("{}/{}", made.version, context.run_id);
            let key = context.objects().reference(&folder, kept.table.name);
            let size_bytes = context.store.upload(&key, &kept.path).await?;
            let sha256 = context.store.checksum(&key).await?.sha256;
            files.push((kept, key, sha256, size_bytes));
        }
        let mut connection = postgres::connect(&context.database, "reference").await?;
        let doing = context.report.doing("promote", Vec::new());
        let watch = connection.watch().showing(doing.shower());
        let transaction = watch.answer("begin", connection.transaction()).await?;
        fence(context, &transaction, &watch).await?;
        for (fill, csv) in &made.fills {
            self.fill(&transaction, &watch, fill, csv).await?;
        }
        let database = &context.target.database;
        let add = sql::render(sql::LEDGER_ADD_REFERENCE, &[("ledger", database.ledger_schema.as_str())]);
        for (kept, key, sha256, size_bytes) in &files {
            let dataset = context.dataset().name;
            let values: [&(dyn ToSql + Sync); 8] = [
                &dataset,
                &made.version,
                &kept.table.name,
                key,
                sha256,
                &(*size_bytes as i64),
                &(kept.rows as i64),
                &context.run_id,
            ];
            let written = watch.answer("write the ledger", transaction.execute(&add, &values)).await?;
            confirm_written("reference_files", 1, written)?;
        }
        let rows: u64 = made.kept.iter().map(|kept| kept.rows).sum();
        let details = step.details(json!({ "version": made.version }));
        let _committing = commit(context, (1, &watch), transaction, (rows as i64, &details)).await?;
        step.say(&format!("{} is in use", made.version), rows, 0);
        Ok(())
    }

    /// Fills a table of the database anew; makes it where there is none.
    async fn fill(
        &self,
        transaction: &Transaction<'_>,
        watch: &Watch,
        fill: &ReferenceFill,
        csv: &Path,
    ) -> Result<(), Cause> {
        let database = &self.context.target.database;
        let (schema, table) = (database.schema.as_str(), fill.derived.table.name);
        let operation = format!("fill {table}");
        let exists = transaction.query_one(sql::LEDGER_EXISTS, &[&schema, &table]).await.map_err(failed)?;
        if !exists.try_get::<_, bool>(0).map_err(failed)? {
            let mut script = schema::definition(fill.derived, schema, schema);
            script += &sql::render(fill.derived.keys().unwrap_or_default(), &[("schema", schema)]);
            watch.answer(&operation, transaction.batch_execute(&script)).await?;
        }
        let clear = sql::render(sql::REFERENCE_CLEAR, &[("schema", schema), ("table", table)]);
        watch.answer(&operation, transaction.batch_execute(&clear)).await?;
        let columns = sql::columns(&fill.derived.table);
        let variables = [("staging", schema), ("table", table), ("columns", &columns)];
        let copy = sql::render(sql::LOAD_COPY, &variables);
        let unread = || Cause::io(format!("read {}", csv.display()));
        let mut file = tokio::fs::File::open(csv).await.map_err(unread())?;
        let sink = watch.answer(&operation, transaction.copy_in::<_, Bytes>(&copy)).await?;
        let mut sink = std::pin::pin!(sink);
        loop {
            let mut chunk = bytes::BytesMut::with_capacity(1 << 18);
            if file.read_buf(&mut chunk).await.map_err(unread())? == 0 {
                break;
            }
            watch.answer(&operation, sink.send(chunk.freeze())).await?;
        }
        watch.answer(&operation, sink.finish()).await?;
        Ok(())
    }
}

/// Where an input is on the local disk; what is somewhere else is brought into the folder.
async fn local(option: &str, from: &str, folder: &Path) -> Result<PathBuf, Cause> {
    let name = from.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let name = name.rsplit('/').next().unwrap_or_default();
    let to = folder.join("download");
    if from.starts_with("https://") || from.starts_with("http://") {
        let wrong = |error: &dyn std::fmt::Display| Cause::usage(format!("--{option}: {error}"));
        let url: HttpUrl = from.parse().map_err(|error| wrong(&error))?;
        let http = Http::new(url).map_err(|error| wrong(&error))?;
        http.download(&to).await.map_err(|error| refused(format!("--{option}: {name}: {error}")))?;
        return Ok(to);
    }
    if from.starts_with("s3://") {
        let (store, key) = from.rsplit_once('/').unwrap_or((from, ""));
        let url: StoreUrl = store.parse().map_err(|error| Cause::usage(format!("--{option}: {error}")))?;
        let store = Store::open(&url, &S3Options::from_env(crate::config::environment)?).await?;
        store.download(key, &to, &|_| ()).await?;
        return Ok(to);
    }
    let path = PathBuf::from(from.strip_prefix("file:").or(from.strip_prefix("dir:")).unwrap_or(from));
    if !path.exists() {
        return Err(refused(format!("--{option}: there is no {}", path.display())));
    }
    Ok(path)
}

/// Makes the tables of the reference, and files of them.
fn make(
    reference: &'static Reference,
    duckdb: DuckLimits,
    folder: &Path,
    taken: Vec<Taken>,
    before: Option<&LocalReference>,
) -> Result<Made, Cause> {
    let staging = Staging::create(folder, duckdb)?;
    let mut hash = Sha256::new();
    let mut variables = Vec::new();
    for file in &taken {
        hash.update(file.sha256.as_bytes());
        variables.extend(file.variables.iter().map(|(name, value)| (*name, value.as_str())));
    }
    // What is made of the same files in another way is another reference.
    reference.scripts.iter().for_each(|script| hash.update(script.as_bytes()));
    for script in reference.scripts {
        staging.execute("read the reference", script, &variables).map_err(unreadable)?;
    }
    let pair = |row: &duckdb::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64));
    let editions = staging.query("read the edition", reference.editions, pair)?;
    let edition = match editions.as_slice() {
        [(edition, _)] => edition.clone(),
        [] => return Err(refused("the files do not say of which edition they are, or have no rows".into())),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            return Err(refused(format!("the files are of several editions: {}", names.join(", "))));
        }
    };
    if !edition.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') {
        return Err(refused(format!("{edition:?} is not an edition")));
    }
    let version = format!("{}-{}", edition.to_lowercase(), &hex(&hash.finalize())[..12]);
    not_older(&edition, before)?;
    let left_out = staging.query("count what cannot be used", reference.left_out, pair)?;
    let (mut kept, mut changes) = (Vec::new(), Vec::new());
    for table in reference.tables {
        let count = sql::render(sql::REFERENCE_COUNT, &[("table", table.name)]);
        let rows = staging.query("count the rows", &count, |row| row.get::<_, i64>(0))?;
        let rows = rows.first().copied().unwrap_or_default() as u64;
        if rows == 0 {
            return Err(refused(format!("no row of the files can be used for {}", table.name)));
        }
        let path = folder.join(format!("{}.parquet", table.name));
        let file = path.display().to_string();
        let variables = [("table", table.name), ("order", table.order), ("file", &file)];
        staging.execute("write the reference", sql::REFERENCE_EXPORT, &variables)?;
        if let (Some(query), Some(before)) = (table.changes, before) {
            changes.push((table.name, changed(&staging, query, table.name, before)?));
        }
        kept.push(KeptTable { table, path, rows });
    }
    let mut fills = Vec::new();
    for fill in reference.fills {
        let path = folder.join(format!("{}.csv", fill.derived.table.name));
        staging.execute("write the reference", fill.export, &[("csv", &path.display().to_string())])?;
        fills.push((fill, path));
    }
    Ok(Made { version, kept, fills, left_out, changes })
}

fn changed(
    staging: &Staging,
    query: &str,
    table: &str,
    before: &LocalReference,
) -> Result<(u64, u64), Cause> {
    let path = |name: &str| {
        let file = before.files.iter().find(|(known, _)| known == name);
        file.map(|(_, path)| path.display().to_string()).unwrap_or_default()
    };
    let (of_table, streets) = (path(table), path("streets"));
    let query = sql::render(query, &[("before", &of_table), ("streets_before", &streets)]);
    let read = |row: &duckdb::Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64));
    Ok(staging.query("compare with the reference in use", &query, read)?.first().copied().unwrap_or_default())
}

/// An edition before the one in use is taken for a mistake: `20v8` after `26v1`.
fn not_older(edition: &str, before: Option<&LocalReference>) -> Result<(), Cause> {
    let Some(before) = before else { return Ok(()) };
    let parts = |text: &str| {
        let digits = |part: &str| part.parse::<u32>().ok();
        let text = text.split('-').next()?.to_lowercase();
        let (year, number) = text.split_once('v')?;
        Some((digits(year)?, digits(number.split('.').next()?)?))
    };
    match (parts(edition), parts(&before.version)) {
        (Some(new), Some(old)) if new < old => Err(refused(format!(
            "the files are of {edition}, which is older than the reference in use ({})",
            before.version
        ))),
        _ => Ok(()),
    }
}

/// A file of others that DuckDB cannot read: its own words say where, in their first line.
fn unreadable(error: DuckError) -> Cause {
    match error {
        DuckError::Refused { source, .. } => {
            let said = source.to_string();
            let first = said.lines().next().unwrap_or_default().to_owned();
            refused(format!("a file of the reference cannot be read, it may have broken off: {first}"))
        }
        other => other.into(),
    }
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "fill the reference")
}

/// `merganser reference`.
pub async fn run(args: ReferenceArgs, report: &Report) -> Result<Exit, Failure> {
    let done = take_in(ReferenceConfig::from_reference(&args)?, report).await?;
    println!("{} is in use.", done.version);
    for (table, rows, change) in &done.tables {
        let rows = words::count(*rows);
        match change {
            Some((added, removed)) => {
                println!(
                    "{table}: {rows} rows; {} new, {} gone",
                    words::count(*added),
                    words::count(*removed)
                );
            }
            None => println!("{table}: {rows} rows"),
        }
    }
    match &done.before {
        Some(before) if *before == done.version => println!("It was in use before: nothing changed."),
        Some(before) => println!("Before: {before}."),
        None => println!("There was none before."),
    }
    for (reason, rows) in &done.left_out {
        println!("left out: {} rows: {reason}", words::count(*rows));
    }
    Ok(Exit::Done)
}
