//! The parser of the court extract: a zipped document in, rows and failed records out.
//!
//! One thread unpacks the document and cuts it into cases, the calling thread turns the cases into
//! rows. After an error nothing of the file may be used; a document that only breaks off is no error.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::archive;
use super::block::{Block, Item, ItemKind};
use super::cells::Case;
use super::document::{Split, SplitError, split};
use super::fields::Fault;
use super::flatten::{Flattener, Verdict};
use super::options::level;
use super::plan::Plan;
use super::rescue::{rescue, without};
use super::rows::Writer;
use crate::dataset::records::RecordPlace;
use crate::dataset::{FailedRecord, ParseError, ParseInput, Parsed, Sink, SinkClosed};

/// Blocks that wait between the two threads, some 0.5 MiB each.
const WAITING_BLOCKS: usize = 4;

/// Reads one file of the feed and writes its cases to the sink: rows of its tables and of
/// `records`, and failed records, in document order. Blocks until the file is read.
///
/// Fails when the file cannot be read, when the archive or its document is not what the feed sends,
/// and when the sink is closed. The sink may have got rows before: none of them may be used.
pub fn parse(input: &ParseInput, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let mut only = input.only_ordinals.to_vec();
    only.sort_unstable();
    let plan = Plan::new(input.tables, level(input.options));
    let total_bytes = AtomicU64::new(0);
    let mut intake = Intake::new(input, &plan, &total_bytes);
    thread::scope(|scope| {
        let (sender, blocks) = sync_channel::<Block>(WAITING_BLOCKS);
        let (total_bytes, only) = (&total_bytes, &only);
        let splitter = scope.spawn(move || {
            archive::with_document(input.path, &input.limits, |document, bytes| {
                total_bytes.store(bytes, Relaxed);
                split(document, &input.limits, only, |block| sender.send(block).is_ok()).map_err(|error| {
                    match error {
                        SplitError::Unusable(reason) => archive::unreadable(input.path, reason),
                        SplitError::Stream(source) => archive::stream_error(input.path, source),
                        SplitError::Closed => ParseError::Sink(SinkClosed),
                    }
                })
            })
        });
        // Dropping the receiver is what ends the other thread when the sink is closed.
        let taken = blocks.into_iter().try_for_each(|block| intake.block(&block, sink));
        let split = splitter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken?;
        intake.finish(split?, sink)
    })
}

/// Turns blocks of cases into rows.
struct Intake<'p> {
    input: &'p ParseInput<'p>,
    plan: &'p Plan,
    flattener: Flattener<'p>,
    writer: Writer<'p>,
    total_bytes: &'p AtomicU64,
    /// Elements whose texts must not be kept anywhere.
    dropped: Vec<&'static str>,
    deleted: u64,
    deleted_with_data: u64,
    failed: u64,
}

impl<'p> Intake<'p> {
    fn new(input: &'p ParseInput<'p>, plan: &'p Plan, total_bytes: &'p AtomicU64) -> Self {
        Self {
            input,
            plan,
            flattener: Flattener::new(plan, input.limits),
            writer: Writer::new(plan, input.batch_records),
            dropped: plan.dropped(),
            total_bytes,
            deleted: 0,
            deleted_with_data: 0,
            failed: 0,
        }
    }

    fn block(&mut self, block: &Block, sink: &mut dyn Sink) -> Result<(), SinkClosed> {
        let mut case = Case::new(self.plan);
        for item in &block.items {
            let bytes = &block.data[item.range.clone()];
            match &item.kind {
                ItemKind::Case => self.case(item, bytes, &mut case, sink)?,
                ItemKind::Foreign => {
                    let reason =
                        "its element is in another namespace than those of the other cases".to_owned();
                    self.broken(item, bytes, reason, sink)?;
                }
                ItemKind::TooLarge => {
                    let reason =
                        format!("the record is larger than {} bytes", self.input.limits.record_bytes);
                    self.broken(item, bytes, reason, sink)?;
                }
                ItemKind::Unclosed => {
                    let reason = "malformed XML: another record starts before this one ends".to_owned();
                    self.broken(item, bytes, reason, sink)?;
                }
                ItemKind::Break(reason) => {
                    self.broken(item, bytes, format!("the document breaks off: {reason}"), sink)?;
                }
            }
        }
        sink.progress(block.records_seen, block.document_bytes, self.total_bytes.load(Relaxed));
        Ok(())
    }

    fn case<'a>(
        &mut self,
        item: &Item,
        bytes: &'a [u8],
        case: &mut Case<'a>,
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        // An ordinal beyond 32 bits needs a document of more than 30 GB of empty cases.
        let place = RecordPlace::new(self.input.file_no, item.ordinal, item.offset_bytes);
        let Self { flattener, writer, deleted, deleted_with_data, failed, input, dropped, .. } = self;
        flattener.read(bytes, &item.scope, case, |verdict, case| match verdict {
            Verdict::Live => writer.live(place, case, sink),
            Verdict::Delete { has_data } => {
                *deleted += 1;
                *deleted_with_data += u64::from(*has_data);
                writer.delete(place, &case.record_id, *has_data, sink)
            }
            Verdict::Failed(fault) => {
                *failed += 1;
                sink.failed(failed_record(input, dropped, item, bytes, Some(case.record_id.clone()), fault))
            }
        })
    }

    /// A record that could not be cut out completely.
    fn broken(
        &mut self,
        item: &Item,
        bytes: &[u8],
        reason: String,
        sink: &mut dyn Sink,
    ) -> Result<(), SinkClosed> {
        self.failed += 1;
        let record_id = rescue(bytes, &item.scope).record_id;
        sink.failed(failed_record(self.input, &self.dropped, item, bytes, record_id, &Fault::of_case(reason)))
    }

    fn finish(mut self, split: Split, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
        self.writer.flush(sink)?;
        Ok(Parsed {
            records_seen: split.records_seen,
            records_deleted: self.deleted,
            deleted_with_data: self.deleted_with_data,
            records_failed: self.failed,
            run_date: split.run_date,
            complete: split.complete,
            document_bytes: split.document_bytes,
            unknown: self.flattener.unknown(),
            unseen: Vec::new(),
        })
    }
}

fn failed_record(
    input: &ParseInput,
    dropped: &[&str],
    item: &Item,
    bytes: &[u8],
    record_id: Option<String>,
    fault: &Fault,
) -> FailedRecord {
    FailedRecord {
        record_id: record_id.filter(|id| !id.is_empty()),
        ordinal: item.ordinal,
        offset_bytes: item.offset_bytes,
        table: fault.table,
        field: fault.field.clone(),
        value: fault.value.clone(),
        reason: fault.reason.clone(),
        suggestion: None,
        fragment: fragment(bytes, dropped, input.limits.fragment_bytes),
    }
}

/// The start of a record as text, cut between characters, without the texts of `dropped` elements.
fn fragment(bytes: &[u8], dropped: &[&str], limit_bytes: usize) -> Option<String> {
    if limit_bytes == 0 || bytes.is_empty() {
        return None;
    }
    let start = &bytes[..bytes.len().min(limit_bytes + 3)];
    let start = if dropped.is_empty() { Cow::Borrowed(start) } else { Cow::Owned(without(start, dropped)) };
    let mut text = String::from_utf8_lossy(&start).into_owned();
    let end = (0..=limit_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    Some(text)
}

#[cfg(test)]
mod tests;
