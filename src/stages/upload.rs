//! Upload: puts the raw files into the archive, and the staging CSVs into the run's folder in the store.
//!
//! In: [`Exported`]. Out: [`Uploaded`]. A failure leaves the database unchanged, and the archive still has the files
//! that production was made of; the next run replaces objects that are there already.

use serde_json::json;

use super::check::Checked;
use super::export::{Csv, Exported};
use super::fetch::{Fetched, FetchedFile};
use crate::archive::{self, RawFile};
use crate::config::Selection;
use crate::error::Cause;
use crate::fault;
use crate::run::context::RunContext;
use crate::words;

/// The CSVs of a batch in the store, and still on the local disk.
#[derive(Debug)]
pub struct Uploaded {
    fetched: Fetched,
    csvs: Vec<Csv>,
    /// Raw files that replace other postings when the batch is committed.
    replacing: Vec<RawFile>,
}

impl Uploaded {
    /// The number of the batch.
    pub(super) fn batch(&self) -> i32 {
        self.fetched.batch()
    }

    /// The files, and the CSVs made of them.
    pub(super) fn into_parts(self) -> (Fetched, Vec<Csv>) {
        (self.fetched, self.csvs)
    }

    /// Raw files that replace other postings when the batch is committed.
    pub fn replacing(&self) -> Vec<RawFile> {
        self.replacing.clone()
    }
}

/// Archives the raw files and uploads the CSVs; a dry run writes nothing to the store.
pub async fn upload(context: &RunContext, exported: Exported) -> Result<Uploaded, Cause> {
    let step = context.begin(exported.batch(), "upload").await?;
    fault::point!("upload.begin");
    let (fetched, csvs) = exported.into_parts();
    if context.target.dry_run {
        step.done("nothing: a dry run", 0, 0, json!({ "skipped": "dry run" })).await?;
        return Ok(Uploaded { fetched, csvs, replacing: Vec::new() });
    }
    let mut bytes = 0;
    let mut replacing = Vec::new();
    // Files that are read from the archive are there already.
    let is_new = matches!(context.selection(), Selection::New) && !context.url().is_archive();
    let archived = if is_new { fetched.files() } else { &[] };
    for file in archived {
        let kept = archive::keep(&context.store, context.objects(), &raw(file)).await?;
        bytes += kept.bytes_written;
        if kept.waits {
            replacing.push(raw(file));
        }
        fault::point!("upload.archived");
    }
    for csv in &csvs {
        bytes += context.store.upload(&context.staging_csv(fetched.batch(), &csv.table), &csv.path).await?;
        fault::point!("upload.csv");
    }
    let objects = (fetched.files().len() + csvs.len()) as u64;
    let what = format!("{objects} objects, {} to {}", words::size(bytes), context.target.store);
    step.done(&what, objects, bytes, json!({})).await?;
    fault::point!("upload.end");
    Ok(Uploaded { fetched, csvs, replacing })
}

/// Keeps unreadable files apart from the archive, because the sender deletes its own copies after a while.
pub async fn keep_unreadable(context: &RunContext, checked: &Checked) -> Result<(), Cause> {
    for file in checked.unreadable() {
        if !context.target.dry_run && !context.url().is_archive() {
            archive::keep_unreadable(&context.store, context.objects(), &raw(file)).await?;
        }
    }
    Ok(())
}

fn raw(file: &FetchedFile) -> RawFile {
    RawFile { name: file.name.clone(), sha256: file.sha256.clone(), path: file.path.clone() }
}
