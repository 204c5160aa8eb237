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

/// What a service is asked for.
#[derive(Clone, Debug)]
pub struct AskingConfig {
    /// The slice that is wanted.
    pub want: Slice,
    /// `None`: no service is asked.
    pub secret: Option<ApiSecret>,
    /// The location of files that are taken instead if more than this number of requests would be needed.
    pub files: Option<(SourceUrl, u64)>,
}

/// How a service is asked for histories.
#[derive(Clone, Debug)]
pub struct WalkingConfig {
    pub base: HttpUrl,
    /// `None`: it is asked anonymously, with a low limit.
    pub token: Option<ApiSecret>,
    pub histories: Vec<String>,
    /// The most requests of any kind; `None`: no limit.
    pub requests: Option<u64>,
    /// A longer wait ends the run.
    pub max_wait: Duration,
}

impl WalkingConfig {
    /// The settings from the options of a run, with the token from the environment.
    ///
    /// # Errors
    /// An error in the address or the options.
    pub(super) fn new(walked: &HistoryFeed, text: &str, options: &Options) -> Result<Self, Cause> {
        let base =
            text.parse::<HttpUrl>().map_err(|error| Cause::usage(format!("--source {text}: {error}")))?;
        let histories = (walked.histories)(options).map_err(Cause::usage)?;
        let WalkBudget { requests, max_wait } = (walked.budget)(options);
        Ok(Self { base, token: secret_of(walked.token), histories, requests, max_wait })
    }
}

/// Our key or token for a service. It is never shown.
#[derive(Clone)]
pub struct ApiSecret(String);

impl ApiSecret {
    /// A secret that protects nothing, for a local service.
    pub fn local(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    /// The secret itself, only to be sent to the service.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The secret in an environment variable, if it is set.
pub(super) fn secret_of(variable: &str) -> Option<ApiSecret> {
    let secret = environment(variable).map(|secret| secret.trim().to_owned());
    secret.filter(|secret| !secret.is_empty()).map(ApiSecret)
}

/// Which files and records a run takes.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Files of the source that the ledger does not know as done.
    New,
    /// Answers in the archive to the run's requests.
    Asked,
    /// Copies of the tables that the dataset is made of, which are not archived.
    Tables,
    /// Bulk files that hold what could be asked for, and more.
    Bulk,
    /// Answers in the archive that no run has promoted.
    Walked,
    /// Files of the archive whose names match; those that are done without a failure only if `force`.
    Archived { glob: globset::GlobMatcher, force: bool },
    /// Unresolved failed records: of one run, a single one, or all.
    Failed { run: Option<String>, record: Option<i64> },
}

/// Where the files of a run come from, and which of them it takes.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub url: SourceUrl,
    /// Settings of an SFTP source.
    pub sftp: SftpOptions,
    pub selection: Selection,
    /// `None`: no service is asked.
    pub asking: Option<AskingConfig>,
    /// `None`: no service is asked for histories.
    pub walking: Option<WalkingConfig>,
}

impl SourceConfig {
    /// Passes the histories that the options now name to the service or the folder they come from.
    ///
    /// # Errors
    /// Fails if they name none.
    pub fn name_histories(&mut self, walked: &HistoryFeed, options: &Options) -> Result<(), Cause> {
        if let Some(walking) = &mut self.walking {
            walking.histories = (walked.histories)(options).map_err(Cause::usage)?;
        }
        if let SourceUrl::Git(folder) = &mut self.url {
            folder.wanted = (walked.clones)(options).paths;
        }
        Ok(())
    }

    /// Files of this source, with defaults for everything else.
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
    /// What a service is asked for, from the options of a run, with the secret from the environment. For a run that is
    /// only checked, they need not say what is wanted.
    ///
    /// # Errors
    /// An error in the options; a missing secret.
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
                message: format!("{} needs a key, and {variable} is not set", asked.service),
                hint: Some(format!("{}; then: export {variable}=…", asked.secret.whence)),
            });
        };
        Ok(Self { want, secret: Some(secret), files })
    }

    /// The same with the given secret instead of the environment's.
    ///
    /// # Errors
    /// An error in the options.
    pub(super) fn with(asked: &Asked, options: &Options, secret: ApiSecret) -> Result<Self, Cause> {
        let want = (asked.want)(options).map_err(unasked)?;
        Ok(Self { want, secret: Some(secret), files: None })
    }
}

fn unasked(misasked: Misasked) -> Cause {
    Cause::Usage { message: misasked.message, hint: misasked.hint }
}
