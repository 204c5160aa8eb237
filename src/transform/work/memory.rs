//! The memory of a worker. A process that takes more than its share is started anew, because no allocation of its own can be
//! relied on to fail in time; the new one notes what the old one held.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::super::claim::{self, WorkerId};
use super::super::finish;
use super::super::job::{CleanWith, Job};
use super::super::resident::Resident;
use super::super::session::JobSession;
use super::Worker;
use crate::clients::postgres::PgUrl;
use crate::config::TransformConfig;
use crate::error::{Cause, Database, Failure};
use crate::system::machine;
use crate::words;

/// How long a worker without a claim looks whether the last one has left it too large for others.
const SETTLE: Duration = Duration::from_millis(60);

/// The share of this process, a worker's, in the memory.
pub struct WorkerShare {
    resident: Resident,
    /// Whether it has read a group, so that a fresh process takes less.
    has_worked: AtomicBool,
}

impl WorkerShare {
    /// Begins to watch this process.
    pub fn watch(config: &TransformConfig, job: &Job) -> Self {
        let resident = Resident::begin(std::process::id(), resident_bytes(config, job, 1));
        Self { resident, has_worked: AtomicBool::new(false) }
    }

    /// Completes when the process takes more than its share.
    pub async fn passed(&self) {
        self.resident.passed().await;
    }

    /// What the process that takes the place of this one is told.
    pub fn outgrown(&self, worker: Uuid) -> Outgrown {
        Outgrown {
            worker,
            took_bytes: self.resident.peak_bytes(),
            share_bytes: self.resident.limit_bytes(),
            has_worked: self.has_worked.load(Ordering::Relaxed),
        }
    }
}

/// A worker that took more memory than its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgrown {
    worker: Uuid,
    took_bytes: u64,
    share_bytes: u64,
    has_worked: bool,
}

impl Outgrown {
    /// As [`Self::parse`] reads it.
    pub fn text(&self) -> String {
        format!("{} {} {} {}", self.worker, self.took_bytes, self.share_bytes, self.has_worked)
    }

    /// `None`: it is no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            worker: words.next()?.parse().ok()?,
            took_bytes: words.next()?.parse().ok()?,
            share_bytes: words.next()?.parse().ok()?,
            has_worked: words.next()?.parse().ok()?,
        })
    }
}

/// What a worker of the job may take by itself, in bytes: `times` its share, but no more than there is.
fn resident_bytes(config: &TransformConfig, job: &Job, times: u64) -> u64 {
    let share = config.worker.resident_bytes(matches!(job.clean.with, CleanWith::Python { .. }));
    (share * times).min(machine::memory_bytes() / 10 * 9).max(share)
}

/// Notes for a worker that is gone: the groups that it held are tried again alone and with more memory, or become poison.
///
/// # Errors
/// It had held none and done nothing, so another one would take as much; or the database does not answer.
pub async fn replace(config: &TransformConfig, url: &PgUrl, outgrown: &Outgrown) -> Result<(), Failure> {
    let Outgrown { worker, has_worked, .. } = *outgrown;
    let (took, share) = (words::size(outgrown.took_bytes), words::size(outgrown.share_bytes));
    let noted = async {
        let session = JobSession::open(url, &config.database, "transform").await?;
        let held = claim::held(&session, worker).await?;
        for (version, claim) in &held {
            let worker = WorkerId { worker, version: *version };
            let said = format!("the worker took {took} of memory, and its share is {share}");
            let then = finish::fail(&session, &worker, claim, &said).await?;
            let group = claim.group_no;
            tracing::warn!(group, attempt = claim.attempts, "group {group}: {said}: {then}");
        }
        WorkerId { worker, version: Uuid::nil() }.leave(&session, true).await?;
        match held.is_empty() && !has_worked {
            true => Err(Cause::Refused {
                message: format!(
                    "the worker took {took} of memory without a group, and its share is {share}"
                ),
                hint: Some("give it more with --memory, or start fewer with --workers".into()),
            }),
            false => Ok(()),
        }
    };
    noted.await.map_err(|cause| Failure {
        step: None,
        run_id: None,
        cause: Box::new(cause),
        database: Database::Partitions { in_place: config.in_place },
    })
}

impl Worker<'_> {
    /// Sets what the worker may take for a group, `times` as much as for others.
    pub(super) fn allow(&self, times: u64) {
        self.share.has_worked.store(true, Ordering::Relaxed);
        self.share.resident.limit(resident_bytes(self.config, self.job, times));
    }

    /// What a group that was given more has left in memory is not charged to the next: the worker holds nothing while its
    /// size is looked at.
    pub(super) async fn settle(&self, times: u64) {
        if times > 1 {
            self.allow(1);
            tokio::time::sleep(SETTLE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_replaced_is_told_in_words_that_can_be_read() {
        let outgrown =
            Outgrown { worker: Uuid::now_v7(), took_bytes: 300, share_bytes: 256, has_worked: true };
        assert_eq!(Outgrown::parse(&outgrown.text()), Some(outgrown));
        assert_eq!(Outgrown::parse("1 2 3"), None);
    }
}
