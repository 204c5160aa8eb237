//! The plan of a run that asks, kept in the ledger piece by piece, so that a run that was interrupted can be resumed.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::AskingConfig;
use crate::dataset::asked::{AskPlan, Asked, AskedPart, PlanInput, PlanWord, SavedPlan};
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::words;

/// How many words of the plan a piece holds: the last piece is rewritten with each word that is added to it.
const PIECE: usize = 32;

/// A plan, and the part of it that is in the ledger.
pub(super) struct KeptPlan<'a> {
    context: &'a RunContext,
    pub plan: Box<dyn AskPlan>,
    key: String,
    /// The number of the piece that is being written.
    number: usize,
    piece: Vec<PlanWord>,
}

impl<'a> KeptPlan<'a> {
    /// Begins a plan, or continues the one of an unfinished run. A dry run neither reads nor keeps one.
    pub(super) async fn open(
        context: &'a RunContext,
        asked: &Asked,
        asking: &AskingConfig,
        archived: Vec<AskedPart>,
    ) -> Result<Self, Cause> {
        let key = key(context, asked, asking);
        let fetches = !context.target.dry_run;
        let pieces = if fetches { context.ledger.saved_plan(&key).await? } else { Vec::new() };
        let saved = read(&pieces);
        let plan = (asked.plan)(PlanInput {
            options: &context.processing.options,
            want: &asking.want,
            archived,
            saved: saved.as_ref(),
            now: Timestamp::now(),
            fetches,
        });
        let goes_on = saved.is_some_and(|saved| saved.begun == plan.begun());
        if fetches && !goes_on {
            context.ledger.forget_plan(&key).await?;
            context.ledger.save_plan(&key, 0, &plan.begun()).await?;
        }
        if goes_on {
            tracing::info!(
                run_id = %context.run_id,
                step = "gather",
                "         continues an interrupted run: the counts and answers that it had are not requested again"
            );
        }
        let number = if goes_on { pieces.len() } else { 1 };
        Ok(Self { context, plan, key, number, piece: Vec::new() })
    }

    /// Its key in the ledger.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Adds a word to the ledger, then to the plan.
    pub(super) async fn tell(&mut self, told: PlanWord) -> Result<(), Cause> {
        if self.piece.len() >= PIECE {
            self.piece.clear();
            self.number += 1;
        }
        self.piece.push(told.clone());
        if !self.context.target.dry_run {
            self.context.ledger.save_plan(&self.key, self.number, &json!(self.piece)).await?;
        }
        self.plan.tell(told);
        Ok(())
    }
}

/// The plan in these pieces; `None`: there is none, or it cannot be read.
fn read(pieces: &[Value]) -> Option<SavedPlan> {
    let (begun, rest) = pieces.split_first()?;
    let told = rest.iter().map(|piece| serde_json::from_value::<Vec<PlanWord>>(piece.clone()));
    let told = told.collect::<Result<Vec<_>, _>>().ok()?;
    Some(SavedPlan { begun: begun.clone(), told: told.concat() })
}

/// Removes a plan: the service is then asked again, for what it says by that time. A failure here does not fail the run.
pub(super) async fn forget(context: &RunContext, key: &str) {
    if context.target.dry_run {
        return;
    }
    if let Err(error) = context.ledger.forget_plan(key).await {
        tracing::warn!(
            run_id = %context.run_id,
            "the ledger still has the plan of this run: {error}; the next run that asks for the same continues it within a day"
        );
    }
}

/// The key of a plan: what is wanted, and the service that is asked.
pub(super) fn key(context: &RunContext, asked: &Asked, asking: &AskingConfig) -> String {
    let base = (asked.manners)(&context.processing.options).base;
    // Hashed, because it is the key of a table, and the list of what is wanted may be long.
    format!("{base} {}", words::sha256(json!(asking.want).to_string()))
}
