//! Select: finds the new files of the source, in the order in which they count.
//!
//! In: the source's listing and the ledger's done files. Out: [`Selected`]. A failure changes nothing.

mod again;
mod asked;
mod done;
mod gone;
mod posted;
mod together;

use jiff::Timestamp;
use serde_json::json;

use crate::clients::store::{Listing, ObjectInfo};
use crate::config::Selection;
use crate::dataset::slice::Slice;
use crate::dataset::{Dataset, FileName};
use crate::error::Cause;
use crate::fault;
use crate::run::context::RunContext;
use crate::run::gather::Gathered;

use again::{only_failed, only_matching};
use done::only_new;

pub use done::{BRINGS_BACK, leave_out_archived, leave_out_done};

/// The files to process, in the order in which they count.
#[derive(Debug)]
pub struct Selected {
    files: Vec<SelectedFile>,
    /// The source has only files with other names, or none.
    has_none: bool,
    unchanged: usize,
}

/// A file of the source.
#[derive(Clone, Debug)]
pub struct SelectedFile {
    pub name: String,
    pub size_bytes: u64,
    pub meaning: FileName,
    /// When it was last changed at its source, if that time identifies a posting.
    pub modified: Option<Timestamp>,
    /// Only these records of it; empty: all.
    pub only_ordinals: Vec<u64>,
    /// The request, if the file is the answer to one.
    pub asked: Option<AskedFor>,
    /// A posting that is done and has the same size: it may be the same file, and is compared.
    pub known: Option<Posting>,
    /// Checksums of content of this name that was undone: no run takes it again by itself.
    pub undone_sha256: Vec<String>,
    /// Why it cannot be requested at all.
    pub problem: Option<&'static str>,
}

/// The request that a part answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedFor {
    pub slice: Slice,
    /// The number of records that it must have, if known.
    pub records: Option<u64>,
    /// The part answers a larger request, and holds more records.
    pub holds_more: bool,
    /// Files of a later turn come in a later batch of the run.
    pub turn: u32,
    /// What files of earlier turns cover, as far as it concerns this part: they are newer.
    pub newer: Vec<Slice>,
}

impl SelectedFile {
    /// Its turn within the run, from 0.
    fn turn(&self) -> u32 {
        self.asked.as_ref().map_or(0, |asked| asked.turn)
    }
}

/// A posting of a file that is done.
#[derive(Clone, Debug)]
pub struct Posting {
    pub part_id: i64,
    pub sha256: String,
}

/// Files that are promoted together.
#[derive(Debug)]
pub struct Batch {
    /// Counted from 1.
    pub number: i32,
    pub files: Vec<SelectedFile>,
}

impl Selected {
    /// Is there nothing new?
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Does the source have no file of the dataset at all, done or not?
    pub fn has_none(&self) -> bool {
        self.has_none
    }

    /// How many histories of the source are as they were when they were taken.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// Splits the files into batches of at most `bytes` (a larger file is a batch of its own). A run
    /// that must stop at the first failure, or show its whole change, is one batch, but for files whose turn comes later.
    pub fn into_batches(self, bytes: u64, single: bool) -> Vec<Batch> {
        into_batches(self.files, bytes, single)
    }
}

/// Splits files as [`Selected::into_batches`] does.
pub fn into_batches(files: Vec<SelectedFile>, bytes: u64, single: bool) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut filled = 0;
    for file in files {
        filled += file.size_bytes;
        let is_its_turn = |batch: &Batch| batch.files.last().map(SelectedFile::turn) == Some(file.turn());
        match batches.last_mut() {
            Some(batch) if is_its_turn(batch) && (single || filled <= bytes) => batch.files.push(file),
            _ => {
                filled = file.size_bytes;
                batches.push(Batch { number: batches.len() as i32 + 1, files: vec![file] });
            }
        }
    }
    batches
}

/// Lists the source and selects what the run is to process; for a run that asks, the answers it has `gathered`.
pub async fn select(context: &RunContext, gathered: Option<&Gathered>) -> Result<Selected, Cause> {
    let step = context.begin(0, "select").await?;
    fault::point!("select.begin");
    let Listing { files: listing, odd } = context.source().listing("").await?;
    let names = listing.len();
    let gone = gone::files(context, &listing, &odd).await?;
    let near = near_names(context.dataset(), &listing);
    let mut files = of_dataset(context.dataset(), listing);
    let ours = files.len();
    let all = together::whole(context, &files, &near, &odd)?;
    match context.selection() {
        Selection::New | Selection::Tables if all.is_some() => {
            say_not_taken(context, &near);
            together::to_compare(context, &mut files).await?;
        }
        Selection::New | Selection::Tables => {
            say_not_taken(context, &near);
            add_odd(context.dataset(), &mut files, odd);
            only_new(context, &mut files, names).await?;
        }
        Selection::Walked => leave_out_archived(&mut files, &context.ledger.known_parts().await?),
        Selection::Asked => asked::only_gathered(gathered, &mut files)?,
        Selection::Bulk => asked::only_bulk(context, &mut files).await?,
        Selection::Archived { glob, force } => only_matching(context, &mut files, glob, *force).await?,
        Selection::Failed { run, record } => {
            only_failed(context, &mut files, run.as_deref(), *record).await?;
        }
    }
    let is_compared = matches!(context.selection(), Selection::New | Selection::Tables);
    if let Some(all) = all.filter(|_| !files.is_empty() && !is_compared) {
        // All of them, because one is taken.
        files = all;
    }
    if context.dataset().counts_as_posted {
        posted::place(context, &mut files).await?;
    }
    if !matches!(context.selection(), Selection::New) {
        // The archive's own times do not show when the sender posted the files.
        files.iter_mut().for_each(|file| file.modified = None);
    }
    if context.dataset().is_sliced() && context.from.asking.is_none() {
        asked::say_what_was_asked(context, &mut files).await?;
    }
    let bytes = files.iter().map(|file| file.size_bytes).sum();
    let what = format!("{} of {} files at {}", files.len(), ours, context.url());
    let details = json!({ "names": names, "files": ours, "selected": files.len(), "gone": gone });
    step.done(&what, files.len() as u64, bytes, details).await?;
    fault::point!("select.end");
    let has_none = ours == 0 && files.is_empty() && matches!(context.selection(), Selection::New);
    // Other files are gone from their source once they are old: they say nothing of what it gives now.
    let is_of_histories = context.dataset().walked.is_some()
        && matches!(context.selection(), Selection::New | Selection::Walked);
    let unchanged =
        if is_of_histories { ours - files.iter().filter(|file| file.problem.is_none()).count() } else { 0 };
    Ok(Selected { files, has_none, unchanged })
}

/// The files of the dataset in a listing, in the order in which they count.
pub fn of_dataset(dataset: &Dataset, listing: Vec<ObjectInfo>) -> Vec<SelectedFile> {
    let file = |object: ObjectInfo| {
        let meaning = (dataset.file_name)(&object.key)?;
        Some(SelectedFile {
            name: object.key,
            size_bytes: object.size_bytes,
            meaning,
            modified: object.modified,
            only_ordinals: Vec::new(),
            asked: None,
            known: None,
            undone_sha256: Vec::new(),
            problem: None,
        })
    };
    let mut files: Vec<_> = listing.into_iter().filter_map(file).collect();
    sort(&mut files);
    files
}

/// Names that look like those of the dataset's files but are not, each with the reason.
fn near_names(dataset: &Dataset, listing: &[ObjectInfo]) -> Vec<String> {
    let near = |object: &ObjectInfo| {
        let why = (dataset.near_name)(&object.key)?;
        Some(format!("{} ({why})", object.key.escape_debug()))
    };
    listing.iter().filter_map(near).collect()
}

/// Warns of them: a copy or a correction under another name is not processed, and somebody may be waiting for it.
fn say_not_taken(context: &RunContext, near: &[String]) {
    if !near.is_empty() {
        tracing::warn!(
            run_id = %context.run_id,
            names = near.len(),
            "not taken: {}; a file that is wanted must be put there under a name of the feed",
            shorten(near)
        );
    }
}

fn sort(files: &mut [SelectedFile]) {
    files.sort_by(|a, b| (&a.meaning.order_key, &a.name).cmp(&(&b.meaning.order_key, &b.name)));
}

/// Adds names of the dataset that are not files, each in its place: a file that should be there is missing.
pub fn add_odd(dataset: &Dataset, files: &mut Vec<SelectedFile>, odd: Vec<(String, &'static str)>) {
    let file = |(name, problem): (String, &'static str)| {
        let meaning = (dataset.file_name)(&name)?;
        Some(SelectedFile {
            name,
            size_bytes: 0,
            meaning,
            modified: None,
            only_ordinals: Vec::new(),
            asked: None,
            known: None,
            undone_sha256: Vec::new(),
            problem: Some(problem),
        })
    };
    files.extend(odd.into_iter().filter_map(file));
    sort(files);
}

/// Some of the names.
fn shorten(names: &[String]) -> String {
    let shown = names.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 10 { format!("{shown}, …") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn selected(sizes: &[u64]) -> Selected {
        let files = sizes.iter().enumerate().map(|(number, size)| SelectedFile {
            name: number.to_string(),
            size_bytes: *size,
            meaning: FileName { run_date: None, order_key: number.to_string() },
            modified: None,
            only_ordinals: Vec::new(),
            asked: None,
            known: None,
            undone_sha256: Vec::new(),
            problem: None,
        });
        Selected { files: files.collect(), has_none: false, unchanged: 0 }
    }

    #[test]
    fn batches_are_bounded_and_keep_the_order() {
        let shape = |batches: Vec<Batch>| batches.iter().map(|b| b.files.len()).collect::<Vec<_>>();
        assert_eq!(shape(selected(&[4, 4, 4, 20, 1, 9]).into_batches(10, false)), [2, 1, 1, 2]);
        assert_eq!(shape(selected(&[4, 4, 20]).into_batches(10, true)), [3]);
        assert!(selected(&[]).into_batches(10, false).is_empty());
        let mut in_turns = selected(&[4, 4, 4]);
        in_turns.files[2].asked = Some(AskedFor { turn: 1, ..AskedFor::default() });
        assert_eq!(shape(in_turns.into_batches(20, true)), [2, 1], "also where all else is one batch");
    }
}
