//! What is written beside the published tables: the manifest, and a badge.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Object;
use crate::dataset::Reach;
use crate::run::context::Context;

/// What a reader needs to tell a consistent set of files: it names only public ones.
pub(super) fn manifest(context: &Context, newest: Option<&str>, objects: &[Object]) -> Value {
    let public = objects.iter().filter(|object| object.csv.reach == Reach::Public);
    let files = public.map(|object| {
        json!({
            "name": object.csv.name,
            "rows": object.rows,
            "size_bytes": object.size_bytes,
            "sha256": object.sha256,
        })
    });
    json!({
        "dataset": context.dataset().name,
        "run_id": context.run_id,
        "newest_run_date": newest,
        "published_at": Timestamp::now().to_string(),
        "files": files.collect::<Vec<_>>(),
    })
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
