//! Upload: the raw files into the archive, the staging CSVs beside the run.
//!
//! In: [`Exported`]. Out: [`Uploaded`]. A failure leaves the database unchanged; objects that are there
//! already are replaced by the next run.

use serde_json::json;

use super::Context;
use super::check::Checked;
use super::export::{Csv, Exported};
use super::fetch::{Fetched, FetchedFile};
use crate::error::Cause;
use crate::{fault, report};

/// The CSVs of a batch in the store, and still on the local disk.
#[derive(Debug)]
pub struct Uploaded {
    pub(super) fetched: Fetched,
    pub(super) csvs: Vec<Csv>,
}

/// Archives the raw files and uploads the CSVs; a dry run writes nothing to the store.
pub async fn upload(context: &Context, exported: Exported) -> Result<Uploaded, Cause> {
    let step = context.begin(exported.fetched.batch, "upload").await?;
    fault::point!("upload.begin");
    let Exported { fetched, csvs } = exported;
    if context.config.dry_run {
        step.done("nothing: a dry run", 0, 0, json!({ "skipped": "dry run" })).await?;
        return Ok(Uploaded { fetched, csvs });
    }
    let mut bytes = 0;
    for file in &fetched.files {
        bytes += archive(context, file, "private").await?;
        fault::point!("upload.archived");
    }
    for csv in &csvs {
        bytes += context.store.upload(&context.staging_csv(fetched.batch, &csv.table), &csv.path).await?;
        fault::point!("upload.csv");
    }
    let objects = (fetched.files.len() + csvs.len()) as u64;
    let what = format!("{objects} objects, {} to {}", report::size(bytes), context.config.store);
    step.done(&what, objects, bytes, json!({})).await?;
    fault::point!("upload.end");
    Ok(Uploaded { fetched, csvs })
}

/// Keeps files that could not be read apart from the archive: the sender deletes its own after a while.
pub async fn keep_unreadable(context: &Context, checked: &Checked) -> Result<(), Cause> {
    for file in &checked.unreadable {
        if !context.config.dry_run {
            archive(context, file, "private/unreadable").await?;
        }
    }
    Ok(())
}

/// Puts a raw file into a folder of the store unless it is there; gives the bytes written.
async fn archive(context: &Context, file: &FetchedFile, folder: &str) -> Result<u64, Cause> {
    let key = format!("{folder}/{}", file.name);
    let there = context.store.head(&key).await?;
    if there.is_some_and(|object| object.size_bytes == file.size_bytes) {
        return Ok(0);
    }
    Ok(context.store.upload(&key, &file.path).await?)
}
