//! The listeners that are told how a run ended: a webhook, a file or a gateway for metrics, a collector of traces. All
//! are read from the environment before the run, and notified concurrently after it; none of them changes its outcome.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::metrics::{Figures, MetricsTarget};
use super::notify::{self, Notice};
use super::summary::Summary;
use super::traces::{Collector, Trace};
use crate::clients::http::SecretUrl;
use crate::error::{Cause, Exit, Failure};
use crate::timeline::{Lapse, Timeline};

/// The listeners.
pub struct Listeners {
    webhook: Option<SecretUrl>,
    /// The number of days without anything new after which they are told.
    quiet_days: Option<u32>,
    metrics: Option<MetricsTarget>,
    collector: Option<Collector>,
}

/// How a run ended.
pub struct Ending<'a> {
    /// Its name for a reader of traces.
    pub name: String,
    pub dataset: &'static str,
    /// A dry run is reported only in traces.
    pub dry_run: bool,
    pub began: SystemTime,
    pub timeline: &'a Timeline,
    pub result: Result<&'a Summary, &'a Failure>,
}

impl Listeners {
    /// The listeners that the environment names.
    ///
    /// # Errors
    /// [`Cause::Usage`] for an invalid address or number of days.
    pub fn from_env() -> Result<Self, Cause> {
        let webhook = notify::webhook()?;
        Ok(Self {
            quiet_days: notify::quiet_days()?.filter(|_| webhook.is_some()),
            webhook,
            metrics: MetricsTarget::from_env()?,
            collector: Collector::from_env(),
        })
    }

    /// The number of days without anything new after which listeners are told; `None`: never.
    pub fn quiet_days(&self) -> Option<u32> {
        self.quiet_days
    }

    /// Does a listener need the numbers of rows?
    pub fn counts(&self) -> bool {
        self.metrics.is_some()
    }

    /// Are there no listeners?
    pub fn is_nobody(&self) -> bool {
        self.webhook.is_none() && self.metrics.is_none() && self.collector.is_none()
    }

    /// Notifies all of them.
    pub async fn tell(&self, ending: &Ending<'_>) {
        let lapses = ending.timeline.lapses();
        let notice = ending.notice();
        let notify = async {
            if let (Some(webhook), Some(notice)) = (&self.webhook, &notice) {
                notice.send(webhook).await;
            }
        };
        let figures = ending.figures(&lapses);
        let metrics = async {
            if let (Some(target), Some(figures)) = (&self.metrics, &figures) {
                target.write(figures).await;
            }
        };
        let trace = ending.trace(&lapses);
        let traces = async {
            if let Some(collector) = &self.collector {
                collector.send(&trace).await;
            }
        };
        tokio::join!(notify, metrics, traces);
    }
}

impl Ending<'_> {
    fn exit(&self) -> Exit {
        match self.result {
            Ok(done) => done.exit(),
            Err(failure) => failure.exit(),
        }
    }

    fn notice(&self) -> Option<Notice> {
        match self.result {
            _ if self.dry_run => None,
            Ok(done) => Notice::of_summary(done),
            Err(failure) => Notice::of_failure(self.dataset, failure),
        }
    }

    /// The metrics; `None` for a dry run, and for a run that never began because of wrong usage or because another one,
    /// with metrics of its own, holds the lock.
    fn figures(&self, lapses: &[Lapse]) -> Option<Figures> {
        if self.dry_run || matches!(self.exit(), Exit::Locked | Exit::Usage) {
            return None;
        }
        let (failures, unanswered, rows) = match self.result {
            Ok(done) => (Some(done.failures), done.unanswered, done.rows.clone()),
            Err(_) => (None, None, BTreeMap::new()),
        };
        let mut steps = BTreeMap::<_, f64>::new();
        for lapse in lapses.iter().filter(|lapse| lapse.part.is_none()) {
            let ended = lapse.ended.unwrap_or_else(SystemTime::now);
            let took = ended.duration_since(lapse.began).unwrap_or_default();
            *steps.entry(lapse.step).or_default() += took.as_secs_f64();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Some(Figures {
            dataset: self.dataset,
            exit: self.exit(),
            failed_records: failures.map(|failures| failures.records),
            failed_files: failures.map(|failures| failures.all_files()),
            unanswered,
            rows,
            now,
            steps,
        })
    }

    fn trace<'l>(&self, lapses: &'l [Lapse]) -> Trace<'l> {
        let (run_id, reason) = match self.result {
            Ok(done) => (Some(done.run_id), None),
            Err(failure) => (failure.run_id, Some(failure.cause.without_values())),
        };
        Trace {
            name: self.name.clone(),
            dataset: self.dataset,
            run_id,
            exit: self.exit(),
            reason,
            began: self.began,
            ended: SystemTime::now(),
            lapses,
        }
    }
}
