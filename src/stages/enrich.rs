//! Enrich: answers from elsewhere are put to the staged rows. What was answered before comes from the ledger's memory; what
//! comes in now is remembered at once, on the ledger's connection.
//!
//! In: [`Checked`]. Out: [`Enriched`]. A failure changes nothing but the ledger. Whoever is asked and does not answer
//! fails nothing: its rows go without.

use super::check::Checked;
use super::fetch::Fetched;
use crate::clients::duckdb::{DuckError, Staging};
use crate::dataset::{Dataset, Promotion};
use crate::error::Cause;
use crate::fault;
use crate::run::context::RunContext;
use crate::run::enriching::{Enriching, Tally};
use crate::system::background::blocking;
use crate::{sql, words};

/// Staged rows that passed the checks, with what is known of them from elsewhere.
pub struct Enriched {
    fetched: Fetched,
    staging: Staging,
}

impl Enriched {
    /// Of which batch it is.
    pub(super) fn batch(&self) -> i32 {
        self.fetched.batch()
    }

    /// The files, and what is staged of them.
    pub(super) fn into_parts(self) -> (Fetched, Staging) {
        (self.fetched, self.staging)
    }
}

/// Answers the dataset's questions of a batch, if it has any.
pub async fn enrich(context: &RunContext, checked: Checked) -> Result<Enriched, Cause> {
    let batch = checked.batch();
    let (fetched, staging) = checked.into_parts();
    let dataset = context.dataset();
    // Nobody is asked about what is not loaded.
    let staging = blocking(move || find_winners(&staging, dataset).map(|()| staging)).await??;
    let Some(enriching) = &context.enriching else { return Ok(Enriched { fetched, staging }) };
    let step = context.begin(batch, "enrich").await?;
    fault::point!("enrich.begin");
    let (staging, tally) =
        enriching.answer(&context.ledger, context.target.dry_run, &context.report, staging).await?;
    step.done(&said(enriching, &tally), tally.questions, 0, tally.for_ledger()).await?;
    fault::point!("enrich.end");
    Ok(Enriched { fetched, staging })
}

/// Decides which records are exported.
pub fn find_winners(staging: &Staging, dataset: &Dataset) -> Result<(), DuckError> {
    let script = match dataset.promotion {
        Promotion::Merge { .. } => sql::STAGED_MERGE,
        Promotion::Replace { .. } => sql::STAGED_REPLACE,
        Promotion::ReplaceSlices { .. } => sql::STAGED_SLICES,
    };
    staging.execute("find the winners", script, &[])?;
    staging.execute("find the winners", sql::STAGED_ARRAY_LITERAL, &[])
}

/// `5,000 addresses: match 4,900, no_street 100`.
fn said(enriching: &Enriching, tally: &Tally) -> String {
    let enrichment = enriching.enrichment();
    if enriching.asks_nobody() && tally.questions == 0 {
        return format!("nobody is asked {}", enrichment.about);
    }
    let found: Vec<_> =
        tally.found.iter().map(|(status, count)| format!("{status} {}", words::count(*count))).collect();
    format!("{} different {}(es): {}", words::count(tally.questions), enrichment.question, found.join(", "))
}
