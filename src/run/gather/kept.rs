//! The plan of a run that asks, kept in the ledger piece by piece: a run that was cut off is told again what it was told.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::AskingConfig;
use crate::dataset::asked::{AskPlan, Asked, AskedPart, PlanInput, PlanWord, SavedPlan};
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::words;

/// What is told stands together in pieces of so many: each of them is written anew with whatever is added to it.
const PIECE: usize = 32;

/// A plan, and what of it the ledger has.
pub(super) struct KeptPlan<'a> {
    context: &'a RunContext,
    pub plan: Box<dyn AskPlan>,
    key: String,
    /// The number of the piece that is written.
    number: usize,
    piece: Vec<PlanWord>,
}

impl<'a> KeptPlan<'a> {
    /// Begins a plan, or goes on with the one that a run has left which did not end. A dry run neither reads nor keeps one.
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
        let number = if goes_on { pieces.len() } else { 1 };
        Ok(Self { context, plan, key, number, piece: Vec::new() })
    }

    /// Tells the plan, when the ledger has it.
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

/// What pieces say; `None`: there is no plan, or one that cannot be read.
fn read(pieces: &[Value]) -> Option<SavedPlan> {
    let (begun, rest) = pieces.split_first()?;
    let told = rest.iter().map(|piece| serde_json::from_value::<Vec<PlanWord>>(piece.clone()));
    let told = told.collect::<Result<Vec<_>, _>>().ok()?;
    Some(SavedPlan { begun: begun.clone(), told: told.concat() })
}

/// A plan belongs to what is wanted, and to the service that counts.
pub(super) fn key(context: &RunContext, asked: &Asked, asking: &AskingConfig) -> String {
    let base = (asked.manners)(&context.processing.options).base;
    // It is the key of a table, and what is wanted may be long.
    format!("{base} {}", words::sha256(json!(asking.want).to_string()))
}
