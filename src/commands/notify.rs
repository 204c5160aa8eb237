//! Notifies a webhook of a run that did not end well: what happened, whether the database changed, what to type.
//! Otherwise nobody would notice, since nobody reads the logs of every run.
//!
//! The message contains no value of a record, and no message contains the webhook's address. A failed notification is a
//! warning: the exit code is that of the run.

use serde_json::{Value, json};

use super::deliver::deliver;
use super::summary::{self, Summary};
use crate::clients::http::{Posted, SecretUrl};
use crate::config;
use crate::error::{Cause, Exit, Failure};

/// The variable that holds the webhook's address.
pub const VARIABLE: &str = "MERGANSER_NOTIFY";
/// The variable with the number of days without anything new after which the webhook is notified.
const QUIET: &str = "MERGANSER_NOTIFY_QUIET";
/// A weekly feed that has missed a week, plus two days.
const QUIET_DAYS: u32 = 9;

/// A notification about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    dataset: String,
    run_id: Option<String>,
    exit: Exit,
    /// What happened, in a sentence without its full stop.
    reason: String,
    /// The state of the database, in a sentence.
    database: String,
    /// What to type next.
    next: String,
}

/// The webhook from the environment; `None`: no notification is sent.
///
/// # Errors
/// [`Cause::Usage`] if it is not a valid address; it is not repeated.
pub fn webhook() -> Result<Option<SecretUrl>, Cause> {
    let Some(text) = config::environment(VARIABLE) else { return Ok(None) };
    let refused = |_| Cause::Usage {
        message: format!("{VARIABLE} is not the address of a webhook"),
        hint: Some("give an address that begins with https:// (http:// only on this machine)".into()),
    };
    text.parse().map(Some).map_err(refused)
}

/// The number of days without anything new after which a notification is sent; `None`: never.
///
/// # Errors
/// [`Cause::Usage`] if it is not a number of days.
pub fn quiet_days() -> Result<Option<u32>, Cause> {
    let Some(text) = config::environment(QUIET) else { return Ok(Some(QUIET_DAYS)) };
    let refused = |_| Cause::Usage {
        message: format!("{QUIET} is not a number of days"),
        hint: Some(format!("give a number such as {QUIET_DAYS}, the default; 0 sends no notice")),
    };
    text.trim().parse().map(|days| Some(days).filter(|days| *days > 0)).map_err(refused)
}

impl Notice {
    /// The notification of a failed run; `None`: nobody needs to know.
    pub fn of_failure(dataset: &str, failure: &Failure) -> Option<Self> {
        let exit = failure.exit();
        if !is_told(exit) {
            return None;
        }
        let cause = failure.cause.without_values();
        let reason = match failure.step {
            Some(step) => format!("{step} failed: {cause}"),
            None => cause,
        };
        let status = failure.run_id.map(|run_id| format!("merganser status {run_id}"));
        Some(Self {
            dataset: dataset.into(),
            run_id: failure.run_id.map(|run_id| run_id.to_string()),
            exit,
            reason,
            database: failure.database_sentence(),
            next: status.unwrap_or_else(|| failure.hint("run")),
        })
    }

    /// The notification of a finished run; `None`: all is well, or it was a dry run, which a person watches anyway.
    pub fn of_summary(done: &Summary) -> Option<Self> {
        if let Some(days) = done.quiet_days.filter(|_| done.exit() == Exit::Done) {
            return Some(Self {
                dataset: done.dataset.into(),
                run_id: Some(done.run_id.to_string()),
                exit: Exit::Done,
                reason: format!("nothing new for {days} days"),
                database: "The database is unchanged.".into(),
                next: format!("merganser check {}", done.typed),
            });
        }
        if done.dry_run || !is_told(done.exit()) {
            return None;
        }
        let (reason, next) = summary::what_failed(done);
        Some(Self {
            dataset: done.dataset.into(),
            run_id: Some(done.run_id.to_string()),
            exit: done.exit(),
            reason,
            database: summary::outcome(done),
            next,
        })
    }

    /// Sends it. A failure is only a warning.
    pub async fn send(&self, webhook: &SecretUrl) {
        let bytes = self.message().to_string().into_bytes();
        let message = Posted { content_type: "application/json".into(), bytes };
        if let Err(why) = deliver(webhook, &[], message).await {
            tracing::warn!(
                run_id = self.run_id,
                "the end of this run could not be sent to the webhook in {VARIABLE}: {why}"
            );
        }
    }

    /// The message: `text` is what Slack and Mattermost show, the rest is for programs.
    fn message(&self) -> Value {
        let (dataset, code, reason) = (&self.dataset, self.exit as u8, &self.reason);
        let text = format!(
            "merganser, {dataset}: {reason} (exit code {code}).\n{}\nNext: {}",
            self.database, self.next
        );
        json!({
            "text": text,
            "run_id": self.run_id,
            "dataset": dataset,
            "exit_code": code,
            "database": self.database,
            "reason": reason,
            "next": self.next,
        })
    }
}

/// False for wrong usage, which the user sees, and for a run that never began because another one holds the lock.
fn is_told(exit: Exit) -> bool {
    match exit {
        Exit::Failed | Exit::SomeFailed | Exit::NotPublished | Exit::Interrupted => true,
        Exit::Done | Exit::Usage | Exit::Locked => false,
    }
}
