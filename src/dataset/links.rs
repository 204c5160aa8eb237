//! Addresses on the web in a dataset's rows, of which it can be asked whether anybody is there.

use super::Options;

/// Addresses in staged rows, before the dataset's checks run.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// The view of the staging store that has them in a column `url`.
    pub view: &'static str,
    /// The table of the staging store that gets those at which nobody is, with `url` and `reason`. The dataset's checks make
    /// failed records of them.
    pub dead: &'static str,
    /// What the options ask for; `None`: nobody is asked.
    pub plan: fn(&Options) -> Option<LinksPlan>,
}

/// How addresses are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksPlan {
    /// Seconds that all of them may take together.
    pub seconds: u64,
    /// Hosts that may be asked although they are not on the public web.
    pub own_hosts: Vec<String>,
}
