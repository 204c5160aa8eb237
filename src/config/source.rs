//! Where the files of a run come from.

use crate::clients::sftp::SftpOptions;
use crate::clients::source::SourceUrl;
use crate::error::Cause;

/// Which files and records a run takes.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Files of the source that the ledger does not know as done.
    New,
    /// Files of the archive whose names match; those that are done without a failure only if `force`.
    Archived { glob: globset::GlobMatcher, force: bool },
    /// Records that failed and are not put right: of one run, one of them, or all.
    Failed { run: Option<String>, record: Option<i64> },
}

/// Where the files of a run come from, and which of them it takes.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub url: SourceUrl,
    /// Of an SFTP source.
    pub sftp: SftpOptions,
    pub selection: Selection,
}

impl SourceConfig {
    /// Files of this source, everything else as it is by default.
    pub(super) fn new(url: SourceUrl, selection: Selection) -> Self {
        Self { url, sftp: SftpOptions::default(), selection }
    }
}

/// The selection of files of the archive.
pub(super) fn archived(glob: &str, force: bool) -> Result<Selection, Cause> {
    let glob = globset::GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| {
        Cause::usage(format!("`{glob}` (REPROCESS_GLOB) is not a glob: {}", error.kind()))
    })?;
    Ok(Selection::Archived { glob: glob.compile_matcher(), force })
}
