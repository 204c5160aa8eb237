//! Leaves out what is done.

use std::collections::{HashMap, HashSet};

use super::{Posting, SelectedFile, shorten};
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::ledger::KnownPart;
use crate::run::context::RunContext;
use crate::words;

/// Among parts with the same order, which are states of one history, keeps the one that was taken last: the source may have
/// returned to an earlier state, which production no longer has.
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
/// taken; order safety decides about its records. A file of the same size may have been posted again unless its time of
/// change is the known one: it is fetched and compared. That time is not known of what was only read from the archive.
/// Whatever is taken is held against what was undone when it is fetched.
pub fn leave_out_done(files: &mut Vec<SelectedFile>, known: Vec<KnownPart>) {
    let known: HashMap<_, _> = known.into_iter().map(|file| (file.name.clone(), file)).collect();
    files.retain_mut(|file| {
        let Some(known) = known.get(&file.name) else { return true };
        file.undone_sha256.clone_from(&known.undone_sha256);
        if !known.is_done {
            return true;
        }
        if file.problem.is_some() {
            return false;
        }
        if known.size_bytes != file.size_bytes {
            return true;
        }
        // Without a checksum nothing can be compared, and a source without times would be fetched by every run.
        let (Some(now), Some(sha256)) = (file.modified, &known.sha256) else { return false };
        // The ledger keeps microseconds.
        if known.modified.is_some_and(|before| before.as_microsecond() == now.as_microsecond()) {
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
pub(super) async fn only_new(
    context: &RunContext,
    files: &mut Vec<SelectedFile>,
    names: usize,
) -> Result<(), Cause> {
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
    let (mut left, mut compared) = (Vec::new(), Vec::new());
    for name in undone {
        match files.iter().find(|file| file.name == name) {
            None => left.push(name),
            Some(file) if file.known.is_some() => compared.push(name),
            Some(_) => {}
        }
    }
    say_undone(context, left, "not taken, since its data was undone");
    say_undone(context, compared, "taken only if it has changed since its data was undone");
    Ok(())
}

/// How undone data that the archive does not have in its place any more comes back.
pub const BRINGS_BACK: &str =
    "merganser undo RUN, with the id of that undo (merganser status), brings it back";

/// Names of these files whose last posting was undone.
pub(super) fn undone(files: &[SelectedFile], known: &[KnownPart]) -> Vec<String> {
    let undone: HashSet<_> = known.iter().filter(|known| known.is_undone).map(|known| &known.name).collect();
    files.iter().map(|file| &file.name).filter(|name| undone.contains(name)).cloned().collect()
}

/// Warns of undone files and says what becomes of them: somebody who waits for one must know that it is not taken again by itself.
pub(super) fn say_undone(context: &RunContext, names: Vec<String>, outcome: &str) {
    if let Some(first) = names.first() {
        tracing::warn!(
            run_id = %context.run_id,
            "{outcome}: {}; merganser reprocess {} {} --force takes it",
            shorten(&names),
            context.target.typed(),
            words::quoted(first)
        );
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::tests::selected;
    use super::*;

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
            undone_sha256: Vec::new(),
        };
        let taken = |file: SelectedFile, known: KnownPart| {
            let mut files = vec![file];
            leave_out_done(&mut files, vec![known]);
            files.pop().map(|file| file.known.map(|posting| posting.part_id))
        };
        let done = || known(true, time(5), Some("a"));
        assert_eq!(taken(file(10, time(5)), done()), None);
        assert_eq!(taken(file(10, None), done()), None, "the source tells no time");
        assert_eq!(
            taken(file(10, time(6)), known(true, None, Some("a"))),
            Some(Some(7)),
            "only the archive was read"
        );
        assert_eq!(taken(file(10, time(6)), known(true, time(5), None)), None, "nobody has read it");
        assert_eq!(taken(file(10, time(6)), done()), Some(Some(7)));
        assert_eq!(taken(file(11, time(5)), done()), Some(None));
        assert_eq!(taken(file(10, time(5)), known(false, time(5), Some("a"))), Some(None), "it broke off");
        let odd = SelectedFile { problem: Some("it is a folder"), ..file(0, None) };
        assert_eq!(taken(odd.clone(), known(false, None, None)), Some(None));
        assert_eq!(taken(odd, done()), None, "it is done: nothing is missing");
    }
}
