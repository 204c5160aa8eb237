//! The memory of a worker: a worker that takes more than its share is ended, because no allocation of its own can be relied on
//! to fail in time.

use uuid::Uuid;

use super::super::claim::{self, WorkerId};
use super::super::finish;
use super::super::job::{CleanWith, Job};
use super::super::resident::Resident;
use super::super::session::JobSession;
use super::Worker;
use crate::clients::postgres::PgUrl;
use crate::config::TransformConfig;
use crate::error::Cause;
use crate::words;

/// Begins to watch the memory of this process, a worker of the job.
pub fn watch(config: &TransformConfig, job: &Job) -> Resident {
    Resident::begin(std::process::id(), resident_bytes(config, job))
}

/// What a worker of the job may take by itself, in bytes.
fn resident_bytes(config: &TransformConfig, job: &Job) -> u64 {
    config.worker.resident_bytes(matches!(job.clean.with, CleanWith::Python { .. }))
}

/// Notes that a worker has taken more memory than its share with the groups that it holds: they are tried again alone and with
/// more, or become poison. This needs a new connection, because the worker's own is busy.
///
/// # Errors
/// The worker holds no group, so that another one would take as much; or the database does not answer.
pub async fn pass(
    config: &TransformConfig,
    url: &PgUrl,
    worker: Uuid,
    resident: &Resident,
) -> Result<(), Cause> {
    let (took, share) = (words::size(resident.peak_bytes()), words::size(resident.limit_bytes()));
    let session = JobSession::open(url, &config.database, "transform").await?;
    let held = claim::held(&session, worker).await?;
    if held.is_empty() {
        return Err(Cause::Refused {
            message: format!("the worker took {took} of memory without a group, and its share is {share}"),
            hint: Some("give it more with --memory, or start fewer with --workers".into()),
        });
    }
    for (version, claim) in &held {
        let worker = WorkerId { worker, version: *version };
        let said = format!("the worker took {took} of memory, and its share is {share}");
        let then = finish::fail(&session, &worker, claim, &said).await?;
        let group = claim.group_no;
        tracing::warn!(group, attempt = claim.attempts, "group {group}: {said}: {then}");
    }
    Ok(WorkerId { worker, version: Uuid::nil() }.leave(&session, true).await?)
}

impl Worker<'_> {
    /// Sets what the worker may take for a group, `share` times as much as for others.
    pub(super) fn allow(&self, share: u64) {
        self.resident.limit(resident_bytes(self.config, self.job) * share);
    }
}
