//! Parse: every file of a batch as a stream into the local staging store.
//!
//! In: [`Fetched`]. Out: [`Staged`]. The parser runs on a thread of its own and hands chunks of rows over a bounded
//! channel to the thread that owns the store. A file is one transaction there: one that cannot be read
//! leaves no row. A failure changes nothing but the ledger.

mod parquet;
mod unseen;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use indicatif::ProgressBar;
use serde_json::json;
use uuid::Uuid;

use super::fetch::{Fetched, FetchedFile};
use crate::clients::duckdb::{DuckError, Load, Staging};
use crate::config::ProcessingConfig;
use crate::dataset::{
    Dataset, FailedRecord, ParseError, ParseInput, Parsed, RowBatch, SecretInput, Sink, SinkClosed,
};
use crate::error::{Cause, FAIL_FAST};
use crate::fault;
use crate::log::Report;
use crate::run::context::{RunContext, Step};
use crate::run::people;
use crate::system::background::{Abandoned, Awaited, blocking};
use crate::{sql, words};

/// Chunks of rows under way between parser and store.
const QUEUE: usize = 4;
/// Bytes of failed records that are kept of one file; those beyond keep their place only.
const FRAGMENTS_BYTES: usize = 64 << 20;

/// The rows of a batch of files in the staging store.
pub struct Staged {
    batch: i32,
    folder: PathBuf,
    files: Vec<StagedFile>,
    staging: Staging,
    /// For the second time or more: without what the database refused.
    is_again: bool,
}

impl Staged {
    /// Of which batch it is.
    pub(super) fn batch(&self) -> i32 {
        self.batch
    }

    /// The batch, its folder, its files, the staging store, and whether they are taken once more.
    pub(super) fn into_parts(self) -> (i32, PathBuf, Vec<StagedFile>, Staging, bool) {
        (self.batch, self.folder, self.files, self.staging, self.is_again)
    }
}

/// What the parser made of one file.
#[derive(Debug)]
pub(super) struct StagedFile {
    pub fetched: FetchedFile,
    /// Why it could not be read at all, else what was found.
    pub parsed: Result<Parsed, String>,
}

/// Parses the files one after the other.
pub async fn parse(context: &RunContext, fetched: Fetched) -> Result<Staged, Cause> {
    let step = context.begin(fetched.batch(), "parse").await?;
    fault::point!("parse.begin");
    // A run that is interrupted must not write into its folder while that is removed.
    let awaited = Awaited::default();
    let work = Work {
        run_id: context.run_id,
        dataset: context.dataset(),
        processing: context.processing.clone(),
        removed: people::admit(context).await?,
        report: context.report.clone(),
        abandoned: awaited.watch(),
    };
    let staged = blocking(move || work.files(fetched)).await??;
    unseen::admit(context.dataset(), &staged.files)?;
    finish(step, &staged, context).await?;
    fault::point!("parse.end");
    Ok(staged)
}

async fn finish(step: Step<'_>, staged: &Staged, context: &RunContext) -> Result<(), Cause> {
    let readable = || staged.files.iter().filter_map(|file| file.parsed.as_ref().ok());
    let records = readable().map(|parsed| parsed.records_seen).sum();
    let bytes: u64 = readable().map(|parsed| parsed.document_bytes).sum();
    let seconds = (step.millis() as f64 / 1000.0).max(0.001);
    let what = format!(
        "{} {}s, {} of {}, {} {}s/s",
        words::count(records),
        context.dataset().record,
        words::size(bytes),
        context.dataset().format,
        words::count((records as f64 / seconds) as u64),
        context.dataset().record,
    );
    step.done(&what, records, bytes, json!({})).await
}

/// What the thread of the parse has at hand.
struct Work {
    run_id: Uuid,
    dataset: &'static Dataset,
    processing: ProcessingConfig,
    /// People whom no row may name.
    removed: HashSet<String>,
    report: Report,
    abandoned: Abandoned,
}

impl Work {
    fn files(&self, fetched: Fetched) -> Result<Staged, Cause> {
        let processing = &self.processing;
        let mut staging = Staging::create(fetched.folder(), processing.duckdb)?;
        make_tables(&staging, self.dataset)?;
        let is_again = fetched.is_again();
        let mut files = Vec::with_capacity(fetched.files().len());
        let (batch, folder, fetched) = fetched.into_parts();
        for file in fetched {
            let started = Instant::now();
            let mark = self.report.timeline().begin(batch, "parse", Some(&file.name));
            let bar = self.report.records_bar(&file.name, 0);
            let parsed = self.file(&bar, &mut staging, &file)?;
            bar.finish_and_clear();
            match &parsed {
                Ok(parsed) => {
                    mark.done(parsed.records_seen, parsed.document_bytes);
                    self.say(&file, parsed, started);
                }
                Err(reason) => {
                    tracing::warn!(run_id = %self.run_id, file = file.name, "{reason}: nothing of this file is loaded");
                    if processing.fail_fast {
                        return Err(Cause::Refused { message: reason.clone(), hint: Some(FAIL_FAST.into()) });
                    }
                }
            }
            files.push(StagedFile { fetched: file, parsed });
            fault::blocking_point!("parse.file");
        }
        Ok(Staged { batch, folder, files, staging, is_again })
    }

    fn say(&self, file: &FetchedFile, parsed: &Parsed, started: Instant) {
        tracing::info!(
            run_id = %self.run_id,
            step = "parse",
            file = file.name,
            records_seen = parsed.records_seen,
            records_deleted = parsed.records_deleted,
            records_failed = parsed.records_failed,
            bytes = parsed.document_bytes,
            duration_ms = words::millis(started),
            "         {}: {} {}s",
            file.name,
            words::count(parsed.records_seen),
            self.dataset.record
        );
    }

    /// Parses one file; the inner result is `Err` with a reason if nothing of it can be used.
    fn file(
        &self,
        bar: &ProgressBar,
        staging: &mut Staging,
        file: &FetchedFile,
    ) -> Result<Result<Parsed, String>, Cause> {
        let processing = &self.processing;
        let csv = match parquet::is_parquet(&file.name) {
            false => None,
            true => match parquet::as_csv(staging, self.dataset.tables, &file.path)? {
                Ok(csv) => Some(csv),
                Err(reason) => return Ok(Err(format!("{}: {reason}", file.name))),
            },
        };
        let secret = processing.parse_secret.as_ref();
        let input = ParseInput {
            path: csv.as_deref().unwrap_or(&file.path),
            name: &file.name,
            tables: self.dataset.tables,
            file_no: file.file_no,
            options: &processing.options,
            secret: secret.map(|secret| SecretInput { text: secret.reveal(), removed: &self.removed }),
            batch_records: processing.batch_records,
            limits: processing.limits,
            only_ordinals: &file.only_ordinals,
            slice: file.asked.as_ref().map(|asked| &asked.slice),
            holds_more: file.asked.as_ref().is_some_and(|asked| asked.holds_more),
        };
        let (sender, receiver) = sync_channel(QUEUE);
        let mut load = staging.load()?;
        load.append("files", file_row(file))?;
        let (parsed, taken) = std::thread::scope(|scope| {
            let parser = scope.spawn(|| {
                (self.dataset.parse)(
                    &input,
                    &mut Queue { sender, bar, record: self.dataset.record, fragments: 0 },
                )
            });
            let taken = self.take(&mut load, receiver, file);
            (parser.join(), taken)
        });
        taken?;
        match parsed {
            // What is missing would be taken for what is gone.
            Ok(Ok(parsed)) if self.dataset.is_replaced() && !parsed.complete => {
                Ok(Err(format!("{}: it breaks off, so the table would lose the missing rows", file.name)))
            }
            Ok(Ok(parsed)) => {
                for ordinal in &file.refused {
                    load.append("failed", refused_row(file, *ordinal))?;
                }
                fault::blocking_point!("parse.before_commit");
                load.commit()?;
                Ok(Ok(parsed))
            }
            Ok(Err(ParseError::Unreadable { reason, .. })) => Ok(Err(format!("{}: {reason}", file.name))),
            Ok(Err(error)) => Err(error.into()),
            Err(_panic) => {
                Ok(Err(format!("{}: the parser failed, which is a defect of merganser", file.name)))
            }
        }
    }

    /// The store's side: takes what the parser sends until it is done.
    fn take(
        &self,
        load: &mut Load<'_>,
        receiver: Receiver<Message>,
        file: &FetchedFile,
    ) -> Result<(), Cause> {
        for message in receiver {
            if self.abandoned.is_true() {
                return Err(Cause::Interrupted);
            }
            match message {
                Message::Rows(batch) => {
                    load.append(batch.table, batch.rows)?;
                    fault::blocking_point!("parse.rows");
                }
                Message::Failed(record) if self.processing.fail_fast => {
                    let (file, record) = (file.name.clone(), describe(&record));
                    return Err(Cause::Record { file, record });
                }
                Message::Failed(record) => load.append("failed", failed_row(file, &record))?,
            }
        }
        Ok(())
    }
}

/// Makes the tables of a staging store.
pub fn make_tables(staging: &Staging, dataset: &Dataset) -> Result<(), DuckError> {
    staging.execute("make its tables", sql::STAGED_TABLES, &[])?;
    staging.execute("make its tables", dataset.scripts.stage, &[])
}

fn describe(record: &FailedRecord) -> String {
    let id = record.record_id.as_deref().unwrap_or("without id");
    let field = record.field.as_deref().map_or(String::new(), |field| format!(", {field}"));
    format!("record {} ({id}) at byte {}{field}: {}", record.ordinal, record.offset_bytes, record.reason)
}

/// What goes from the parser to the store.
enum Message {
    Rows(RowBatch),
    Failed(FailedRecord),
}

/// The parser's side of the queue.
struct Queue<'a> {
    sender: SyncSender<Message>,
    bar: &'a ProgressBar,
    record: &'static str,
    fragments: usize,
}

impl Sink for Queue<'_> {
    fn rows(&mut self, batch: RowBatch) -> Result<(), SinkClosed> {
        self.sender.send(Message::Rows(batch)).map_err(|_| SinkClosed)
    }

    fn failed(&mut self, mut record: FailedRecord) -> Result<(), SinkClosed> {
        self.fragments += record.fragment.as_ref().map_or(0, String::len);
        if self.fragments > FRAGMENTS_BYTES {
            record.fragment = None;
        }
        self.sender.send(Message::Failed(record)).map_err(|_| SinkClosed)
    }

    fn progress(&mut self, records: u64, bytes: u64, total_bytes: u64) {
        self.bar.set_length(total_bytes);
        let rate = records as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_position(bytes);
        let (records, rate) = (words::count(records), words::count(rate as u64));
        self.bar.set_message(format!("{records} {}s, {rate}/s", self.record));
    }
}

fn row(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("every column has one row")
}

fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn text(value: Option<&str>) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn file_row(file: &FetchedFile) -> RecordBatch {
    row(vec![
        ("file_no", number(file.file_no.into())),
        ("part_id", number(file.part_id)),
        ("as_of", text(file.meaning.run_date.map(|date| date.to_string()).as_deref())),
        ("order_key", text(Some(&file.meaning.order_key))),
    ])
}

/// That a record is out is all that the store must know: the ledger has the rest.
fn refused_row(file: &FetchedFile, ordinal: i64) -> RecordBatch {
    let reason = "the database refuses it".to_owned();
    failed_row(file, &FailedRecord { ordinal: ordinal as u64, reason, ..FailedRecord::default() })
}

fn failed_row(file: &FetchedFile, record: &FailedRecord) -> RecordBatch {
    row(vec![
        ("record_no", number(i64::from(file.file_no) << 32 | record.ordinal as i64)),
        ("record_id", text(record.record_id.as_deref())),
        ("offset_bytes", number(record.offset_bytes as i64)),
        ("table_name", text(record.table)),
        ("field", text(record.field.as_deref())),
        ("value", text(record.value.as_deref())),
        ("reason", text(Some(&record.reason))),
        ("fragment", text(record.fragment.as_deref())),
        ("suggestion", text(record.suggestion.as_deref())),
    ])
}
