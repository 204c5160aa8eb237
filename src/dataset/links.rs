//! Web addresses in a dataset's rows that can be checked for dead links.

use super::Options;

/// Addresses in staged rows, before the dataset's checks run.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// The view of the staging store that has them in a column `url`.
    pub view: &'static str,
    /// The table of the staging store that gets the dead ones, with `url` and `reason`. The dataset's checks turn them
    /// into failed records.
    pub dead: &'static str,
    /// The settings from the options; `None`: addresses are not checked.
    pub plan: fn(&Options) -> Option<LinksPlan>,
}

/// How addresses are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksPlan {
    /// The most seconds that all of them may take together.
    pub seconds: u64,
    /// Hosts that may be asked even though they are not on the public web.
    pub own_hosts: Vec<String>,
}
