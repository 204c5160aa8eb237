//! Parts that are taken together: all of them or none.

use super::{BRINGS_BACK, Posting, SelectedFile, shorten};
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::words;

/// All parts from the source, for a dataset whose parts are taken together; `None`: they are not. `near` are similar
/// names, each with the reason why it is not a part.
///
/// # Errors
/// [`Cause::Refused`] if one is missing, because its content must not be lost.
pub(super) fn whole(
    context: &RunContext,
    files: &[SelectedFile],
    near: &[String],
    odd: &[(String, &'static str)],
) -> Result<Option<Vec<SelectedFile>>, Cause> {
    let Some(parts) = context.dataset().together() else { return Ok(None) };
    let missing: Vec<_> =
        parts.iter().filter(|part| !files.iter().any(|file| file.name == **part)).copied().collect();
    if missing.is_empty() {
        return Ok(Some(files.to_vec()));
    }
    let odd = odd.iter().filter(|(name, _)| missing.contains(&name.as_str()));
    let near: Vec<_> = near.iter().cloned().chain(odd.map(|(name, why)| format!("{name} ({why})"))).collect();
    let meant = match near.is_empty() {
        true => String::new(),
        false => format!("; there is {}", shorten(&near)),
    };
    Err(Cause::Refused {
        message: format!("{} has no {}{meant}", context.url(), missing.join(", ")),
        hint: Some(format!("put all of them there: {}", parts.join(", "))),
    })
}

/// Marks each part for comparison with the one that was loaded last, whatever its size and time: a changed table may
/// keep both.
pub(super) async fn to_compare(context: &RunContext, files: &mut [SelectedFile]) -> Result<(), Cause> {
    let known = context.ledger.known_parts().await?;
    let mut undone = Vec::new();
    for file in files.iter_mut() {
        let Some(known) = known.iter().find(|known| known.name == file.name && known.is_done) else {
            continue;
        };
        if known.is_undone {
            undone.push(file.name.clone());
        }
        let (part_id, sha256) = (known.part_id, known.sha256.clone());
        file.known = sha256.map(|sha256| Posting { part_id, sha256 });
    }
    // The state of the addresses in them may have changed since, or which of them may stand there, but that does not bring back undone
    // files.
    let is_linked = context.dataset().links.is_some() && !context.processing.options.is_empty();
    if undone.is_empty() && is_linked {
        files.iter_mut().for_each(|file| file.known = None);
        return Ok(());
    }
    if let Some(first) = undone.first() {
        let dataset = context.dataset();
        let how = match dataset.inputs.is_empty() {
            true => format!(
                "merganser reprocess {} {} --force takes it",
                context.target.typed(),
                words::quoted(first)
            ),
            false => BRINGS_BACK.to_owned(),
        };
        tracing::warn!(
            run_id = %context.run_id,
            "taken only if it has changed since its data was undone: {}; {how}",
            shorten(&undone)
        );
    }
    Ok(())
}
