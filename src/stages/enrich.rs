//! Enrich: adds answers from elsewhere to the staged rows. Earlier answers come from the ledger's memory; new ones are
//! remembered at once, on the ledger's connection.
//!
//! In: [`Checked`]. Out: [`Enriched`]. A failure changes nothing but the ledger. A service that does not answer fails
//! nothing: its rows remain without an answer.

use arrow::array::StringArray;
use tokio_postgres::types::ToSql;

use super::check::Checked;
use super::fetch::Fetched;
use crate::clients::duckdb::{DuckError, Staging};
use crate::clients::postgres;
use crate::dataset::enrichment::Enrichment;
use crate::dataset::{Dataset, Promotion};
use crate::error::Cause;
use crate::fault;
use crate::run::context::RunContext;
use crate::run::enriching::{Enriching, Tally};
use crate::schema::has_table;
use crate::system::background::blocking;
use crate::{sql, words};

/// Staged rows that passed the checks, with the answers from elsewhere.
pub struct Enriched {
    fetched: Fetched,
    staging: Staging,
}

impl Enriched {
    /// The number of the batch.
    pub(super) fn batch(&self) -> i32 {
        self.fetched.batch()
    }

    /// The files, and their staged rows.
    pub(super) fn into_parts(self) -> (Fetched, Staging) {
        (self.fetched, self.staging)
    }
}

/// Answers the dataset's questions of a batch, if it has any.
pub async fn enrich(context: &RunContext, checked: Checked) -> Result<Enriched, Cause> {
    let batch = checked.batch();
    let (fetched, staging) = checked.into_parts();
    let dataset = context.dataset();
    // Records that are not loaded are not asked about.
    let staging = blocking(move || find_winners(&staging, dataset).map(|()| staging)).await??;
    let Some(enriching) = &context.enriching else { return Ok(Enriched { fetched, staging }) };
    let step = context.begin(batch, "enrich").await?;
    fault::point!("enrich.begin");
    let staging = match enriching.asks_outside() && !context.target.dry_run {
        true => leave_out_sealed(context, enriching.enrichment(), staging).await?,
        false => staging,
    };
    let (staging, tally) =
        enriching.answer(&context.ledger, context.target.dry_run, &context.report, staging).await?;
    step.done(&said(enriching, &tally), tally.questions, 0, tally.for_ledger()).await?;
    fault::point!("enrich.end");
    Ok(Enriched { fetched, staging })
}

/// How many records production is asked about at once.
const CHUNK: usize = 10_000;

/// Finds the records that production knows as sealed, before any outside service is asked about them. The dataset's
/// lock keeps the result valid until the promotion.
async fn leave_out_sealed(
    context: &RunContext,
    enrichment: &Enrichment,
    mut staging: Staging,
) -> Result<Staging, Cause> {
    let Some(tombstones) = context.dataset().tombstones() else { return Ok(staging) };
    let failed = |e| postgres::classify(e, "look for sealed records");
    let connection = postgres::connect(&context.database, "enrich").await?;
    let watch = connection.watch();
    let schema = context.target.database.schema.as_str();
    for table in tombstones.tables {
        if !has_table(&*connection, &watch, (schema, table.name), "look for sealed records").await? {
            // Nothing was ever loaded, so nothing was sealed.
            return Ok(staging);
        }
    }
    let statement = sql::render(enrichment.sealed, &[("schema", schema)]);
    let mut after = String::new();
    loop {
        let last = after.clone();
        let read = blocking(move || live_records(&staging, &last).map(|read| (staging, read)));
        let records;
        (staging, records) = read.await??;
        let Some(last) = records.last() else { return Ok(staging) };
        after.clone_from(last);
        let values: [&(dyn ToSql + Sync); 1] = [&records];
        let rows = watch.answer("look for sealed records", connection.query(&statement, &values)).await?;
        let sealed = rows.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>();
        let sealed = sealed.map_err(failed)?;
        staging = blocking(move || note_sealed(&mut staging, &sealed).map(|()| staging)).await??;
    }
}

fn live_records(staging: &Staging, after: &str) -> Result<Vec<String>, DuckError> {
    let limit = CHUNK.to_string();
    let query = sql::render(sql::STAGED_LIVE_RECORDS, &[("after", after), ("limit", &limit)]);
    staging.query("read the records", &query, |row| row.get(0))
}

fn note_sealed(staging: &mut Staging, sealed: &[String]) -> Result<(), DuckError> {
    if sealed.is_empty() {
        return Ok(());
    }
    let mut load = staging.load()?;
    load.append_texts("sealed", vec![("record_id", StringArray::from_iter_values(sealed))])?;
    load.commit().map(|_| ())
}

/// Decides which records are exported.
pub fn find_winners(staging: &Staging, dataset: &Dataset) -> Result<(), DuckError> {
    let script = match dataset.promotion {
        Promotion::Merge { .. } => sql::STAGED_MERGE,
        Promotion::Replace { .. } => sql::STAGED_REPLACE,
        Promotion::ReplaceSlices { .. } => sql::STAGED_SLICES,
        Promotion::ReplaceAll { .. } => sql::STAGED_ALL,
    };
    staging.execute("find the winners", script, &[])?;
    staging.execute("find the winners", sql::STAGED_ARRAY_LITERAL, &[])
}

/// `5,000 different addresses: match 4,900, failed 100; without an answer: geosearch 100`.
fn said(enriching: &Enriching, tally: &Tally) -> String {
    let enrichment = enriching.enrichment();
    if enriching.asks_nobody() && tally.questions == 0 {
        return format!("no lookup is configured to say {}", enrichment.about);
    }
    let found: Vec<_> =
        tally.found.iter().map(|(status, count)| format!("{status} {}", words::count(*count))).collect();
    let asked = words::counted(tally.questions, &format!("different {}", enrichment.question));
    let services = tally.services.iter().filter(|(_, cost)| cost.failed > 0);
    let silent: Vec<_> =
        services.map(|(name, cost)| format!("{name} {}", words::count(cost.failed))).collect();
    let mut said = match found.is_empty() {
        true => asked,
        false => format!("{asked}: {}", found.join(", ")),
    };
    if !silent.is_empty() {
        said += &format!("; without an answer: {}", silent.join(", "));
    }
    if tally.unasked > 0 {
        said += &format!("; {} not asked", words::counted(tally.unasked, "question"));
    }
    said
}
