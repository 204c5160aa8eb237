//! Gather: what a dataset's service is asked for, as answers in the archive. The dataset's plan says what is counted and what is
//! fetched; here it is sent, kept, and entered in the ledger before the next request goes.
//!
//! A run that is cut off goes on where it was: what came is in the archive, and what was counted is in the ledger. Nothing of
//! production changes here.

mod answers;
mod asker;
mod rate;

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use self::answers::Answers;
use self::asker::ServiceAsker;
use crate::config::{ApiSecret, AskingConfig};
use crate::dataset::Options;
use crate::dataset::asked::{AskPlan, AskRefusal, Asked, AskedPart, PlanInput, PlanStep, PlannedPart};
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::ledger::ArchivedPart;
use crate::run::context::RunContext;
use crate::words;

/// What a service gave to what the run asks for.
#[derive(Debug)]
pub struct Gathered {
    parts: Vec<PlannedPart>,
    plan: GatheredPlan,
}

/// What asking takes, or took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatheredPlan {
    /// The plan as a tree, a line each.
    pub tree: Vec<String>,
    /// Requests that were sent.
    pub requests: u64,
    /// Those of them that asked for records.
    pub data_requests: u64,
    /// Requests for records that were not sent: a dry run sends none.
    pub unsent: u64,
    /// How long those take, at least.
    pub unsent_for: Duration,
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

    /// Is anything of it not in the archive?
    pub fn is_incomplete(&self) -> bool {
        self.parts.iter().any(|part| part.part.is_none())
    }
}

/// Asks the dataset's service for what the run wants; `None`: the run asks nobody.
pub async fn gather(context: &RunContext) -> Result<Option<Gathered>, Cause> {
    let (Some(asked), Some(asking)) = (context.dataset().asked, &context.from.asking) else {
        return Ok(None);
    };
    let Some(secret) = &asking.secret else { return Ok(None) };
    let step = context.begin(0, "gather").await?;
    let mut gathering = Gathering::open(context, asked, asking, secret).await?;
    let parts = gathering.run().await?;
    let unsent = gathering.plan.unsent();
    let plan = GatheredPlan {
        tree: gathering.plan.tree(),
        requests: gathering.asker.requests,
        data_requests: gathering.data_requests,
        unsent,
        unsent_for: gathering.asker.duration(unsent),
    };
    let records: u64 = parts.iter().map(|part| part.records).sum();
    let bytes = parts.iter().filter_map(|part| part.part.as_ref()).map(|part| part.size_bytes).sum();
    let what = format!(
        "{} {}s in {} part(s); {} request(s), {} of them for records{}",
        words::count(records),
        context.dataset().record,
        parts.len(),
        plan.requests,
        plan.data_requests,
        if unsent > 0 { format!("; {unsent} more are not sent: a dry run") } else { String::new() },
    );
    let details = json!({
        "parts": parts.len(),
        "requests": plan.requests,
        "data_requests": plan.data_requests,
        "unsent_requests": unsent,
    });
    step.done(&what, records, bytes, details).await?;
    Ok(Some(Gathered { parts, plan }))
}

/// Asks once how many records there are of what is wanted, to see whether it can be asked.
///
/// # Errors
/// What a run would meet.
pub async fn try_count(
    asked: &'static Asked,
    asking: &AskingConfig,
    options: &Options,
) -> Result<u64, Cause> {
    let Some(secret) = &asking.secret else { return Ok(0) };
    let mut asker = ServiceAsker::new(asked, &(asked.manners)(options), secret.clone())?;
    asker.tries = 1;
    asker.count(&asking.want).await
}

/// What was gathered is in production: the plan is of no use any more.
pub async fn forget(context: &RunContext) -> Result<(), Cause> {
    match (&context.from.asking, context.dataset().asked) {
        (Some(asking), Some(asked)) if !context.target.dry_run => {
            context.ledger.forget_plan(&key(context, asked, asking)).await
        }
        _ => Ok(()),
    }
}

/// What the parts of the archive with these names were asked for; those of which nobody says it are left out.
pub async fn asked_for(context: &RunContext, names: &[String]) -> Result<Vec<AskedPart>, Cause> {
    let Some(asked) = context.dataset().asked else { return Ok(Vec::new()) };
    let answers = Answers { asked, store: &context.store, objects: context.objects() };
    answers.asked_for(names).await
}

/// A plan belongs to what is wanted, and to the service that counts.
fn key(context: &RunContext, asked: &Asked, asking: &AskingConfig) -> String {
    let base = (asked.manners)(&context.processing.options).base;
    format!("{base} {}", json!(asking.want))
}

struct Gathering<'a> {
    context: &'a RunContext,
    asked: &'static Asked,
    answers: Answers<'a>,
    asker: ServiceAsker,
    plan: Box<dyn AskPlan>,
    key: String,
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
        let options = &context.processing.options;
        let key = key(context, asked, asking);
        let fetches = !context.target.dry_run;
        let saved = if fetches { context.ledger.saved_plan(&key).await? } else { None };
        // What came of an answer that was undone was not wanted: it is asked for anew.
        let undone = context.ledger.known_parts().await?.into_iter().filter(|known| known.is_undone);
        let undone: HashSet<_> = undone.map(|known| known.name).collect();
        let mut archived = answers.known().await?;
        archived.retain(|part| !undone.contains(&part.name));
        if !undone.is_empty() {
            tracing::info!(
                run_id = %context.run_id,
                "{} answer(s) of the archive are not taken, since what came of them was undone",
                undone.len()
            );
        }
        let plan = (asked.plan)(&PlanInput {
            options,
            want: &asking.want,
            archived,
            saved: saved.as_ref(),
            now: Timestamp::now(),
            fetches,
        });
        let asker = ServiceAsker::new(asked, &(asked.manners)(options), secret.clone())?;
        Ok(Self { context, asked, answers, asker, plan, key, data_requests: 0 })
    }

    /// Does what the plan says until it is done.
    async fn run(&mut self) -> Result<Vec<PlannedPart>, Cause> {
        loop {
            match self.plan.next() {
                PlanStep::Count(slice) => self.count(&slice).await?,
                PlanStep::List(column) => self.list(&column).await?,
                PlanStep::Fetch { slice, records: 0 } => {
                    let part = self.answers.keep_nothing(&slice).await?;
                    self.came(part).await?;
                }
                PlanStep::Fetch { slice, records } => self.fetch(&slice, records).await?,
                PlanStep::Done(parts) => return Ok(parts),
                PlanStep::Refuse(message) => {
                    let hint = Some("fewer years, or a --filter, make it smaller".into());
                    return Err(Cause::Refused { message, hint });
                }
            }
            if !self.context.target.dry_run {
                self.context.ledger.save_plan(&self.key, &self.plan.save()).await?;
            }
        }
    }

    async fn count(&mut self, slice: &Slice) -> Result<(), Cause> {
        let records = self.asker.count(slice).await?;
        tracing::info!(
            run_id = %self.context.run_id,
            step = "gather",
            records,
            "         {slice}: {} records", words::count(records)
        );
        self.plan.counted(slice, records);
        Ok(())
    }

    async fn list(&mut self, column: &str) -> Result<(), Cause> {
        let request = (self.asked.list)(column);
        let what = format!("the values of {column}");
        let read = |bytes: &[u8]| (self.asked.read_list)(column, bytes);
        match self.asker.small(&request, &what, read).await? {
            Ok(values) => self.plan.listed(column, values),
            Err(refusal) => return Err(self.asker.refused(&what, refusal)),
        }
        Ok(())
    }

    async fn fetch(&mut self, slice: &Slice, records: u64) -> Result<(), Cause> {
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
                let limit = limit.filter(|limit| *limit < records).unwrap_or(records.saturating_sub(1));
                tracing::warn!(
                    run_id = %self.context.run_id,
                    "{} gives {} records at once, no more: the plan is made anew", self.asked.service, words::count(limit)
                );
                self.plan.limited(limit);
                Ok(())
            }
            // There were some when they were counted.
            Err(AskRefusal::Nothing) => {
                let part = self.answers.keep_nothing(slice).await?;
                self.came(part).await
            }
            Err(refusal) => Err(self.asker.refused(&what, refusal)),
        }
    }

    /// An answer is in the archive: the ledger learns of it, and the plan.
    async fn came(&mut self, part: AskedPart) -> Result<(), Cause> {
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
        self.plan.fetched(part);
        Ok(())
    }
}
