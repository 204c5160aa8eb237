//! Files beside the published tables: the manifest and a badge.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Object;
use crate::clients::store::StoreError;
use crate::dataset::Reach;
use crate::error::Cause;
use crate::run::context::Context;

/// The manifest, by which a reader recognises a consistent set of files. It names only public ones.
pub(super) fn manifest(context: &Context, newest: Option<&str>, objects: &[Object]) -> Value {
    let public = objects.iter().filter(|object| object.table.reach == Reach::Public);
    let mut manifest = json!({
        "dataset": context.dataset().name,
        "run_id": context.run_id,
        "newest_run_date": newest,
        "published_at": Timestamp::now().to_string(),
        "files": public.map(file).collect::<Vec<_>>(),
    });
    if let Some(notice) = context.dataset().notice {
        manifest["notice"] = notice.into();
    }
    manifest
}

fn file(object: &Object) -> Value {
    let mut file = json!({
        "name": object.table.object(object.value, object.form),
        "rows": object.rows,
        "size_bytes": object.size_bytes,
        "sha256": object.sha256,
    });
    if let (Some(split), Some(value)) = (object.table.split, object.value) {
        file["slice"] = json!({ split.column: value });
    }
    file
}

/// Removes public objects that the manifest no longer names: forms that are no longer wanted, and slices without rows.
/// Otherwise permanently deleted data would stay in them.
pub(super) async fn sweep(context: &Context, objects: &[Object]) -> Result<(), Cause> {
    let published = context.dataset().published;
    let public: Vec<_> = published.iter().filter(|table| table.reach == Reach::Public).collect();
    let named: HashSet<_> = objects.iter().map(|object| object.key.as_str()).collect();
    let folder = context.objects().public_folder();
    let listed = match context.store.list_names(&folder).await {
        // Everything is published, so a damaged answer is worth a second request.
        Err(error) if !matches!(error, StoreError::Denied { .. }) => {
            tracing::warn!(run_id = %context.run_id, "the list of what is public is asked for again: {error}");
            context.store.list_names(&folder).await
        }
        listed => listed,
    };
    for object in listed? {
        let name = object.key.rsplit('/').next().unwrap_or_default();
        // A table that cannot be published now has an empty CSV meanwhile.
        let stays = public.iter().any(|table| table.split.is_none() && table.name == name);
        if named.contains(object.key.as_str()) || stays || !public.iter().any(|table| table.may_be(name)) {
            continue;
        }
        context.ledger.confirm().await?;
        context.store.delete(&object.key).await?;
        tracing::info!(run_id = %context.run_id, object = object.key, "{} is not published any more: removed", object.key);
    }
    Ok(())
}

/// A badge that says when the data was last updated.
pub(super) fn shield(date: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="164" height="20" role="img" aria-label="last updated: {date}">
  <title>last updated: {date}</title>
  <rect width="86" height="20" rx="3" fill="#555"/>
  <rect x="82" width="82" height="20" rx="3" fill="#2a7ab0"/>
  <rect x="82" width="6" height="20" fill="#2a7ab0"/>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
    <text x="42" y="14">last updated</text>
    <text x="125" y="14">{date}</text>
  </g>
</svg>
"##
    )
}
