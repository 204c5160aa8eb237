//! Files that could not be read, and that their source no longer has.

use super::shorten;
use crate::clients::store::ObjectInfo;
use crate::config::Selection;
use crate::error::Cause;
use crate::run::context::RunContext;

/// Their names, for the ledger: nobody can put them right any more, so they are not listed as open. Warns of those that were not known
/// to be gone.
pub(super) async fn files(
    context: &RunContext,
    listing: &[ObjectInfo],
    odd: &[(String, &'static str)],
) -> Result<Vec<String>, Cause> {
    // The archive is not a source of its own.
    if !matches!(context.selection(), Selection::New | Selection::Bulk) {
        return Ok(Vec::new());
    }
    let mut gone = context.ledger.unread(&context.url().to_string()).await?;
    gone.retain(|name| {
        !listing.iter().any(|object| object.key == *name) && !odd.iter().any(|(odd, _)| odd == name)
    });
    if !gone.is_empty() {
        tracing::warn!(
            run_id = %context.run_id,
            "{} could not be read and is gone from the source: only merganser failures --all still lists it",
            shorten(&gone)
        );
    }
    Ok(gone)
}
