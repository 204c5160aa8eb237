//! Gather: asks a dataset's service and keeps the answers in the archive. The dataset's plan decides what is counted
//! and what is fetched; this stage sends each request, keeps the answer, and records it in the ledger before it sends
//! the next one.
//!
//! An interrupted run resumes where it was: the answers are in the archive, and the counts are in the ledger. Nothing
//! of production changes here.

mod answers;
mod asker;
mod held;
mod kept;
mod rate;

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use self::answers::Answers;
use self::asker::ServiceAsker;
use self::held::HeldParts;
use self::kept::KeptPlan;
use crate::clients::source::SourceUrl;
use crate::config::{ApiSecret, AskingConfig};
use crate::dataset::Options;
use crate::dataset::asked::{AskRefusal, Asked, AskedPart, PlanStep, PlanWord, PlannedPart};
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::ledger::ArchivedPart;
use crate::run::context::RunContext;
use crate::{fault, words};

/// The answers of a service to the run's requests.
#[derive(Debug)]
pub struct Gathered {
    parts: Vec<PlannedPart>,
    plan: GatheredPlan,
    is_planned: bool,
}

/// What asking takes, or took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatheredPlan {
    /// The plan as a tree, one line per entry.
    pub tree: Vec<String>,
    /// Requests that were sent.
    pub requests: u64,
    /// Those of them that asked for records.
    pub data_requests: u64,
    /// Requests for records that were not sent, because a dry run sends none.
    pub unsent: u64,
    /// How long a run would take for both, at least.
    pub run_for: Duration,
    /// The location of files that are taken instead, and how many requests would be needed otherwise.
    pub files: Option<(String, u64)>,
}

impl Gathered {
    /// The parts, each with its answer, if there is one.
    pub fn parts(&self) -> &[PlannedPart] {
        &self.parts
    }

    /// What asking takes, or took.
    pub fn plan(&self) -> &GatheredPlan {
        &self.plan
    }

    /// Is it only a plan, because a dry run fetches nothing?
    pub fn is_planned(&self) -> bool {
        self.is_planned
    }
}

/// Asks the dataset's service for what the run wants; `None`: the run asks no service.
pub async fn gather(context: &RunContext) -> Result<Option<Gathered>, Cause> {
    let (Some(asked), Some(asking)) = (context.dataset().asked, &context.from.asking) else {
        return Ok(None);
    };
    let Some(secret) = &asking.secret else { return Ok(None) };
    let step = context.begin(0, "gather").await?;
    let mut gathering = Gathering::open(context, asked, asking, secret).await?;
    let (parts, files) = match gathering.run(asking.files.as_ref()).await? {
        GatherEnd::Parts(parts) => (parts, None),
        GatherEnd::Files(url, requests) => (Vec::new(), Some((url.to_string(), requests))),
    };
    let unsent = gathering.kept.plan.unsent();
    let plan = GatheredPlan {
        tree: gathering.kept.plan.tree(),
        requests: gathering.asker.requests,
        data_requests: gathering.data_requests,
        unsent,
        run_for: gathering.asker.duration(gathering.asker.requests + unsent),
        files,
    };
    let records: u64 = parts.iter().map(|part| part.records).sum();
    let bytes = parts.iter().filter_map(|part| part.part.as_ref()).map(|part| part.size_bytes).sum();
    let what = format!(
        "{} in {}; {}, {} for records{}",
        words::counted(records, context.dataset().record),
        words::counted(parts.len() as u64, "part"),
        words::counted(plan.requests, "request"),
        words::count(plan.data_requests),
        if unsent > 0 { format!("; {unsent} more not sent: a dry run") } else { String::new() },
    );
    let details = json!({
        "parts": parts.len(),
        "requests": plan.requests,
        "data_requests": plan.data_requests,
        "unsent_requests": unsent,
    });
    step.done(&what, records, bytes, details).await?;
    let is_planned =
        context.target.dry_run && (plan.files.is_some() || parts.iter().any(|part| part.part.is_none()));
    Ok(Some(Gathered { parts, plan, is_planned }))
}

/// Asks once for the number of wanted records, to see whether the service can be used.
///
/// # Errors
/// The error that a run would get.
pub async fn try_count(
    asked: &'static Asked,
    asking: &AskingConfig,
    options: &Options,
) -> Result<u64, Cause> {
    let Some(secret) = &asking.secret else { return Ok(0) };
    let mut asker = ServiceAsker::new(asked, (asked.manners)(options), secret.clone())?;
    asker.tries = 1;
    asker.count(&asking.want).await
}

/// Removes the plan if `loaded` decides what becomes of the answers: the service is then asked again, for what it says by that
/// time. Only a run that was cut off is continued. A failure here does not fail the run.
pub async fn conclude(context: &RunContext, loaded: &Result<(), Cause>) {
    let is_decided = matches!(
        loaded,
        Ok(()) | Err(Cause::Refused { .. } | Cause::Record { .. } | Cause::DeleteRefused { .. })
    );
    let (Some(asking), Some(asked)) = (&context.from.asking, context.dataset().asked) else { return };
    if is_decided {
        kept::forget(context, &kept::key(context, asked, asking)).await;
    }
}

/// What the parts of the archive with these names were asked for; parts for which that is not recorded are left out.
pub async fn asked_for(context: &RunContext, names: &[String]) -> Result<Vec<AskedPart>, Cause> {
    let Some(asked) = context.dataset().asked else { return Ok(Vec::new()) };
    let answers = Answers { asked, store: &context.store, objects: context.objects() };
    answers.asked_for(names).await
}

/// The outcome of gathering.
enum GatherEnd {
    Parts(Vec<PlannedPart>),
    /// Files are taken instead of this many requests.
    Files(SourceUrl, u64),
}

struct Gathering<'a> {
    context: &'a RunContext,
    asked: &'static Asked,
    answers: Answers<'a>,
    asker: ServiceAsker<'a>,
    kept: KeptPlan<'a>,
    held: HeldParts<'a>,
    data_requests: u64,
}

impl<'a> Gathering<'a> {
    async fn open(
        context: &'a RunContext,
        asked: &'static Asked,
        asking: &AskingConfig,
        secret: &ApiSecret,
    ) -> Result<Self, Cause> {
        let answers = Answers { asked, store: &context.store, objects: context.objects() };
        // An answer whose result was undone is asked for again.
        let undone = context.ledger.known_parts().await?.into_iter().filter(|known| known.is_undone);
        let undone: HashSet<_> = undone.map(|known| known.name).collect();
        let mut archived = answers.known().await?;
        archived.retain(|part| !undone.contains(&part.name));
        if !undone.is_empty() {
            tracing::info!(
                run_id = %context.run_id,
                "{} of the archive not taken, since the data was undone",
                words::counted(undone.len() as u64, "answer")
            );
        }
        let held = HeldParts::new(context, archived.clone());
        let kept = KeptPlan::open(context, asked, asking, archived).await?;
        let manners = (asked.manners)(&context.processing.options);
        let mut asker = ServiceAsker::new(asked, manners, secret.clone())?;
        asker.of_all = Some(context);
        Ok(Self { context, asked, answers, asker, kept, held, data_requests: 0 })
    }

    /// Follows the plan until it is done, or until it turns out that `files` are to be taken instead.
    async fn run(&mut self, files: Option<&(SourceUrl, u64)>) -> Result<GatherEnd, Cause> {
        let mut files = files;
        loop {
            fault::point!("gather.step");
            if let Some((url, most)) = files
                && let Some(needs) = self.kept.plan.needs()
            {
                if needs > *most {
                    return self.turn_to_files(url, needs).await;
                }
                files = None;
            }
            let told = match self.kept.plan.next() {
                PlanStep::Count(slice) => self.count(slice).await?,
                PlanStep::List(column) => self.list(column).await?,
                PlanStep::Fetch { slice, records: 0 } => {
                    let part = self.answers.keep_nothing(&slice).await?;
                    self.came(part).await?
                }
                PlanStep::Fetch { slice, records } => self.fetch(&slice, records).await?,
                PlanStep::Done(parts) => match self.held.outdated(&self.answers, &parts).await? {
                    Some(name) => PlanWord::Outdated(name),
                    None => return Ok(GatherEnd::Parts(parts)),
                },
                PlanStep::Refuse { why, next } => {
                    kept::forget(self.context, self.kept.key()).await;
                    return Err(Cause::Refused { message: why, hint: Some(next.into()) });
                }
                PlanStep::Misasked(message) => {
                    kept::forget(self.context, self.kept.key()).await;
                    let hint = Some("nothing was fetched; put the filter right and run again".into());
                    return Err(Cause::Usage { message, hint });
                }
            };
            fault::point!("gather.told");
            self.kept.tell(told).await?;
        }
    }

    async fn turn_to_files(&self, url: &SourceUrl, needs: u64) -> Result<GatherEnd, Cause> {
        tracing::info!(
            run_id = %self.context.run_id,
            step = "gather",
            "         asking would take about {} requests: the files of {url} are taken instead (--via api asks nevertheless)",
            words::count(needs)
        );
        if !self.context.target.dry_run {
            self.context.take_files(url).await?;
        }
        Ok(GatherEnd::Files(url.clone(), needs))
    }

    async fn count(&mut self, slice: Slice) -> Result<PlanWord, Cause> {
        let records = self.asker.count(&slice).await?;
        tracing::info!(
            run_id = %self.context.run_id,
            step = "gather",
            records,
            "         {slice}: {} records", words::count(records)
        );
        Ok(PlanWord::Counted(slice, records))
    }

    async fn list(&mut self, column: String) -> Result<PlanWord, Cause> {
        let request = (self.asked.list)(&column);
        let what = format!("the values of {column}");
        let read = |bytes: &[u8]| (self.asked.read_list)(&column, bytes);
        let values = match self.asker.small(&request, &what, read).await? {
            Ok(values) => values,
            // The service lists no values of this column, so counts must do.
            Err(AskRefusal::Nothing) => Vec::new(),
            Err(refusal) => return Err(self.asker.refused(&what, refusal)),
        };
        Ok(PlanWord::Listed(column, values))
    }

    async fn fetch(&mut self, slice: &Slice, records: u64) -> Result<PlanWord, Cause> {
        let request = (self.asked.data)(slice);
        let what = format!("{slice}, {records} records");
        let before = self.asker.requests;
        let answers = &self.answers;
        let kept =
            self.asker.patiently(&request, &what, async |answer| answers.keep(slice, answer).await).await;
        self.data_requests += self.asker.requests - before;
        match kept? {
            Ok(part) => self.came(part).await,
            Err(AskRefusal::TooMany(limit)) => {
                let most = limit.map_or_else(
                    || "fewer".to_owned(),
                    |limit| format!("{} and no more", words::count(limit)),
                );
                tracing::warn!(
                    run_id = %self.context.run_id,
                    "{what}: {} gives {most} at once, so the plan is made again", self.asked.service
                );
                Ok(PlanWord::TooMany(slice.clone(), limit))
            }
            // There were records when they were counted.
            Err(AskRefusal::Nothing) => {
                let part = self.answers.keep_nothing(slice).await?;
                self.came(part).await
            }
            Err(refusal) => Err(self.asker.refused(&what, refusal)),
        }
    }

    /// Records an answer in the ledger that is now in the archive.
    async fn came(&self, part: AskedPart) -> Result<PlanWord, Cause> {
        fault::point!("gather.archived");
        let meaning = (self.context.dataset().file_name)(&part.name);
        let archived = ArchivedPart {
            part: &part,
            source: &(self.asked.manners)(&self.context.processing.options).base,
            as_of: meaning.as_ref().and_then(|meaning| meaning.run_date),
            order_key: meaning.as_ref().map_or("", |meaning| meaning.order_key.as_str()),
        };
        self.context.ledger.add_archived(&archived).await?;
        tracing::info!(
            run_id = %self.context.run_id,
            step = "gather",
            file = part.name,
            records = part.records,
            bytes = part.size_bytes,
            "         {}: {} records, {}", part.name, words::count(part.records), words::size(part.size_bytes)
        );
        Ok(PlanWord::Fetched(part))
    }
}
