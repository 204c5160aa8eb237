//! Where the files of a run come from.

use std::time::Duration;

use super::environment;
use crate::clients::http::HttpUrl;
use crate::clients::sftp::SftpOptions;
use crate::clients::source::SourceUrl;
use crate::dataset::Options;
use crate::dataset::asked::{Asked, FilesInstead, Misasked};
use crate::dataset::slice::Slice;
use crate::dataset::walked::{HistoryFeed, WalkBudget};
use crate::error::Cause;

/// What is asked of a service.
#[derive(Clone, Debug)]
pub struct AskingConfig {
    /// All that is wanted.
    pub want: Slice,
    /// `None`: nobody is asked.
    pub secret: Option<ApiSecret>,
    /// Where files are that are taken instead, if more requests than so many would be needed.
    pub files: Option<(SourceUrl, u64)>,
}

/// Which histories a service is asked for.
#[derive(Clone, Debug)]
pub struct WalkingConfig {
    pub base: HttpUrl,
    /// `None`: it is asked by nobody in particular, and gives little.
    pub token: Option<ApiSecret>,
    pub histories: Vec<String>,
    /// Requests at most, whatever they are; `None`: any number.
    pub requests: Option<u64>,
    /// What has to be waited for longer ends the run.
    pub max_wait: Duration,
}

impl WalkingConfig {
    /// What the options of a run say, with the token of the environment.
    ///
    /// # Errors
    /// What is wrong with the address or the options.
    pub(super) fn new(walked: &HistoryFeed, text: &str, options: &Options) -> Result<Self, Cause> {
        let base =
            text.parse::<HttpUrl>().map_err(|error| Cause::usage(format!("--source {text}: {error}")))?;
        let histories = (walked.histories)(options).map_err(Cause::usage)?;
        let WalkBudget { requests, max_wait } = (walked.budget)(options);
        Ok(Self { base, token: secret_of(walked.token), histories, requests, max_wait })
    }
}

/// What a service knows us by. It is shown nowhere.
#[derive(Clone)]
pub struct ApiSecret(String);

impl ApiSecret {
    /// This secret, which is nobody's: of a service of this machine.
    pub fn local(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    /// The secret itself, for the wire alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The secret in a variable of the environment, if there is one.
pub(super) fn secret_of(variable: &str) -> Option<ApiSecret> {
    let secret = environment(variable).map(|secret| secret.trim().to_owned());
    secret.filter(|secret| !secret.is_empty()).map(ApiSecret)
}

/// Which files and records a run takes.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Files of the source that the ledger does not know as done.
    New,
    /// Answers in the archive to what is asked for.
    Asked,
    /// Copies of the tables that the dataset is made of; nothing of them goes into the archive.
    Tables,
    /// Files that hold what could be asked for, and more.
    Bulk,
    /// Answers in the archive that no run has promoted.
    Walked,
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
    /// `None`: nobody is asked.
    pub asking: Option<AskingConfig>,
    /// `None`: nobody is asked for histories.
    pub walking: Option<WalkingConfig>,
}

impl SourceConfig {
    /// Names the histories that the options name by now to the service or the folder that they come from.
    ///
    /// # Errors
    /// Where they name none.
    pub fn name_histories(&mut self, walked: &HistoryFeed, options: &Options) -> Result<(), Cause> {
        if let Some(walking) = &mut self.walking {
            walking.histories = (walked.histories)(options).map_err(Cause::usage)?;
        }
        if let SourceUrl::Git(folder) = &mut self.url {
            folder.wanted = (walked.clones)(options).paths;
        }
        Ok(())
    }

    /// Files of this source, everything else as it is by default.
    pub(super) fn new(url: SourceUrl, selection: Selection) -> Self {
        Self { url, sftp: SftpOptions::default(), selection, asking: None, walking: None }
    }
}

/// The selection of files of the archive.
pub(super) fn archived(glob: &str, force: bool) -> Result<Selection, Cause> {
    let glob = globset::GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| {
        Cause::usage(format!("`{glob}` (REPROCESS_GLOB) is not a glob: {}", error.kind()))
    })?;
    Ok(Selection::Archived { glob: glob.compile_matcher(), force })
}

impl AskingConfig {
    /// What the options of a run ask a service for, with the secret of the environment. Of a run that is only looked at they
    /// need not say what is wanted.
    ///
    /// # Errors
    /// What is wrong with the options; no secret.
    pub(super) fn new(asked: &Asked, options: &Options, is_look: bool) -> Result<Self, Cause> {
        let want = match (asked.want)(options) {
            Err(misasked) if is_look && misasked.is_missing => (asked.trial)(),
            wanted => wanted.map_err(unasked)?,
        };
        let files = match (asked.files)(options) {
            FilesInstead::Always(_) => return Ok(Self { want, secret: None, files: None }),
            FilesInstead::Beyond(url, requests) => Some((SourceUrl::of_files(&url)?, requests)),
            FilesInstead::Never => None,
        };
        let base = (asked.manners)(options).base;
        base.parse::<HttpUrl>().map_err(|error| Cause::usage(format!("{base}: {error}")))?;
        let variable = asked.secret.variable;
        let Some(secret) = secret_of(variable) else {
            return Err(Cause::Usage {
                message: format!("{} is asked with a key, and {variable} is not set", asked.service),
                hint: Some(format!("{}; then: export {variable}=…", asked.secret.whence)),
            });
        };
        Ok(Self { want, secret: Some(secret), files })
    }

    /// The same with this secret, whatever the environment has.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(super) fn with(asked: &Asked, options: &Options, secret: ApiSecret) -> Result<Self, Cause> {
        let want = (asked.want)(options).map_err(unasked)?;
        Ok(Self { want, secret: Some(secret), files: None })
    }
}

fn unasked(misasked: Misasked) -> Cause {
    Cause::Usage { message: misasked.message, hint: misasked.hint }
}
