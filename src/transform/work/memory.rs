//! The memory of a worker. A process that takes more than its share is started again, because no allocation of its own can be
//! relied on to fail in time; the new one notes what the old one held.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::super::claim::{self, WorkerId};
use super::super::finish;
use super::super::job::Job;
use super::super::resident::Resident;
use super::super::session::JobSession;
use super::super::versions::Version;
use super::Worker;
use crate::clients::postgres::PgUrl;
use crate::config::TransformConfig;
use crate::error::{Cause, Database, Failure};
use crate::system::machine;
use crate::words;

/// How long a worker without a claim checks whether its last claim has left it too large for others.
const SETTLE: Duration = Duration::from_millis(60);

/// The share of this process, a worker's, in the memory.
pub struct WorkerShare {
    resident: Resident,
    share_bytes: u64,
    /// The most that the machine or the container has for it.
    most_bytes: u64,
    /// Whether it has read a group, so that a fresh process takes less.
    has_worked: AtomicBool,
    is_in_place: AtomicBool,
}

impl WorkerShare {
    /// Begins to watch this process.
    pub fn watch(config: &TransformConfig, job: &Job) -> Self {
        let share_bytes = config.worker.resident_bytes(job.is_python());
        Self {
            resident: Resident::begin(std::process::id(), share_bytes),
            share_bytes,
            most_bytes: (machine::memory_bytes() / 10 * 9).max(share_bytes),
            has_worked: AtomicBool::new(false),
            is_in_place: AtomicBool::new(config.in_place),
        }
    }

    /// Notes how the version is made, which was said when it was planned.
    pub(super) fn is_of(&self, version: &Version) {
        self.is_in_place.store(version.is_in_place, Ordering::Relaxed);
    }

    /// Completes when the process takes more than its share.
    pub async fn passed(&self) {
        self.resident.passed().await;
    }

    /// What the process that replaces this one is told.
    pub fn outgrown(&self, worker: Uuid) -> Outgrown {
        Outgrown {
            worker,
            took_bytes: self.resident.peak_bytes(),
            share_bytes: self.resident.limit_bytes(),
            has_worked: self.has_worked.load(Ordering::Relaxed),
            is_in_place: self.is_in_place.load(Ordering::Relaxed),
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
    is_in_place: bool,
}

impl Outgrown {
    /// As [`Self::parse`] reads it.
    pub fn text(&self) -> String {
        let Self { worker, took_bytes, share_bytes, has_worked, is_in_place } = self;
        format!("{worker} {took_bytes} {share_bytes} {has_worked} {is_in_place}")
    }

    /// The failure of a process that cannot be replaced, or whose claims cannot be noted.
    pub fn failure(&self, cause: Cause) -> Failure {
        failure(cause, self.is_in_place)
    }

    /// `None`: it is no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            worker: words.next()?.parse().ok()?,
            took_bytes: words.next()?.parse().ok()?,
            share_bytes: words.next()?.parse().ok()?,
            has_worked: words.next()?.parse().ok()?,
            is_in_place: words.next()?.parse().ok()?,
        })
    }
}

/// The failure of a worker: others, or this one, have committed partitions before.
pub fn failure(cause: Cause, in_place: bool) -> Failure {
    let database = Database::Partitions { in_place };
    Failure { step: None, run_id: None, cause: Box::new(cause), database }
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
    noted.await.map_err(|cause| outgrown.failure(cause))
}

impl Worker<'_> {
    /// Sets what the worker may take for a group, `times` as much as for others, but no more than there is.
    pub(super) fn allow(&self, times: u64) {
        let share = self.share;
        share.has_worked.store(true, Ordering::Relaxed);
        share.resident.limit((share.share_bytes * times).min(share.most_bytes));
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
        let worker = Uuid::now_v7();
        let outgrown =
            Outgrown { worker, took_bytes: 300, share_bytes: 256, has_worked: true, is_in_place: false };
        assert_eq!(Outgrown::parse(&outgrown.text()), Some(outgrown));
        assert_eq!(Outgrown::parse("1 2 3"), None);
    }
}
