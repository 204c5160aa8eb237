//! Select: finds the new files of the source, in the order in which they count.
//!
//! In: the source's listing and the ledger's done files. Out: [`Selected`]. A failure changes nothing.

mod asked;
mod together;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use globset::GlobMatcher;
use jiff::Timestamp;
use serde_json::json;

use crate::clients::store::{Listing, ObjectInfo};
use crate::config::Selection;
use crate::dataset::slice::Slice;
use crate::dataset::{Dataset, FileName};
use crate::error::Cause;
use crate::ledger::KnownPart;
use crate::run::context::RunContext;
use crate::run::gather::Gathered;
use crate::{fault, words};

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
    /// When it was last changed at its source, if that time identifies a posting.
    pub modified: Option<Timestamp>,
    /// Only these records of it; empty: all.
    pub only_ordinals: Vec<u64>,
    /// The request, if the file is the answer to one.
    pub asked: Option<AskedFor>,
    /// A posting that is done and has the same size: it may be the same file, and is compared.
    pub known: Option<Posting>,
    /// Why it cannot be requested at all.
    pub problem: Option<&'static str>,
}

/// The request that a part answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedFor {
    pub slice: Slice,
    /// The number of records that it must have, if known.
    pub records: Option<u64>,
    /// The part answers a larger request, and holds more records.
    pub holds_more: bool,
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

    /// Splits the files into batches of at most `bytes` (a larger file is a batch of its own). A run
    /// that must stop at the first failure, or show its whole change, is one batch.
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

/// Lists the source and selects what the run is to process; for a run that asks, the answers it has `gathered`.
pub async fn select(context: &RunContext, gathered: Option<&Gathered>) -> Result<Selected, Cause> {
    let step = context.begin(0, "select").await?;
    fault::point!("select.begin");
    let Listing { files: listing, odd } = context.source().listing("").await?;
    let names = listing.len();
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
    if !matches!(context.selection(), Selection::New) {
        // The archive's own times do not show when the sender posted the files.
        files.iter_mut().for_each(|file| file.modified = None);
    }
    if context.dataset().is_sliced() && context.from.asking.is_none() {
        asked::say_what_was_asked(context, &mut files).await?;
    }
    let bytes = files.iter().map(|file| file.size_bytes).sum();
    let what = format!("{} of {} files at {}", files.len(), ours, context.url());
    let details = json!({ "names": names, "files": ours, "selected": files.len() });
    step.done(&what, files.len() as u64, bytes, details).await?;
    fault::point!("select.end");
    Ok(Selected { files })
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
            problem: Some(problem),
        })
    };
    files.extend(odd.into_iter().filter_map(file));
    sort(files);
}

/// Of parts with the same order, which are states of one history, keeps the one that was taken last: the source may
/// have an earlier state again, which production no longer has.
fn only_last(dataset: &Dataset, known: &mut Vec<KnownPart>) {
    let key = |part: &KnownPart| (dataset.file_name)(&part.name).map(|meaning| meaning.order_key);
    let mut last: HashMap<Option<String>, i64> = HashMap::new();
    for part in known.iter() {
        let id = last.entry(key(part)).or_insert(part.part_id);
        *id = part.part_id.max(*id);
    }
    known.retain(|part| last.get(&key(part)) == Some(&part.part_id));
}

/// Leaves out files that are done, by the newest posting of each name. A file of another size was posted again and is
/// taken; order safety decides about its records. A file of the same size with another time of change may have been
/// posted again: it is fetched and compared.
pub fn leave_out_done(files: &mut Vec<SelectedFile>, known: Vec<KnownPart>) {
    let known: HashMap<_, _> = known.into_iter().map(|file| (file.name.clone(), file)).collect();
    files.retain_mut(|file| {
        let Some(known) = known.get(&file.name).filter(|known| known.is_done) else { return true };
        if file.problem.is_some() {
            return false;
        }
        if known.size_bytes != file.size_bytes {
            return true;
        }
        let (Some(before), Some(now), Some(sha256)) = (known.modified, file.modified, &known.sha256) else {
            return false;
        };
        // The ledger keeps microseconds.
        if before.as_microsecond() == now.as_microsecond() {
            return false;
        }
        file.known = Some(Posting { part_id: known.part_id, sha256: sha256.clone() });
        true
    });
}

/// Leaves out files of the archive that are done. Times do not count, because they are the archive's own.
pub fn leave_out_archived(files: &mut Vec<SelectedFile>, known: &[KnownPart]) {
    files.retain(|file| {
        !known
            .iter()
            .any(|known| known.is_done && known.name == file.name && known.size_bytes == file.size_bytes)
    });
}

/// Leaves out files that are done, and logs it if none is left.
async fn only_new(context: &RunContext, files: &mut Vec<SelectedFile>, names: usize) -> Result<(), Cause> {
    if files.is_empty() {
        tracing::warn!(
            run_id = %context.run_id,
            "{} has no file of {} among {} names",
            context.url(), context.dataset().name, words::count(names as u64)
        );
    }
    let mut known = context.ledger.known_parts().await?;
    let undone = undone(files, &known);
    if context.dataset().walked.is_some() {
        only_last(context.dataset(), &mut known);
    }
    leave_out_done(files, known);
    // A file that may have been posted again is compared first.
    say_undone(context, undone.into_iter().filter(|name| !is_taken(files, name)).collect());
    Ok(())
}

/// Names of these files whose last posting was undone.
fn undone(files: &[SelectedFile], known: &[KnownPart]) -> Vec<String> {
    let undone: HashSet<_> = known.iter().filter(|known| known.is_undone).map(|known| &known.name).collect();
    files.iter().map(|file| &file.name).filter(|name| undone.contains(name)).cloned().collect()
}

/// Is a file taken for processing, not only for comparison?
fn is_taken(files: &[SelectedFile], name: &str) -> bool {
    files.iter().any(|file| file.name == name && file.known.is_none())
}

/// Warns of undone files: somebody who waits for one must know that it is not taken again by itself.
fn say_undone(context: &RunContext, names: Vec<String>) {
    if let Some(first) = names.first() {
        tracing::warn!(
            run_id = %context.run_id,
            "not taken, since its data was undone: {}; merganser reprocess {} {first} --force takes it",
            shorten(&names),
            context.dataset().name
        );
    }
}

/// Takes the files whose names match, those without a failure only if `force`.
async fn only_matching(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
    glob: &GlobMatcher,
    force: bool,
) -> Result<(), Cause> {
    let all: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let known: Vec<_> = context.ledger.known_parts().await?.into_iter().filter(|file| file.is_done).collect();
    let gone: BTreeSet<_> = known.iter().map(|file| file.name.clone()).collect();
    let gone = gone.into_iter().filter(|name| glob.is_match(name) && !all.contains(name));
    let gone: Vec<_> = gone.collect();
    files.retain(|file| glob.is_match(&file.name));
    if !gone.is_empty() {
        no_longer_there(context, &gone, files.is_empty(), "it is not processed again")?;
    }
    if files.is_empty() {
        return Err(Cause::Refused {
            message: format!("no file of {} matches {}", context.url(), glob.glob()),
            hint: Some(match all.len() {
                0 => "run without a pattern first: the archive has no files yet".into(),
                count => format!("choose from {count}: {}", shorten(&all)),
            }),
        });
    }
    if force {
        return Ok(());
    }
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let undone = undone(files, &known);
    // Failures in an older posting of an undone file are open again, but do not bring the file back.
    let clean: Vec<_> = known.into_iter().filter(|file| file.is_undone || !file.has_failures).collect();
    leave_out_archived(files, &clean);
    let taken: HashSet<_> = files.iter().map(|file| &file.name).collect();
    let skipped: Vec<_> =
        names.into_iter().filter(|name| !taken.contains(name) && !undone.contains(name)).collect();
    say_undone(context, undone.iter().filter(|name| !taken.contains(name)).cloned().collect());
    if !skipped.is_empty() {
        tracing::info!(
            run_id = %context.run_id,
            "{} file(s) are done without a failure and skipped, see --force: {}",
            skipped.len(),
            shorten(&skipped)
        );
    }
    Ok(())
}

/// Takes the unresolved failed records.
async fn only_failed(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
    run: Option<&str>,
    record: Option<i64>,
) -> Result<(), Cause> {
    let run = match run {
        Some(name) => Some(context.ledger.run_named(name).await?),
        None => None,
    };
    if let Some(record) = record {
        may_be_retried(context, record).await?;
    }
    // A place is only valid in a file of that name and size.
    let mut places: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
    for place in context.ledger.unresolved(run, record).await? {
        places.entry((place.file, place.size_bytes)).or_default().push(place.ordinal);
    }
    files.retain_mut(|file| match places.remove(&(file.name.clone(), file.size_bytes)) {
        Some(ordinals) => {
            // Single records would replace everything.
            if !context.dataset().is_replaced() {
                file.only_ordinals = ordinals;
            }
            true
        }
        None => false,
    });
    let missing: Vec<_> = places.into_keys().map(|(name, _)| name).collect();
    if !missing.is_empty() {
        no_longer_there(context, &missing, files.is_empty(), "its failed records stay as they are")?;
    }
    Ok(())
}

/// Refuses a number that is not a failed record, or a record that cannot be read on its own; warns if it is settled
/// already.
async fn may_be_retried(context: &RunContext, record: i64) -> Result<(), Cause> {
    let Some(known) = context.ledger.failed_record(record).await? else {
        return Err(Cause::Usage {
            message: format!("the ledger knows no failed record {record} of {}", context.dataset().name),
            hint: Some("merganser failures lists them".into()),
        });
    };
    let schema = &context.target.database.schema;
    if let Some(resolution) = &known.resolution {
        tracing::info!(run_id = %context.run_id, "failed record {record} is settled already: {resolution}");
    } else if known.target_schema != *schema {
        return Err(Cause::Usage {
            message: format!("failed record {record} is of schema {}, not of {schema}", known.target_schema),
            hint: Some(format!("--schema {}", known.target_schema)),
        });
    } else if known.ordinal == 0 {
        return Err(Cause::Refused {
            message: format!(
                "failed record {record} is where {} breaks off: no record to try again",
                known.file
            ),
            hint: Some(format!("merganser reprocess {} {}", context.dataset().name, known.file)),
        });
    }
    Ok(())
}

/// Handles files that the ledger knows but that the archive lacks, or has with other content: an error if there are no
/// others.
fn no_longer_there(context: &RunContext, names: &[String], all: bool, meanwhile: &str) -> Result<(), Cause> {
    let message = format!(
        "{} is in the ledger, but no longer as it was in the archive {}",
        shorten(names),
        context.url()
    );
    if all {
        return Err(Cause::Refused { message, hint: Some("put it back there, then try again".into()) });
    }
    tracing::warn!(run_id = %context.run_id, "{message}: {meanwhile}");
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
            meaning: FileName { run_date: None, order_key: number.to_string() },
            modified: None,
            only_ordinals: Vec::new(),
            asked: None,
            known: None,
            problem: None,
        });
        Selected { files: files.collect() }
    }

    #[test]
    fn the_newest_posting_is_compared_when_its_time_is_another() {
        let time = |microsecond| Timestamp::from_microsecond(microsecond).ok();
        let file =
            |size_bytes, modified| SelectedFile { modified, ..selected(&[size_bytes]).files.remove(0) };
        let known = |is_done, modified, sha256: Option<&str>| KnownPart {
            part_id: 7,
            name: "0".into(),
            size_bytes: 10,
            sha256: sha256.map(str::to_owned),
            modified,
            is_done,
            has_failures: false,
            is_undone: false,
        };
        let taken = |file: SelectedFile, known: KnownPart| {
            let mut files = vec![file];
            leave_out_done(&mut files, vec![known]);
            files.pop().map(|file| file.known.map(|posting| posting.part_id))
        };
        let done = || known(true, time(5), Some("a"));
        assert_eq!(taken(file(10, time(5)), done()), None);
        assert_eq!(taken(file(10, None), done()), None, "the source tells no time");
        assert_eq!(taken(file(10, time(6)), known(true, None, Some("a"))), None, "an older ledger");
        assert_eq!(taken(file(10, time(6)), known(true, time(5), None)), None, "nobody has read it");
        assert_eq!(taken(file(10, time(6)), done()), Some(Some(7)));
        assert_eq!(taken(file(11, time(5)), done()), Some(None));
        assert_eq!(taken(file(10, time(5)), known(false, time(5), Some("a"))), Some(None), "it broke off");
        let odd = SelectedFile { problem: Some("it is a folder"), ..file(0, None) };
        assert_eq!(taken(odd.clone(), known(false, None, None)), Some(None));
        assert_eq!(taken(odd, done()), None, "it is done: nothing is missing");
    }

    #[test]
    fn batches_are_bounded_and_keep_the_order() {
        let shape = |batches: Vec<Batch>| batches.iter().map(|b| b.files.len()).collect::<Vec<_>>();
        assert_eq!(shape(selected(&[4, 4, 4, 20, 1, 9]).into_batches(10, false)), [2, 1, 1, 2]);
        assert_eq!(shape(selected(&[4, 4, 20]).into_batches(10, true)), [3]);
        assert!(selected(&[]).into_batches(10, false).is_empty());
    }
}
