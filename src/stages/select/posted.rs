//! The order of files whose names do not tell which is newer: it is the order in which they were posted.

use super::{SelectedFile, sort};
use crate::config::Selection;
use crate::error::Cause;
use crate::run::context::RunContext;

/// Gives each file the place that it had when it was last taken in, if it is read again, and otherwise one after all of them. A file
/// without an order key comes first whenever it is read.
pub(super) async fn place(context: &RunContext, files: &mut [SelectedFile]) -> Result<(), Cause> {
    let (mut known, newest) = context.ledger.order_keys().await?;
    let is_new = matches!(context.selection(), Selection::New | Selection::Tables);
    for file in files.iter_mut().filter(|file| !file.meaning.order_key.is_empty()) {
        let before = known.remove(&file.name).filter(|_| !is_new);
        // The number of a part is never used twice, while a clock may be set back. Earlier programs left plain names, which come before
        // this word.
        let now = || format!("posted {:019} {}", newest + 1, file.meaning.order_key);
        file.meaning.order_key = before.unwrap_or_else(now);
    }
    sort(files);
    Ok(())
}
