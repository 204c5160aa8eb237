//! Fetch: the files of a batch onto the local disk, with their checksums.
//!
//! In: a batch of selected files. Out: [`Fetched`]. A failure changes nothing but the ledger.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use super::Context;
use super::select::Batch;
use crate::dataset::FileName;
use crate::error::Cause;
use crate::manifest::NewFile;
use crate::{fault, report};

/// The files of a batch on the local disk.
#[derive(Debug)]
pub struct Fetched {
    pub(super) batch: i32,
    pub(super) folder: PathBuf,
    pub(super) files: Vec<FetchedFile>,
}

impl Fetched {
    /// The same files, to be taken once more without some records, each known by the id of its file and its ordinal.
    pub(super) fn without(mut self, refused: &[(i64, i64)]) -> Self {
        for file in &mut self.files {
            let own = refused.iter().filter(|(file_id, _)| *file_id == file.file_id);
            file.refused.extend(own.map(|(_, ordinal)| ordinal));
        }
        self
    }

    /// Are they taken once more, without what the database refused?
    pub(super) fn is_again(&self) -> bool {
        self.files.iter().any(|file| !file.refused.is_empty())
    }
}

/// One file on the local disk.
#[derive(Clone, Debug)]
pub(super) struct FetchedFile {
    /// Number in the batch, from 1, in the order in which files count.
    pub file_no: u32,
    pub file_id: i64,
    pub name: String,
    pub path: PathBuf,
    pub size_bytes: u64,
    pub meaning: FileName,
    /// Only these records of it; empty: all.
    pub only_ordinals: Vec<u64>,
    /// Records that the database refuses: they stay out, and the ledger has them.
    pub refused: Vec<i64>,
}

/// Downloads the files one after the other and enters them in the ledger.
pub async fn fetch(context: &Context, batch: Batch) -> Result<Fetched, Cause> {
    let step = context.begin(batch.number, "fetch").await?;
    fault::point!("fetch.begin");
    let folder = context.workspace.batch(batch.number)?;
    let source = context.config.source.to_string();
    let mut files = Vec::with_capacity(batch.files.len());
    for (file, file_no) in batch.files.into_iter().zip(1..) {
        // The name comes from outside and never becomes a path.
        let path = folder.join(format!("{file_no}.raw"));
        let started = Instant::now();
        let bar = context.report.bytes_bar(&file.name, file.size_bytes);
        let fetched = context.source.download(&file.name, &path, &|bytes| bar.set_position(bytes)).await?;
        bar.finish_and_clear();
        tracing::info!(
            run_id = %context.run_id,
            step = "fetch",
            file = file.name,
            bytes = fetched.size_bytes,
            duration_ms = report::millis(started),
            "         {}: {}",
            file.name,
            report::size(fetched.size_bytes)
        );
        let new = NewFile {
            batch: batch.number,
            name: &file.name,
            source: &source,
            sha256: &fetched.sha256,
            size_bytes: fetched.size_bytes,
            run_date: file.meaning.run_date,
            order_key: &file.meaning.order_key,
        };
        let file_id = context.ledger.add_file(&new).await?;
        files.push(FetchedFile {
            file_no,
            file_id,
            name: file.name,
            path,
            size_bytes: fetched.size_bytes,
            meaning: file.meaning,
            only_ordinals: file.only_ordinals,
            refused: Vec::new(),
        });
        fault::point!("fetch.file");
    }
    let bytes = files.iter().map(|file| file.size_bytes).sum();
    let what = format!("{} file(s), {}", files.len(), report::size(bytes));
    step.done(&what, files.len() as u64, bytes, json!({})).await?;
    fault::point!("fetch.end");
    Ok(Fetched { batch: batch.number, folder, files })
}
