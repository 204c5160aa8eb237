//! Adopt: a database and a store that another program has filled become ours. What the tables lack is listed, and
//! added if asked for; raw files in the archive are entered in the ledger as done.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde_json::json;
use tokio_postgres::Transaction;

use super::terminal::say;
use crate::catalogue;
use crate::cli::AdoptArgs;
use crate::clients::postgres::{self, PgError};
use crate::clients::store::{ObjectInfo, Store, StoreError, StoreUrl};
use crate::config::AdoptConfig;
use crate::dataset::{Dataset, FileName, Reach};
use crate::error::{Cause, END, Exit, Failure};
use crate::log::Report;
use crate::objects::{self, Objects};
use crate::run::context::Context;
use crate::run::finishing::{finish_rows, unfinished};
use crate::run::newest::newest;
use crate::run::opened::Opened;
use crate::run::progress::Progress;
use crate::schema::{self, Addition, Comparison};
use crate::sql;
use crate::words::{count, counted};

/// How long a statement waits for somebody else's lock. Who waits for us waits as long at most, and a little.
const LOCK_TIMEOUT: &str = "10s";
/// Names that are shown of a long list.
const SHOWN: usize = 10;

/// What was found and done.
#[derive(Debug)]
pub struct Adopted {
    schema: String,
    archive: String,
    dry_run: bool,
    fixed: bool,
    tables: usize,
    /// There are no tables at all.
    is_empty: bool,
    tables_made: Vec<&'static str>,
    additions: Vec<(Addition, Option<String>)>,
    /// Rows that a new column is filled in for, in words.
    finished: Option<String>,
    remarks: Vec<String>,
    until: Option<Date>,
    known: usize,
    entered: Vec<String>,
    newer: Vec<String>,
    strangers: Vec<String>,
}

/// A raw file of the archive.
struct Archived {
    name: String,
    size_bytes: u64,
    meaning: FileName,
}

/// Compares the schema, adds what it lacks if asked for, and enters the archive's files in the ledger, in one transaction.
///
/// # Errors
/// Columns that differ; tables of which only some are there, unless `fix`; rows that stand in the way of a key.
pub async fn adopt(config: AdoptConfig, report: &Report) -> Result<Adopted, Failure> {
    let target = config.target.clone();
    let opened = Opened::open(target, config.for_ledger(), async |context| Ok(context), report).await?;
    let (adopted, _) = opened
        .run(async |context: &Context, progress: &mut Progress| {
            progress.step("adopt");
            let step = context.begin(0, "adopt").await?;
            let adopted = take_over(context, &config, progress).await?;
            let what = format!(
                "{} entered as done, {} known; the tables {} {}",
                counted(adopted.entered.len() as u64, "file"),
                adopted.known,
                if adopted.fixed { "got" } else { "lack" },
                counted((adopted.additions.len() + adopted.tables_made.len()) as u64, "addition")
            );
            let details = json!({
                "known": adopted.known,
                "newer": adopted.newer,
                "tables_made": adopted.tables_made,
                "statements": adopted.additions.iter().map(|(a, _)| &a.statement).collect::<Vec<_>>(),
                "fixed": adopted.fixed,
            });
            step.done(&what, adopted.entered.len() as u64, 0, details).await?;
            Ok(adopted)
        })
        .await?;
    Ok(adopted)
}

async fn take_over(
    context: &Context,
    config: &AdoptConfig,
    progress: &mut Progress,
) -> Result<Adopted, Cause> {
    let dataset = context.dataset();
    let archive = Store::open(&config.archive, &config.target.s3).await?;
    let files = archived(dataset, archive.list_names("").await?);
    let strangers = strangers(&context.store, dataset).await?;
    let mut connection = postgres::connect(&context.database, "adopt").await?;
    let watch = connection.watch();
    let mut transaction = watch.answer("begin", connection.transaction()).await?;
    let work = async {
        let limit = format!("set local lock_timeout = '{LOCK_TIMEOUT}'");
        transaction.batch_execute(&limit).await.map_err(|e| failed(e, "begin"))?;
        let lock = context.ledger.lock_name();
        let taken = transaction.execute(sql::LEDGER_LOCK_PROMOTION, &[&lock]).await;
        taken.map_err(|e| failed(e, "take the promotion's lock"))?;

        let (found, tables_made) = tables(context, &mut transaction, config.fix).await?;
        let additions = additions(context, &transaction, &found, config.fix).await?;
        let finished = match config.fix && !found.is_empty() {
            true => finish(context, &transaction).await?,
            false => None,
        };
        if !tables_made.is_empty() {
            // With their keys, if they have some.
            catalogue::identify_those(&transaction, dataset, &context.target.database, &tables_made).await?;
        }
        let until = match (config.until, found.is_empty()) {
            (Some(until), _) => Some(until),
            (None, true) => None,
            (None, false) => newest(&transaction, context.dataset(), &context.target.database)
                .await?
                .and_then(|day| day.parse().ok()),
        };
        let (old, newer): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| {
            until.is_some_and(|until| file.meaning.run_date.is_none_or(|date| date <= until))
        });
        let entered = enter(context, &config.archive, &transaction, &old).await?;
        Ok::<_, Cause>(Adopted {
            schema: context.target.database.schema.clone(),
            archive: config.archive.to_string(),
            dry_run: context.target.dry_run,
            fixed: config.fix,
            tables: found.tables(),
            is_empty: found.is_empty(),
            tables_made,
            remarks: found.remarks().iter().cloned().chain(found.to_make()).collect(),
            additions,
            finished,
            until,
            known: old.len() - entered.len(),
            entered,
            newer: newer.into_iter().map(|file| file.name).collect(),
            strangers,
        })
    };
    let adopted = watch.answers("adopt", work).await?;
    if adopted.dry_run {
        watch.answer("roll back", transaction.rollback()).await?;
        return Ok(adopted);
    }
    // An interruption waits for it: the report about the database must be true.
    let _committing = context.committing.lock().await;
    watch.answer("commit", transaction.commit()).await.map_err(Cause::of_commit)?;
    progress.step(END);
    Ok(adopted)
}

/// The files of the dataset among the objects of the archive, in the order in which they count.
fn archived(dataset: &Dataset, objects: Vec<ObjectInfo>) -> Vec<Archived> {
    let file = |object: ObjectInfo| {
        let meaning = (dataset.file_name)(&object.key)?;
        Some(Archived { name: object.key, size_bytes: object.size_bytes, meaning })
    };
    let mut files: Vec<_> = objects.into_iter().filter_map(file).collect();
    files.sort_by(|a, b| (&a.meaning.order_key, &a.name).cmp(&(&b.meaning.order_key, &b.name)));
    files
}

/// CSVs on the public side that are named like this dataset's and that it does not write: nobody keeps them up
/// to date, and nobody has looked whether they may be public.
pub async fn strangers(store: &Store, dataset: &Dataset) -> Result<Vec<String>, StoreError> {
    let objects = Objects::of(dataset);
    let is_ours = |key: &str| {
        let name = key.strip_prefix(&objects.public("")).unwrap_or(key);
        dataset.published.iter().any(|table| table.reach == Reach::Public && table.may_be(name))
    };
    let prefix = objects.public(&format!("{}_", dataset.name));
    let keys = store.list(objects::PUBLIC).await?.into_iter().map(|object| object.key);
    Ok(keys.filter(|key| key.starts_with(&prefix) && key.ends_with(".csv") && !is_ours(key)).collect())
}

/// Compares the tables; those that are missing are made if `fix`.
async fn tables(
    context: &Context,
    transaction: &mut Transaction<'_>,
    fix: bool,
) -> Result<(Comparison, Vec<&'static str>), Cause> {
    let (dataset, schema) = (context.dataset(), &context.target.database.schema);
    let found = schema::compare(transaction, dataset, schema).await?;
    if !found.differences().is_empty() || found.missing().is_empty() || !fix {
        found.admit()?;
        return Ok((found, Vec::new()));
    }
    let missing = found.missing().to_vec();
    let what = "make the tables that are missing";
    let exists = transaction.query_one(sql::LEDGER_SCHEMA_EXISTS, &[schema]).await;
    if !exists.and_then(|row| row.try_get::<_, bool>(0)).map_err(|e| failed(e, what))? {
        let text = sql::render(sql::LEDGER_CREATE_SCHEMA, &[("name", schema)]);
        transaction.batch_execute(&text).await.map_err(|e| failed(e, what))?;
    }
    let text = sql::render(dataset.scripts.tables, &[("schema", schema)]);
    transaction.batch_execute(&text).await.map_err(|e| failed(e, what))?;
    let now = schema::compare(transaction, dataset, schema).await?;
    now.admit()?;
    Ok((now, missing))
}

/// What the tables lack, each with what stands in its way; added if `fix`.
async fn additions(
    context: &Context,
    transaction: &Transaction<'_>,
    found: &Comparison,
    fix: bool,
) -> Result<Vec<(Addition, Option<String>)>, Cause> {
    let schema = &context.target.database.schema;
    let mut additions = Vec::new();
    for addition in found.additions() {
        let obstacle = schema::obstacle(transaction, schema, addition).await?;
        additions.push((addition.clone(), obstacle));
    }
    if !fix {
        return Ok(additions);
    }
    let obstacles: Vec<_> = additions
        .iter()
        .filter_map(|(addition, obstacle)| {
            Some(format!("{} {}: {}", addition.table, addition.what, obstacle.as_ref()?))
        })
        .collect();
    if !obstacles.is_empty() {
        return Err(Cause::Refused {
            message: format!("rows conflict with what is to be added:\n    {}", obstacles.join("\n    ")),
            hint: Some(
                "put these rows right by hand; without --fix nothing is added, and runs go on as before"
                    .into(),
            ),
        });
    }
    for (addition, _) in &additions {
        let what = format!("add to {} its {}", addition.table, addition.what);
        tracing::info!(run_id = %context.run_id, table = addition.table, "{}", addition.statement);
        transaction.batch_execute(&addition.statement).await.map_err(|e| failed(e, &what))?;
    }
    Ok(additions)
}

/// Fills in what the dataset makes of rows that have their answer; returns in words how many there were.
async fn finish(context: &Context, transaction: &Transaction<'_>) -> Result<Option<String>, Cause> {
    let (dataset, schema) = (context.dataset(), &context.target.database.schema);
    let (Some(enrichment), Some(complete)) = (dataset.enrichment, dataset.scripts.complete) else {
        return Ok(None);
    };
    let backfill = &enrichment.backfill;
    let rows = unfinished(transaction, backfill, schema).await?;
    if rows == 0 {
        return Ok(None);
    }
    finish_rows(transaction, complete, schema).await?;
    Ok(Some(format!("{} of {} {}", counted(rows, "row"), backfill.table, backfill.lacks)))
}

/// Enters files in the ledger that it does not know; gives their names.
async fn enter(
    context: &Context,
    archive: &StoreUrl,
    transaction: &Transaction<'_>,
    files: &[Archived],
) -> Result<Vec<String>, Cause> {
    let what = "enter files in the ledger";
    let rows = files.iter().map(|file| {
        json!({
            "name": file.name,
            "size_bytes": file.size_bytes,
            "as_of": file.meaning.run_date,
            "order_key": file.meaning.order_key,
        })
    });
    let rows = serde_json::Value::Array(rows.collect()).to_string();
    let text = sql::render(sql::LEDGER_ADOPT_PARTS, &[("ledger", &context.target.database.ledger_schema)]);
    let source = archive.to_string();
    let entered =
        transaction.query(&text, &[&context.run_id, &source, &rows]).await.map_err(|e| failed(e, what))?;
    let names = entered.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
    names.map_err(|e| failed(e, what).into())
}

fn failed(error: tokio_postgres::Error, operation: &str) -> PgError {
    postgres::classify(error, operation)
}

impl Adopted {
    /// For a person, several lines: what was found, what was done, what to type next.
    pub fn render(&self, dataset: &Dataset) -> String {
        let mut text = String::new();
        self.render_schema(&mut text, dataset);
        self.render_files(&mut text, dataset);
        if !self.strangers.is_empty() {
            let _ = writeln!(
                text,
                "Look at {}: merganser does not write them, so they are never updated, and what an older program \
                 put on the public side may hold {}. Remove those that are not needed.",
                shorten(&self.strangers),
                dataset.private.unwrap_or("what was never checked")
            );
        }
        if self.dry_run {
            text += "A dry run, rolled back. The database is unchanged.\n";
        }
        text
    }

    fn render_schema(&self, text: &mut String, dataset: &Dataset) {
        let schema = &self.schema;
        if !self.tables_made.is_empty() {
            let _ = writeln!(text, "Made in schema {schema}: {}.", self.tables_made.join(", "));
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "{remark}.");
        }
        if self.is_empty {
            let _ =
                writeln!(text, "Schema {schema} has no table of {}: the first run makes them.", dataset.name);
            return;
        }
        if let Some(finished) = &self.finished {
            let _ = writeln!(text, "Completed: {finished}. The next run that loads a file publishes them.");
        }
        let given = match (self.additions.is_empty(), self.fixed) {
            (true, _) => {
                let _ = writeln!(text, "Schema {schema}: {} tables, nothing is missing.", self.tables);
                return;
            }
            (false, true) => "Added:",
            (false, false) => "The tables lack:",
        };
        let _ = writeln!(text, "{given}");
        for (addition, obstacle) in &self.additions {
            let _ = writeln!(text, "  {} {}", addition.table, addition.what);
            if let Some(obstacle) = obstacle {
                let _ = writeln!(text, "    in its way: {obstacle}");
            }
        }
        if !self.fixed {
            let typed = dataset.typed_in(schema);
            let _ = writeln!(text, "This adds it, and so does merganser adopt {typed} --fix:");
            for (addition, _) in &self.additions {
                let _ = writeln!(text, "  {}", addition.statement);
            }
            let has_column = self.additions.iter().any(|(addition, _)| addition.is_column());
            if self.additions.iter().any(|(addition, _)| !addition.is_column()) {
                text.push_str(
                    "Runs work without keys and indexes, but slower, and only keys and indexes keep the rows consistent.\n",
                );
            }
            if has_column {
                text.push_str(
                    "Runs work without a column, but what it would hold, and the views that read it, stay empty. --fix \
                     fills it in.\n",
                );
            }
        }
    }

    fn render_files(&self, text: &mut String, dataset: &Dataset) {
        let total = self.known + self.entered.len() + self.newer.len();
        let _ = write!(text, "{}: {} of {}", self.archive, counted(total as u64, "file"), dataset.name);
        let _ = match (&self.until, total) {
            (_, 0) => writeln!(text, "."),
            (Some(until), _) => writeln!(
                text,
                "; up to {until}, {} are entered as done and {} were known before.",
                count(self.entered.len() as u64),
                count(self.known as u64)
            ),
            (None, _) => {
                writeln!(text, "; the database holds no {}, so none of them is done.", dataset.record)
            }
        };
        if !self.newer.is_empty() {
            let _ = writeln!(
                text,
                "Left alone, as newer than anything in the database: {}. The next run takes them from its source; \
                 merganser reprocess {} GLOB takes them from here.",
                shorten(&self.newer),
                dataset.typed_in(&self.schema)
            );
        }
    }
}

/// Some of the names.
fn shorten(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `merganser adopt`.
pub async fn run(args: AdoptArgs, report: &Report) -> Result<Exit, Failure> {
    let config = AdoptConfig::from_adopt(&args)?;
    let dataset = config.target.dataset;
    say(&adopt(config, report).await?.render(dataset));
    Ok(Exit::Done)
}
