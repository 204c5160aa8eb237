//! Select: which files of the source are new, in the order in which they count.
//!
//! In: the source's listing and the ledger's done files. Out: [`Selected`]. A failure changes nothing.

use std::collections::{BTreeMap, HashSet};

use globset::GlobMatcher;
use serde_json::json;
use uuid::Uuid;

use super::Context;
use crate::config::Selection;
use crate::dataset::FileName;
use crate::error::Cause;
use crate::report;

/// The files to process, in the order in which they count.
#[derive(Debug)]
pub struct Selected {
    files: Vec<SelectedFile>,
}

/// A file of the source.
#[derive(Clone, Debug)]
pub struct SelectedFile {
    pub name: String,
    pub size_bytes: u64,
    pub meaning: FileName,
    /// Only these records of it; empty: all.
    pub only_ordinals: Vec<u64>,
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

    /// Splits the files into batches of at most `bytes` (a larger file is a batch of its own). A run
    /// that must stop at the first failure, or show its whole change, is one batch.
    pub fn into_batches(self, bytes: u64, single: bool) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        let mut filled = 0;
        for file in self.files {
            filled += file.size_bytes;
            match batches.last_mut() {
                Some(batch) if single || filled <= bytes => batch.files.push(file),
                _ => {
                    filled = file.size_bytes;
                    batches.push(Batch { number: batches.len() as i32 + 1, files: vec![file] });
                }
            }
        }
        batches
    }
}

/// Lists the source and takes what the run is to process.
pub async fn select(context: &Context) -> Result<Selected, Cause> {
    let step = context.begin(0, "select").await?;
    let listing = context.source.list_names("").await?;
    let names = listing.len();
    let mut files: Vec<_> = listing
        .into_iter()
        .filter_map(|object| {
            let meaning = (context.dataset().file_name)(&object.key)?;
            let (name, size_bytes) = (object.key, object.size_bytes);
            Some(SelectedFile { name, size_bytes, meaning, only_ordinals: Vec::new() })
        })
        .collect();
    files.sort_by(|a, b| (&a.meaning.order_key, &a.name).cmp(&(&b.meaning.order_key, &b.name)));
    let ours = files.len();
    match &context.config.selection {
        Selection::New => only_new(context, &mut files, names).await?,
        Selection::Archived { glob, force } => only_matching(context, &mut files, glob, *force).await?,
        Selection::Failed { run, record } => only_failed(context, &mut files, *run, *record).await?,
    }
    let bytes = files.iter().map(|file| file.size_bytes).sum();
    let what = format!("{} of {} files at {}", files.len(), ours, context.config.source);
    let details = json!({ "names": names, "files": ours, "selected": files.len() });
    step.done(&what, files.len() as u64, bytes, details).await?;
    Ok(Selected { files })
}

/// Leaves out what is done. A file of a known name with another size was posted again: it is taken, and order
/// safety decides about its records.
async fn only_new(context: &Context, files: &mut Vec<SelectedFile>, names: usize) -> Result<(), Cause> {
    if files.is_empty() {
        tracing::warn!(
            run_id = %context.run_id,
            "{} has no file of {} among {} names",
            context.config.source, context.dataset().name, report::count(names as u64)
        );
    }
    let known = context.ledger.known_files().await?;
    let known: HashSet<_> = known.into_iter().map(|file| (file.name, file.size_bytes)).collect();
    files.retain(|file| !known.contains(&(file.name.clone(), file.size_bytes)));
    Ok(())
}

/// Takes the files whose names match, those without a failure only if `force`.
async fn only_matching(
    context: &Context,
    files: &mut Vec<SelectedFile>,
    glob: &GlobMatcher,
    force: bool,
) -> Result<(), Cause> {
    let all: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    files.retain(|file| glob.is_match(&file.name));
    if files.is_empty() {
        return Err(Cause::Refused {
            message: format!("no file of {} matches {}", context.config.source, glob.glob()),
            hint: Some(match all.len() {
                0 => "the archive has no files yet".into(),
                count => format!("there are {count}: {}", shorten(&all)),
            }),
        });
    }
    if force {
        return Ok(());
    }
    let known = context.ledger.known_files().await?;
    let clean = known.into_iter().filter(|file| !file.has_failures);
    let clean: HashSet<_> = clean.map(|file| (file.name, file.size_bytes)).collect();
    let is_clean = |file: &SelectedFile| clean.contains(&(file.name.clone(), file.size_bytes));
    let skipped: Vec<_> = files.iter().filter(|file| is_clean(file)).map(|file| file.name.clone()).collect();
    if !skipped.is_empty() {
        tracing::info!(
            run_id = %context.run_id,
            "{} file(s) are done without a failure and skipped, see --force: {}",
            skipped.len(),
            shorten(&skipped)
        );
    }
    files.retain(|file| !is_clean(file));
    Ok(())
}

/// Takes the failed records that are not put right.
async fn only_failed(
    context: &Context,
    files: &mut Vec<SelectedFile>,
    run: Option<Uuid>,
    record: Option<i64>,
) -> Result<(), Cause> {
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (name, ordinal) in context.ledger.unresolved(run, record).await? {
        places.entry(name).or_default().push(ordinal);
    }
    if places.is_empty() && (run.is_some() || record.is_some()) {
        return Err(Cause::Refused {
            message: "there is no such failed record that is not put right yet".into(),
            hint: Some("merganser failures".into()),
        });
    }
    files.retain_mut(|file| match places.remove(&file.name) {
        Some(ordinals) => {
            file.only_ordinals = ordinals;
            true
        }
        None => false,
    });
    let missing: Vec<_> = places.into_keys().collect();
    if !missing.is_empty() {
        let what = format!("{} is no longer in the archive {}", shorten(&missing), context.config.source);
        if files.is_empty() {
            return Err(Cause::Refused {
                message: what,
                hint: Some("put the file back there, then retry".into()),
            });
        }
        tracing::warn!(run_id = %context.run_id, "{what}: its failed records stay as they are");
    }
    Ok(())
}

/// Some of the names.
fn shorten(names: &[String]) -> String {
    let shown = names.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 10 { format!("{shown}, …") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(sizes: &[u64]) -> Selected {
        let files = sizes.iter().enumerate().map(|(number, size)| SelectedFile {
            name: number.to_string(),
            size_bytes: *size,
            meaning: FileName { run_date: jiff::civil::date(2026, 1, 1), order_key: number.to_string() },
            only_ordinals: Vec::new(),
        });
        Selected { files: files.collect() }
    }

    #[test]
    fn batches_are_bounded_and_keep_the_order() {
        let shape = |batches: Vec<Batch>| batches.iter().map(|b| b.files.len()).collect::<Vec<_>>();
        assert_eq!(shape(selected(&[4, 4, 4, 20, 1, 9]).into_batches(10, false)), [2, 1, 1, 2]);
        assert_eq!(shape(selected(&[4, 4, 20]).into_batches(10, true)), [3]);
        assert!(selected(&[]).into_batches(10, false).is_empty());
    }
}
