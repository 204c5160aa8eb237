//! Holds answers of the archive against the plan and against each other: one that is taken for a narrower slice must have as many
//! of its records as the service counts now, and of what a newer answer has as well, as many as that one. Where records were
//! revised while their number stayed, only the answers themselves can show that.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::answers::Answers;
use crate::dataset::asked::{AskedPart, PlannedPart};
use crate::dataset::slice::Slice;
use crate::dataset::{FailedRecord, ParseError, ParseInput, RowBatch, Sink, SinkClosed};
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::system::background::blocking;
use crate::words;

/// The parts that were held against the plan.
pub(super) struct HeldParts<'a> {
    context: &'a RunContext,
    /// The answers in the archive, the newest first.
    archived: Vec<AskedPart>,
    right: HashSet<(String, Slice)>,
}

/// Takes nothing of what is parsed.
struct Nowhere;

impl Sink for Nowhere {
    fn rows(&mut self, _batch: RowBatch) -> Result<(), SinkClosed> {
        Ok(())
    }

    fn failed(&mut self, _record: FailedRecord) -> Result<(), SinkClosed> {
        Ok(())
    }
}

impl<'a> HeldParts<'a> {
    pub(super) fn new(context: &'a RunContext, mut archived: Vec<AskedPart>) -> Self {
        archived.sort_by_key(|part| Reverse(part.asked_at));
        Self { context, archived, right: HashSet::new() }
    }

    /// The name of a part that does not have what is planned to be taken from it. It is marked in the archive, so that no wider
    /// question is answered from it either.
    pub(super) async fn outdated(
        &mut self,
        answers: &Answers<'_>,
        parts: &[PlannedPart],
    ) -> Result<Option<String>, Cause> {
        for PlannedPart { slice, records, part } in parts {
            let Some(part) = part else { continue };
            let held = (part.name.clone(), slice.clone());
            if self.right.contains(&held) {
                continue;
            }
            if self.is_outdated(answers, part, (slice, *records)).await? {
                if !self.context.target.dry_run {
                    answers.note(&AskedPart { is_outdated: true, ..part.clone() }).await?;
                }
                return Ok(Some(part.name.clone()));
            }
            self.right.insert(held);
        }
        Ok(None)
    }

    /// Holds a part against what the service counts of a slice of it, and against each newer answer that overlaps that. That
    /// it agrees with all of them is noted, so that they are not read for it again.
    async fn is_outdated(
        &self,
        answers: &Answers<'_>,
        part: &AskedPart,
        (slice, records): (&Slice, u64),
    ) -> Result<bool, Cause> {
        if part.slice != *slice && self.differs(part, slice, (records, "the service counts")).await? {
            return Ok(true);
        }
        let since = part.agrees_until.unwrap_or(part.asked_at);
        let newer =
            self.archived.iter().filter(|other| other.asked_at > since && other.slice.overlaps(slice));
        let mut seen = HashSet::new();
        let newer: Vec<_> = newer.filter(|other| seen.insert(&other.slice)).collect();
        let Some(newest) = newer.first() else { return Ok(false) };
        tracing::info!(
            run_id = %self.context.run_id,
            file = part.name,
            "         {} is compared with {}",
            part.name,
            words::counted(newer.len() as u64, "newer answer"),
        );
        for other in &newer {
            let both = slice.and_all(&other.slice);
            // One that cannot be read proves nothing.
            let Some(records) = self.records(other, &both).await? else { continue };
            if self.differs(part, &both, (records, &format!("{} has", other.name))).await? {
                return Ok(true);
            }
        }
        if part.slice == *slice && !self.context.target.dry_run {
            answers.note(&AskedPart { agrees_until: Some(newest.asked_at), ..part.clone() }).await?;
        }
        Ok(false)
    }

    /// Has a part another number of records of a slice than is said, or can it not be read? Says so.
    async fn differs(
        &self,
        part: &AskedPart,
        slice: &Slice,
        (records, said): (u64, &str),
    ) -> Result<bool, Cause> {
        let what = match self.records(part, slice).await? {
            Some(found) if found == records => return Ok(false),
            Some(found) => format!("has {}", words::counted(found, self.context.dataset().record)),
            None => "cannot be read".to_owned(),
        };
        tracing::info!(
            run_id = %self.context.run_id,
            file = part.name,
            "         {slice}: {said} {}, and {} {what} of it: requested again",
            words::count(records),
            part.name,
        );
        Ok(true)
    }

    /// How many records of a slice an answer has; `None`: it is not what was archived, or cannot be read.
    async fn records(&self, part: &AskedPart, slice: &Slice) -> Result<Option<u64>, Cause> {
        let context = self.context;
        let path = context.workspace.path().join("held");
        let key = context.objects().raw(&part.name);
        let downloaded = match context.store.download(&key, &path, &|_| ()).await {
            Ok(downloaded) => downloaded,
            Err(error) if error.is_about_object() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if downloaded.sha256 != part.sha256 {
            return Ok(None);
        }
        let (name, slice) = (part.name.clone(), slice.clone());
        let (dataset, processing) = (context.dataset(), context.processing.clone());
        blocking(move || {
            let input = ParseInput {
                path: &path,
                name: &name,
                tables: dataset.tables,
                file_no: 1,
                options: &processing.options,
                secret: None,
                batch_records: processing.batch_records,
                limits: processing.limits,
                only_ordinals: &[],
                slice: Some(&slice),
                holds_more: true,
            };
            let parsed = (dataset.parse)(&input, &mut Nowhere);
            std::fs::remove_file(&path).map_err(Cause::io("remove a part that was looked at"))?;
            match parsed {
                Ok(parsed) => Ok(parsed.complete.then_some(parsed.records_seen)),
                Err(ParseError::Unreadable { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await?
    }
}
