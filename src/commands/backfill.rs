//! Backfill: the dataset's enrichment completes rows that are in production already, one transaction per batch. When it
//! is started again, it continues with what is left.

use std::borrow::{Borrow, BorrowMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::cli::BackfillArgs;
use crate::clients::duckdb::{DuckError, DuckLimits, Staging};
use crate::clients::postgres::{self, Connection, PgError, Watch};
use crate::commands::show::TextTable;
use crate::commands::terminal::{say, say_line};
use crate::config::BackfillConfig;
use crate::dataset::ask::Question;
use crate::dataset::enrichment::{Backfill, Enrichment};
use crate::dataset::{Dataset, Options};
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::answered::answers;
use crate::run::commit::commit;
use crate::run::context::Context;
use crate::run::enriching::Enriching;
use crate::run::fence::fence;
use crate::run::finishing::{finish_rows, unfinished};
use crate::run::opened::Opened;
use crate::run::progress::Progress;
use crate::stages::{enrich, parse, publish};
use crate::system::background::blocking;
use crate::system::workspace::Workspace;
use crate::{fault, schema, sql, words};

/// How many questions one transaction has.
const BATCH: i64 = 20_000;

/// The outcome of a backfill.
#[derive(Debug, Default)]
pub struct Backfilled {
    /// The number of rows and questions that were open.
    pub open_rows: u64,
    pub open_questions: u64,
    pub questions: u64,
    /// The number of changed rows.
    pub rows: u64,
    /// The number of rows that had their answer and lacked what is made of it.
    pub finished: u64,
    /// How often each status came out.
    pub found: Vec<(String, u64)>,
    /// Why an outside service is no longer asked; the next backfill continues with the rest.
    pub gave_up: Option<String>,
    pub published: bool,
    /// Was it all rolled back?
    pub dry_run: bool,
}

/// The resources of a backfill.
struct Backfilling {
    context: Context,
    workspace: Workspace,
    enriching: Enriching,
}

impl Borrow<Context> for Backfilling {
    fn borrow(&self) -> &Context {
        &self.context
    }
}

impl BorrowMut<Context> for Backfilling {
    fn borrow_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

/// Asks for what is missing from production's rows, and completes them.
///
/// # Errors
/// Any error of a step. Batches that were committed before stay.
pub async fn backfill(config: BackfillConfig, report: &Report) -> Result<Backfilled, Failure> {
    let options = config.for_ledger();
    let BackfillConfig { target, enrichment, options: own, since, limit, work_dir, duckdb } = config;
    let more = async |context: Context| open(context, enrichment, &own, work_dir).await;
    let opened = Opened::open(target, options, more, report).await?;
    let (done, _) = opened
        .run(async |this: &Backfilling, progress: &mut Progress| {
            let mut done = Backfilled { dry_run: this.context.target.dry_run, ..Backfilled::default() };
            progress.step("promote");
            this.all_batches(since, limit, duckdb, &mut done, progress).await?;
            let context = &this.context;
            let wanted = !context.target.dry_run && !context.target.skip_publish;
            if wanted && (done.rows + done.finished > 0 || context.ledger.publish_pending().await?) {
                progress.step("publish");
                progress.published(publish::publish(context).await?);
                done.published = true;
            }
            Ok(done)
        })
        .await?;
    Ok(done)
}

async fn open(
    context: Context,
    enrichment: &'static Enrichment,
    options: &Options,
    work_dir: PathBuf,
) -> Result<Backfilling, Cause> {
    let workspace = Workspace::create(&work_dir)?;
    let enriching =
        Enriching::open((&context.ledger, &context.store), enrichment, options, workspace.path()).await?;
    if enriching.asks_nobody() {
        return Err(Cause::Refused {
            message: format!(
                "no lookup is configured to say {}: there is nothing to fill in",
                enrichment.about
            ),
            hint: Some(enrichment.hint.into()),
        });
    }
    Ok(Backfilling { context, workspace, enriching })
}

impl Backfilling {
    fn enrichment(&self) -> &'static Enrichment {
        self.enriching.enrichment()
    }

    async fn all_batches(
        &self,
        since: Option<Date>,
        limit: Option<u64>,
        duckdb: DuckLimits,
        done: &mut Backfilled,
        progress: &mut Progress,
    ) -> Result<(), Cause> {
        let mut connection = postgres::connect(&self.context.database, "backfill").await?;
        let doing = self.context.report.doing("promote", vec![self.enrichment().backfill.table]);
        let watch = connection.watch().showing(doing.shower());
        let mut batch = self.finish(&mut connection, &watch, done).await?;
        progress.batches = batch as usize;
        watch.answers("find what is open", self.find_open(&connection, since)).await?;
        let row = watch.answer("count what is open", connection.query_one(sql::BACKFILL_OPEN, &[])).await?;
        done.open_rows = row.try_get::<_, i64>(0).map_err(failed)? as u64;
        done.open_questions = row.try_get::<_, i64>(1).map_err(failed)? as u64;
        let mut after = String::new();
        loop {
            let left = limit.map_or(BATCH, |limit| BATCH.min((limit - done.questions) as i64));
            let questions = self.next(&connection, &watch, &after, left).await?;
            let Some(question) = questions.last() else { return Ok(()) };
            after = question.key.clone();
            batch += 1;
            done.questions += questions.len() as u64;
            done.rows += self.one_batch(&mut connection, &watch, batch, questions, duckdb, done).await?;
            progress.batches = batch as usize;
            if done.gave_up.is_some() {
                return Ok(());
            }
        }
    }

    /// Completes the rows that have their answer and lack what the dataset makes of it, in a batch of their own; returns
    /// the number of that batch, 0 if there is none. An undo loses nothing of it, since it makes the same values again.
    async fn finish(
        &self,
        connection: &mut Connection,
        watch: &Watch,
        done: &mut Backfilled,
    ) -> Result<i32, Cause> {
        let (context, backfill) = (&self.context, &self.enrichment().backfill);
        let Some(complete) = context.dataset().scripts.complete else { return Ok(0) };
        let transaction = watch.answer("begin", connection.transaction()).await?;
        let schema = &context.target.database.schema;
        let operation = format!("complete {}", backfill.table);
        done.finished = watch.answers(&operation, unfinished(&transaction, backfill, schema)).await?;
        if done.finished == 0 {
            watch.answer("roll back", transaction.rollback()).await?;
            return Ok(0);
        }
        let step = context.begin(1, "promote").await?;
        fence(context, &transaction, watch).await?;
        watch.answers(&operation, finish_rows(&transaction, complete, schema)).await?;
        let what = format!("{} {} completed", words::counted(done.finished, "row"), backfill.lacks);
        let details = step.details(json!({}));
        if context.target.dry_run {
            watch.answer("roll back", transaction.rollback()).await?;
            step.done(&format!("{what}; a dry run, rolled back"), done.finished, 0, details).await?;
            return Ok(1);
        }
        let _committing = commit(context, (1, watch), transaction, (done.finished as i64, &details)).await?;
        step.say(&what, done.finished, 0);
        Ok(1)
    }

    /// Lists the changed records, so that an undo of an earlier run cannot silently remove what was found here.
    async fn note_records(&self, transaction: &Transaction<'_>, batch: i32) -> Result<(), PgError> {
        let (context, database) = (&self.context, &self.context.target.database);
        let begin = sql::render(sql::IMAGES_BEGIN, &[("ledger", &database.ledger_schema)]);
        let values: [&(dyn ToSql + Sync); 5] =
            [&context.run_id, &batch, &context.dataset().name, &database.schema, &0_i32];
        let row = transaction.query_one(&begin, &values).await.map_err(failed)?;
        let undo_no: i64 = row.try_get(0).map_err(failed)?;
        let variables = [
            ("schema", database.schema.as_str()),
            ("ledger", &database.ledger_schema),
            ("table", self.enrichment().backfill.table),
            ("key", context.dataset().key()),
            ("undo_no", &undo_no.to_string()),
        ];
        let script = format!("{}{}", sql::BACKFILL_COMPLETED, sql::render(sql::IMAGES_PATCHED, &variables));
        transaction.batch_execute(&script).await.map_err(failed)
    }

    /// Makes the list of open rows, for the session.
    async fn find_open(&self, connection: &Connection, since: Option<Date>) -> Result<(), PgError> {
        let (context, enrichment) = (&self.context, self.enrichment());
        let ways = self.enriching.editions();
        let since = since.map(|since| since.to_string()).unwrap_or_default();
        let variables = [
            ("schema", context.target.database.schema.as_str()),
            ("ledger", &context.target.database.ledger_schema),
            ("dataset", context.dataset().name),
            ("enrichment", enrichment.name),
            ("ways", &ways),
            ("since", &since),
        ];
        let script = sql::render(enrichment.backfill.open, &variables);
        connection.batch_execute(&script).await.map_err(failed)
    }

    async fn next(
        &self,
        connection: &Connection,
        watch: &Watch,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Question>, Cause> {
        let fields = self.enrichment().fields;
        let names = sql::identifiers(fields.iter().copied());
        let query = sql::render(sql::BACKFILL_NEXT, &[("fields", &names)]);
        let values: [&(dyn ToSql + Sync); 2] = [&after, &limit];
        let rows = watch.answer("read what is open", connection.query(&query, &values)).await?;
        let read = |row: &tokio_postgres::Row| {
            let fields = (1..=fields.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?;
            Ok(Question { key: row.try_get(0)?, fields })
        };
        Ok(rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(failed)?)
    }

    /// Asks, and writes the answers to production in one transaction; returns the number of changed rows.
    async fn one_batch(
        &self,
        connection: &mut Connection,
        watch: &Watch,
        batch: i32,
        questions: Vec<Question>,
        duckdb: DuckLimits,
        done: &mut Backfilled,
    ) -> Result<u64, Cause> {
        let (context, enrichment) = (&self.context, self.enrichment());
        let step = context.begin(batch, "promote").await?;
        fault::point!("promote.begin");
        let folder = self.workspace.batch(batch)?;
        let dataset = context.dataset();
        let staged = move || stage(&folder, duckdb, dataset, enrichment, &questions);
        let staging = blocking(staged).await??;
        let (staging, tally) =
            self.enriching.answer(&context.ledger, context.target.dry_run, &context.report, staging).await?;
        let transaction = watch.answer("begin", connection.transaction()).await?;
        fence(context, &transaction, watch).await?;
        transaction.batch_execute("truncate pg_temp.answers").await.map_err(failed)?;
        let (mut staging, mut after) = (staging, String::new());
        loop {
            let last = after.clone();
            let read = blocking(move || answers(&staging, enrichment, "", &last).map(|read| (staging, read)));
            let rows;
            (staging, rows) = read.await??;
            let Some((key, _)) = rows.last() else { break };
            after = key.clone();
            let given = rows.into_iter().map(|(key, mut cells)| {
                cells.insert("key".to_owned(), key.into());
                Value::Object(cells)
            });
            let given = Value::from_iter(given).to_string();
            let values: [&(dyn ToSql + Sync); 1] = [&given];
            watch.answer("bring the answers", transaction.execute(sql::BACKFILL_ANSWERS, &values)).await?;
        }
        let schema = &context.target.database.schema;
        let render = |script: &str| sql::render(script, &[("schema", schema)]);
        let operation = format!("complete {}", enrichment.backfill.table);
        let take = render(enrichment.backfill.take);
        let changed = watch.answer(&operation, transaction.execute(&take, &[])).await?;
        if let Some(complete) = dataset.scripts.complete {
            let script = format!("{}{}", sql::BACKFILL_COMPLETED, render(complete));
            watch.answer(&operation, transaction.batch_execute(&script)).await?;
        }
        if changed > 0 {
            watch.answers("note which records change", self.note_records(&transaction, batch)).await?;
        }
        // Deferred triggers run now, before the proof.
        transaction.batch_execute(sql::PROMOTE_CONSTRAINTS).await.map_err(failed)?;
        let left = render(enrichment.backfill.left);
        let row = watch.answer("look at what was written", transaction.query_one(&left, &[])).await?;
        let (rows, others): (i64, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        if others > 0 {
            let attached = schema::attached(&transaction, schema, &[enrichment.backfill.table]).await?;
            return Err(Cause::Refused {
                message: format!(
                    "{} differs in {} of {} from what was written; {}",
                    enrichment.backfill.table,
                    words::count(others as u64),
                    words::counted(rows as u64, "row"),
                    schema::describe(&attached, enrichment.backfill.table)
                ),
                hint: Some(
                    "remove it, or make it leave these rows alone, then run the backfill again".into(),
                ),
            });
        }
        let what =
            format!("{} changed, {} looked at", words::counted(changed, "row"), words::count(rows as u64));
        let details = step.details(tally.for_ledger());
        done.gave_up = tally.services.values().find_map(|cost| cost.gave_up.clone());
        for (status, count) in tally.found {
            match done.found.iter_mut().find(|(known, _)| *known == status) {
                Some((_, sum)) => *sum += count,
                None => done.found.push((status, count)),
            }
        }
        if context.target.dry_run {
            watch.answer("roll back", transaction.rollback()).await?;
            step.done(&format!("{what}; a dry run, rolled back"), changed, 0, details).await?;
            return Ok(changed);
        }
        let _committing = commit(context, (batch, watch), transaction, (changed as i64, &details)).await?;
        step.say(&what, changed, 0);
        fault::point!("promote.after_commit");
        Ok(changed)
    }
}

/// A staging store that holds the questions as rows of their table.
fn stage(
    folder: &Path,
    limits: DuckLimits,
    dataset: &'static Dataset,
    enrichment: &Enrichment,
    questions: &[Question],
) -> Result<Staging, DuckError> {
    let mut staging = Staging::create(folder, limits)?;
    parse::make_tables(&staging, dataset)?;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..questions.len() as i64));
    let keys: ArrayRef =
        Arc::new(StringArray::from_iter_values(questions.iter().map(|question| &question.key)));
    let fields = (0..enrichment.fields.len()).map(|at| -> ArrayRef {
        Arc::new(questions.iter().map(|question| question.fields[at].as_deref()).collect::<StringArray>())
    });
    let arrays: Vec<_> = [numbers, keys].into_iter().chain(fields).collect();
    let names = ["record_no", dataset.key()].into_iter().chain(enrichment.fields.iter().copied());
    let columns: Vec<_> =
        names.zip(&arrays).map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(columns)), arrays)
        .expect("its columns are made of the same rows");
    let mut load = staging.load()?;
    load.append(enrichment.backfill.table, rows)?;
    load.commit()?;
    enrich::find_winners(&staging, dataset)?;
    Ok(staging)
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "backfill")
}

/// `merganser backfill`.
pub async fn run(args: BackfillArgs, report: &Report) -> Result<Exit, Failure> {
    let config = BackfillConfig::from_backfill(&args)?;
    let (question, Backfill { table, lacks, .. }) = (config.enrichment.question, config.enrichment.backfill);
    let done = backfill(config, report).await?;
    let would = if done.dry_run { " would be" } else { "" };
    if done.finished > 0 {
        say_line!("{table}: {} {lacks}{would} completed", words::counted(done.finished, "row"));
    }
    say_line!(
        "{} of {}, in {} of {table}:",
        words::count(done.questions),
        words::counted(done.open_questions, &format!("open {question}")),
        words::counted(done.open_rows, "row")
    );
    let mut found = TextTable::new(&["", ">"]);
    for (status, count) in &done.found {
        found.row([status.as_str(), &words::count(*count)]);
    }
    say(&found.render(2));
    say_line!("{table}: {}{would} changed", words::counted(done.rows, "row"));
    if let Some(why) = &done.gave_up {
        say_line!("It stopped there: {why}.");
        say_line!("Next: run the same command again; it continues from there.");
    }
    if done.dry_run {
        say_line!("A dry run, rolled back. The database is unchanged.");
    }
    if done.published {
        say_line!("The public files are written again.");
    }
    Ok(if done.gave_up.is_some() { Exit::SomeFailed } else { Exit::Done })
}
