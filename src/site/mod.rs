//! The fourth flow: the sheets, the graph and the metrics from the database, as pages that need no server.
//!
//! [`read`] takes one snapshot; [`pages`] makes values of it, without a clock and without I/O; [`render`] makes bytes
//! of them; [`folder`] replaces the old files that differ, with one rename; [`upload`] does the same in a store.
//! [`state`] records the content that each step read and left.

mod blocks;
mod chart;
mod downloads;
mod facts;
pub mod folder;
pub mod links;
mod pages;
pub mod read;
pub mod render;
pub mod settings;
pub mod state;
pub mod upload;

use facts::SiteFacts;
use pages::SiteTitle;
use render::{SiteFile, Templates};

use crate::error::Cause;

/// A larger page is slow on a phone.
const PAGE_BYTES: usize = 150_000;

/// All files of a site, in the order of their paths.
///
/// # Errors
/// A template that asks for something that does not exist; two keys that make the same file.
pub fn files(facts: &SiteFacts, site: &SiteTitle, templates: &Templates) -> Result<Vec<SiteFile>, Cause> {
    let mut files = templates.render(&pages::pages(facts, site))?;
    files.extend(downloads::downloads(facts)?);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    folder::distinct(&files)?;
    for file in files.iter().filter(|file| file.path.ends_with(".html") && file.bytes.len() > PAGE_BYTES) {
        tracing::warn!("{} has {} bytes, and is slow on a phone", file.path, file.bytes.len());
    }
    Ok(files)
}
