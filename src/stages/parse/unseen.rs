//! Values of a filter that no record of any file has: what is asked for is misspelt, and nothing of it may be replaced by nothing.

use std::collections::BTreeSet;

use super::StagedFile;
use crate::dataset::{Dataset, Parsed};
use crate::error::Cause;

/// Refuses the first of them, with those that may have been meant. Whether a value is in a file that could not be read to its
/// end, nobody knows.
pub(super) fn admit(dataset: &Dataset, files: &[StagedFile]) -> Result<(), Cause> {
    let read = files.iter().map(|file| file.parsed.as_ref().ok().filter(|parsed| parsed.complete));
    let (Some(read), Some(asked)) = (read.collect::<Option<Vec<_>>>(), dataset.asked) else { return Ok(()) };
    let Some(first) = read.first() else { return Ok(()) };
    for unseen in &first.unseen {
        for value in &unseen.values {
            let others = read.iter().map(|parsed| others(parsed, &unseen.column, value));
            if let Some(others) = others.collect::<Option<Vec<_>>>() {
                let others: BTreeSet<_> = others.into_iter().flatten().collect();
                return Err(Cause::Usage {
                    message: (asked.never)(&unseen.column, value, &Vec::from_iter(others)),
                    hint: Some("put the filter right and run again".into()),
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
