//! Fetch: downloads the files of a batch to the local disk, with their checksums.
//!
//! In: a batch of selected files. Out: [`Fetched`]. A failure changes nothing but the ledger. An error about one file
//! (it is gone, not readable for us, still being written) makes that file a failed one, and the others go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::select::{AskedFor, BRINGS_BACK, Batch, SelectedFile};
use crate::dataset::FileName;
use crate::error::Cause;
use crate::ledger::{NewPart, PartFindings};
use crate::run::context::RunContext;
use crate::{fault, words};

/// The files of a batch on the local disk.
#[derive(Debug)]
pub struct Fetched {
    batch: i32,
    folder: PathBuf,
    files: Vec<FetchedFile>,
    /// Why files could not be fetched.
    unfetched: Vec<String>,
}

impl Fetched {
    /// The number of the batch.
    pub(super) fn batch(&self) -> i32 {
        self.batch
    }

    /// The batch's own folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files, in the order in which they count.
    pub(super) fn files(&self) -> &[FetchedFile] {
        &self.files
    }

    /// The batch, its folder and its files.
    pub(super) fn into_parts(self) -> (i32, PathBuf, Vec<FetchedFile>) {
        (self.batch, self.folder, self.files)
    }

    /// Is there nothing to load?
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Why files could not be fetched, one reason each.
    pub fn unfetched(&self) -> &[String] {
        &self.unfetched
    }
}

impl Fetched {
    /// Those files of a batch that could be read.
    pub(super) fn readable(batch: i32, folder: PathBuf, files: Vec<FetchedFile>) -> Self {
        Self { batch, folder, files, unfetched: Vec::new() }
    }

    /// The same files, to be processed again without some records, each given by the id of its file and its ordinal.
    pub(super) fn without(mut self, refused: &[(i64, i64)]) -> Self {
        for file in &mut self.files {
            let own = refused.iter().filter(|(part_id, _)| *part_id == file.part_id);
            file.refused.extend(own.map(|(_, ordinal)| ordinal));
        }
        self
    }

    /// Are they processed again, without records that the database refused?
    pub(super) fn is_again(&self) -> bool {
        self.files.iter().any(|file| !file.refused.is_empty())
    }
}

/// One file on the local disk.
#[derive(Clone, Debug)]
pub(super) struct FetchedFile {
    /// Number in the batch, from 1, in the order in which files count.
    pub file_no: u32,
    pub part_id: i64,
    pub name: String,
    pub path: PathBuf,
    pub size_bytes: u64,
    pub sha256: String,
    pub meaning: FileName,
    /// Only these records of it; empty: all.
    pub only_ordinals: Vec<u64>,
    /// The request, if the file is the answer to one.
    pub asked: Option<AskedFor>,
    /// Records that the database refuses: they are left out, and the ledger has them.
    pub refused: Vec<i64>,
}

/// Downloads the files one after the other and records them in the ledger. A file that cannot be fetched does not stop
/// the others; one that was posted again unchanged is not processed further.
///
/// # Errors
/// Errors that would affect every file: the connection, the login, this machine's disk.
pub async fn fetch(context: &RunContext, batch: Batch) -> Result<Fetched, Cause> {
    let step = context.begin(batch.number, "fetch").await?;
    fault::point!("fetch.begin");
    let folder = context.workspace.batch(batch.number)?;
    let mut fetched = Fetched { batch: batch.number, folder, files: Vec::new(), unfetched: Vec::new() };
    let mut same = 0_usize;
    // Parts that are taken together are compared together, once all are here.
    let mut waiting = Vec::new();
    for (file, file_no) in batch.files.into_iter().zip(1..) {
        match bring(context, &fetched.folder, batch.number, file, file_no).await? {
            Ok(brought) if context.dataset().together().is_some() => waiting.push(brought),
            Ok(brought) => same += enter(context, brought, &mut fetched).await?,
            Err(reason) => fetched.unfetched.push(reason),
        }
        fault::point!("fetch.file");
    }
    let all_same = waiting.iter().all(Brought::is_same);
    for mut brought in waiting {
        if !all_same {
            brought.file.known = None;
        }
        same += enter(context, brought, &mut fetched).await?;
    }
    let bytes = fetched.files.iter().map(|file| file.size_bytes).sum();
    let mut what = format!("{}, {}", words::counted(fetched.files.len() as u64, "file"), words::size(bytes));
    if same > 0 {
        what += &format!("; {same} posted again and the same");
    }
    if !fetched.unfetched.is_empty() {
        what += &format!("; {} could not be fetched", fetched.unfetched.len());
    }
    let details = json!({ "same_files": same, "unfetched_files": fetched.unfetched.len() });
    step.done(&what, fetched.files.len() as u64, bytes, details).await?;
    fault::point!("fetch.end");
    Ok(fetched)
}

/// A file on the local disk that the ledger does not know yet.
struct Brought {
    file_no: u32,
    file: SelectedFile,
    path: PathBuf,
    size_bytes: u64,
    sha256: String,
}

impl Brought {
    /// Is it known with exactly this content?
    fn is_same(&self) -> bool {
        self.file.known.as_ref().is_some_and(|known| known.sha256 == self.sha256)
    }
}

/// Downloads a file; returns the reason if it cannot be fetched.
async fn bring(
    context: &RunContext,
    folder: &Path,
    batch: i32,
    file: SelectedFile,
    file_no: u32,
) -> Result<Result<Brought, String>, Cause> {
    if let Some(problem) = file.problem {
        let cause = Cause::Refused {
            message: format!("{}: {problem}", file.name),
            hint: Some("put it right in the source, then run again".into()),
        };
        return cannot_fetch(context, batch, &file, cause).await;
    }
    // The name comes from outside and never becomes a path.
    let path = folder.join(format!("{file_no}.raw"));
    let started = Instant::now();
    let mark = context.report.timeline().begin(batch, "fetch", Some(&file.name));
    let bar = context.report.bytes_bar(&file.name, file.size_bytes);
    let downloaded = context.source().download(&file.name, &path, &|bytes| bar.set_position(bytes)).await;
    bar.finish_and_clear();
    let fetched = match downloaded {
        Ok(fetched) => fetched,
        Err(error) if error.is_about_file() => {
            return cannot_fetch(context, batch, &file, error.into()).await;
        }
        Err(error) => return Err(error.into()),
    };
    mark.done(0, fetched.size_bytes);
    tracing::info!(
        run_id = %context.run_id,
        step = "fetch",
        file = file.name,
        bytes = fetched.size_bytes,
        duration_ms = words::millis(started),
        "         {}: {}",
        file.name,
        words::size(fetched.size_bytes)
    );
    Ok(Ok(Brought { file_no, file, path, size_bytes: fetched.size_bytes, sha256: fetched.sha256 }))
}

/// Adds a file to the ledger and to those that are fetched, unless its content is known or was undone; returns the number
/// of files that are left out.
async fn enter(context: &RunContext, brought: Brought, fetched: &mut Fetched) -> Result<usize, Cause> {
    let is_same = brought.is_same();
    let Brought { file_no, file, path, size_bytes, sha256 } = brought;
    if let Some(known) = file.known.as_ref().filter(|_| is_same) {
        context.ledger.compared(known.part_id, file.modified).await?;
        tracing::info!(run_id = %context.run_id, file = file.name, "         {}: posted again, and the same", file.name);
        remove(&path)?;
        return Ok(1);
    }
    if file.undone_sha256.contains(&sha256) {
        tracing::warn!(
            run_id = %context.run_id,
            file = file.name,
            "{}: not taken, since this content was undone; {BRINGS_BACK}",
            file.name
        );
        remove(&path)?;
        return Ok(1);
    }
    if is_closed(context)
        && let Some(closed) = context.ledger.closed_sha256(&file.name).await?
        && closed != sha256
    {
        let message = format!("{}: somebody has changed it since it was closed", file.name);
        let hint = Some("put it back from a copy; what it brought is in production still".into());
        let cause = Cause::Refused { message, hint };
        fetched.unfetched.extend(cannot_fetch(context, fetched.batch, &file, cause).await?.err());
        return Ok(0);
    }
    let part_id = add(context, fetched.batch, &file, Some(&sha256), size_bytes).await?;
    fetched.files.push(FetchedFile {
        file_no,
        part_id,
        name: file.name,
        path,
        size_bytes,
        sha256,
        meaning: file.meaning,
        only_ordinals: file.only_ordinals,
        asked: file.asked,
        refused: Vec::new(),
    });
    Ok(0)
}

fn remove(path: &Path) -> Result<(), Cause> {
    fs::remove_file(path).map_err(Cause::io(format!("remove {}", path.display())))
}

/// Do the archive's files never change once they are there?
fn is_closed(context: &RunContext) -> bool {
    context.dataset().walked.is_some() && !context.url().is_archive()
}

/// Records a file that cannot be fetched as failed. The next run takes it, because it is not done.
async fn cannot_fetch(
    context: &RunContext,
    batch: i32,
    file: &SelectedFile,
    cause: Cause,
) -> Result<Result<Brought, String>, Cause> {
    // Parts that are taken together are useless without it.
    if context.processing.fail_fast || context.dataset().together().is_some() {
        return Err(cause);
    }
    let reason = format!("{} cannot be fetched: {cause}", file.name);
    tracing::warn!(
        run_id = %context.run_id,
        file = file.name,
        hint = cause.hint(),
        "{reason}: nothing of it is loaded, and what it deletes stays visible; the next run tries again"
    );
    let part_id = add(context, batch, file, None, file.size_bytes).await?;
    let findings = PartFindings {
        readable: false,
        records_seen: 0,
        records_failed: 0,
        unknown: json!({}),
        error: Some(reason.clone()),
    };
    context.ledger.part_parsed(part_id, &findings).await?;
    Ok(Err(reason))
}

async fn add(
    context: &RunContext,
    batch: i32,
    file: &SelectedFile,
    sha256: Option<&str>,
    size_bytes: u64,
) -> Result<i64, Cause> {
    let new = NewPart {
        batch,
        name: &file.name,
        source: &context.url().to_string(),
        sha256,
        size_bytes,
        as_of: file.meaning.run_date,
        order_key: &file.meaning.order_key,
        modified: file.modified,
        asked: file.asked.as_ref().map(|asked| (&asked.slice, asked.records)),
    };
    context.ledger.add_part(&new).await
}
