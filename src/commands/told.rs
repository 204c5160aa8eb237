//! Who is told how a run ended: a webhook, a file or a gateway of figures, a collector of traces. All are read from the
//! environment before the run, and told beside each other after it; none of them changes how it ended.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::metrics::{Figures, MetricsTarget};
use super::notify::{self, Notice};
use super::summary::Summary;
use super::traces::{Collector, Trace};
use crate::clients::http::SecretUrl;
use crate::error::{Cause, Exit, Failure};
use crate::timeline::{Lapse, Timeline};

/// Who is told.
pub struct Listeners {
    webhook: Option<SecretUrl>,
    /// After how many days without anything new.
    quiet_days: Option<u32>,
    metrics: Option<MetricsTarget>,
    collector: Option<Collector>,
}

/// What a run ended as.
pub struct Ending<'a> {
    /// Its name for a reader of traces.
    pub name: String,
    pub dataset: &'static str,
    /// Of a rehearsal nobody is told but whoever looks at traces.
    pub dry_run: bool,
    pub began: SystemTime,
    pub timeline: &'a Timeline,
    pub result: Result<&'a Summary, &'a Failure>,
}

impl Listeners {
    /// Whom the environment names.
    ///
    /// # Errors
    /// [`Cause::Usage`] for an address, or a number of days, that is none.
    pub fn from_env() -> Result<Self, Cause> {
        let webhook = notify::webhook()?;
        Ok(Self {
            quiet_days: notify::quiet_days()?.filter(|_| webhook.is_some()),
            webhook,
            metrics: MetricsTarget::from_env()?,
            collector: Collector::from_env(),
        })
    }

    /// After how many days without anything new somebody is told; `None`: nobody is.
    pub fn quiet_days(&self) -> Option<u32> {
        self.quiet_days
    }

    /// Are the rows of the tables counted for somebody?
    pub fn counts(&self) -> bool {
        self.metrics.is_some()
    }

    /// Is there nobody to be told?
    pub fn is_nobody(&self) -> bool {
        self.webhook.is_none() && self.metrics.is_none() && self.collector.is_none()
    }

    /// Tells all of them.
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

    /// None of a rehearsal, nor of what was no run: the words were wrong, or another one runs, which has its own.
    fn figures(&self, lapses: &[Lapse]) -> Option<Figures> {
        if self.dry_run || matches!(self.exit(), Exit::Locked | Exit::Usage) {
            return None;
        }
        let (failed_records, rows) = match self.result {
            Ok(done) => (Some(done.failures.records), done.rows.clone()),
            Err(_) => (None, BTreeMap::new()),
        };
        let mut steps = BTreeMap::<_, f64>::new();
        for lapse in lapses.iter().filter(|lapse| lapse.part.is_none()) {
            let ended = lapse.ended.unwrap_or_else(SystemTime::now);
            let took = ended.duration_since(lapse.began).unwrap_or_default();
            *steps.entry(lapse.step).or_default() += took.as_secs_f64();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Some(Figures { dataset: self.dataset, exit: self.exit(), failed_records, rows, now, steps })
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
