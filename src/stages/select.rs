//! Select: which files of the source are new, in the order in which they count.
//!
//! In: the source's listing and the ledger's done files. Out: [`Selected`]. A failure changes nothing.

use serde_json::json;

use super::Context;
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

/// Lists the source and leaves out what the ledger knows as done. A file of a known name with another size was
/// posted again: it is taken, and order safety decides about its records.
pub async fn select(context: &Context) -> Result<Selected, Cause> {
    let step = context.begin(0, "select").await?;
    let listing = context.source.list_names("").await?;
    let known = context.ledger.known_files().await?;
    let total = listing.len();
    let mut files: Vec<_> = listing
        .into_iter()
        .filter_map(|object| {
            let meaning = (context.dataset().file_name)(&object.key)?;
            Some(SelectedFile { name: object.key, size_bytes: object.size_bytes, meaning })
        })
        .collect();
    let ours = files.len();
    files.retain(|file| !known.contains(&(file.name.clone(), file.size_bytes)));
    files.sort_by(|a, b| (&a.meaning.order_key, &a.name).cmp(&(&b.meaning.order_key, &b.name)));
    let bytes = files.iter().map(|file| file.size_bytes).sum();
    if ours == 0 {
        tracing::warn!(
            run_id = %context.run_id,
            "{} has no file of {} among {} names",
            context.config.source, context.dataset().name, report::count(total as u64)
        );
    }
    let what = format!("{} new of {} files at {}", files.len(), ours, context.config.source);
    let details = json!({ "names": total, "files": ours, "new": files.len() });
    step.done(&what, files.len() as u64, bytes, details).await?;
    Ok(Selected { files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(sizes: &[u64]) -> Selected {
        let files = sizes.iter().enumerate().map(|(number, size)| SelectedFile {
            name: number.to_string(),
            size_bytes: *size,
            meaning: FileName { run_date: jiff::civil::date(2026, 1, 1), order_key: number.to_string() },
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
