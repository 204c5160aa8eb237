//! Values of a filter that no record of any file has: what is asked for is misspelt, and nothing of it may be replaced by nothing.

use std::collections::BTreeSet;

use super::StagedFile;
use crate::dataset::slice::Slice;
use crate::dataset::{Dataset, Parsed};
use crate::error::Cause;

/// Refuses the first of them, with those that may have been meant. Whether a value is in a file that could not be read to its
/// end, nobody knows.
pub(super) fn admit(dataset: &Dataset, files: &[StagedFile]) -> Result<(), Cause> {
    let read = files.iter().map(|file| file.parsed.as_ref().ok().filter(|parsed| parsed.complete));
    let (Some(read), Some(asked)) = (read.collect::<Option<Vec<_>>>(), dataset.asked) else { return Ok(()) };
    let Some(first) = read.first() else { return Ok(()) };
    let names: Vec<_> = files.iter().map(|file| file.fetched.name.as_str()).collect();
    let (within, hint) = match names.len() < (asked.contents)(&Slice::default()).len() {
        // A service knows the values of all contents.
        true => (
            format!(
                "only {} {} read, and there ",
                names.join(", "),
                if names.len() == 1 { "was" } else { "were" }
            ),
            "put the filter right, or widen those that leave files out, and run again",
        ),
        false => (String::new(), "put the filter right and run again"),
    };
    for unseen in &first.unseen {
        for value in &unseen.values {
            let others = read.iter().map(|parsed| others(parsed, &unseen.column, value));
            if let Some(others) = others.collect::<Option<Vec<_>>>() {
                let others: BTreeSet<_> = others.into_iter().flatten().collect();
                return Err(Cause::Usage {
                    message: within + &(asked.never)(&unseen.column, value, &Vec::from_iter(others)),
                    hint: Some(hint.into()),
                });
            }
        }
    }
    Ok(())
}

/// What a file has in the place of a value; `None`: it has the value.
fn others<'a>(parsed: &'a Parsed, column: &str, value: &str) -> Option<Vec<&'a str>> {
    let mut unseen = parsed.unseen.iter();
    let unseen =
        unseen.find(|unseen| unseen.column == column && unseen.values.iter().any(|known| known == value))?;
    Some(unseen.others.iter().map(String::as_str).collect())
}
