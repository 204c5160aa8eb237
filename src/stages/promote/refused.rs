//! Records that the database refuses: they are identified in a transaction that is always rolled back. Then they become
//! failed records, and the rest of the batch is processed again.
//!
//! In: [`Loaded`], and the error of the promotion. Out: [`Refused`], or the error that ends the run. Production stays
//! as it was, whatever happens here; the ledger has the failed records as soon as they are known.

mod breach;
mod probe;

use std::collections::BTreeMap;

use serde_json::json;

use super::guards::{self, Guard};
use super::{Transfer, failed};
use crate::clients::postgres::Connection;
use crate::error::Cause;
use crate::ledger::NewFailure;
use crate::run::context::RunContext;
use crate::schema::Comparison;
use crate::stages::fetch::Fetched;
use crate::stages::load::Loaded;
use crate::words;
use crate::{fault, sql};
use breach::Breach;
use probe::Search;

/// How many failed records go to the ledger in one statement.
const CHUNK: usize = 200;

/// The files of a batch, to be processed again without the records that the database refuses.
#[derive(Debug)]
pub struct Refused {
    rest: Fetched,
    records: u64,
}

impl Refused {
    /// How many records that had passed the checks are left out.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The files on the local disk.
    pub fn into_rest(self) -> Fetched {
        self.rest
    }
}

/// A record that the database refuses.
#[derive(Debug)]
struct Offender {
    record_id: String,
    part_id: i64,
    ordinal: i64,
    offset_bytes: i64,
    /// False: the record is deleted.
    is_winner: bool,
    breach: Breach,
}

/// The limit of failed records of the run.
#[derive(Clone, Copy, Debug)]
struct Budget {
    records: i64,
    failed: i64,
    seen: i64,
    is_without_end: bool,
}

impl Budget {
    /// How many more may fail, plus one: finding more would be useless.
    fn limit(&self) -> usize {
        match self.is_without_end {
            true => usize::MAX,
            false => usize::try_from(self.records - self.failed).unwrap_or(0).saturating_add(1),
        }
    }
}

/// Did the database refuse the promotion because of a record's content?
pub(super) fn is_refusal(context: &RunContext, cause: &Cause) -> bool {
    let Cause::Postgres(error) = cause else { return false };
    // In the ledger and in the catalogue, the fault is not in a record.
    let ledger = &context.target.database.ledger_schema;
    breach::server(error).is_some_and(|server| {
        let schema = server.schema.as_deref().unwrap_or_default();
        let is_ours = context.dataset().table_names().any(|name| server.table.as_deref() == Some(name));
        schema != "pg_catalog" && (schema != ledger || is_ours)
    })
}

/// Finds the records that the database refuses and adds them to the ledger; `cause` is the error of the promotion,
/// which is rolled back.
///
/// # Errors
/// `cause` itself if no record explains it; [`Cause::DeleteRefused`]; [`Cause::Refused`] if there are more than may
/// fail, or with `--fail-fast`.
pub(super) async fn find(
    context: &RunContext,
    connection: &mut Connection,
    loaded: Loaded,
    tables: &Comparison,
    cause: Cause,
) -> Result<Refused, Cause> {
    fault::point!("promote.refused");
    let (fetched, rows) = loaded.into_parts();
    let batch = fetched.batch();
    let watch = connection.watch();
    let transaction = watch.answer("begin", connection.transaction()).await?;
    let transfer = Transfer::begin(context, (batch, fetched.files()), &transaction, &watch).await?;
    transfer.verify_staged(&rows).await?;
    let cause = match cause {
        Cause::Postgres(error) => transfer.unless_delete(error).await?.into(),
        cause => cause,
    };
    let words = "the database refuses a record: looking for it, and for others";
    tracing::info!(run_id = %context.run_id, batch, step = "promote", "         {words}");
    let budget = transfer.budget().await?;
    let limit = if context.processing.fail_fast { 1 } else { budget.limit() };
    let records = context.dataset().records_table();
    let records = rows.iter().find(|(table, _)| *table == records).map_or(0, |(_, rows)| *rows);
    let offenders = Search::new(&transfer, records, limit).offenders(tables).await?;
    watch.answer("roll back", transaction.rollback()).await?;
    if offenders.is_empty() {
        return Err(cause);
    }
    enter(context, &offenders).await?;
    fault::point!("promote.found");
    if context.processing.fail_fast {
        let Offender { record_id, ordinal, breach, .. } = &offenders[0];
        return Err(Cause::Refused {
            message: format!("record {ordinal} ({record_id}): {}", breach.reason()),
            hint: Some("without --fail-fast the rest is loaded and the ledger lists what failed".into()),
        });
    }
    let reasons = reasons(&offenders);
    if offenders.len() >= budget.limit() {
        let guard = breached(&budget, &offenders, &reasons);
        context.ledger.add_guards(batch, &json!([guard])).await?;
        return Err(guards::refusal(context, &[&guard]));
    }
    let records = offenders.len() as u64;
    tracing::warn!(
        run_id = %context.run_id,
        batch,
        "the database refuses {}, entered as failed: {reasons}; the others are taken once more",
        words::counted(records, "record")
    );
    let places: Vec<_> = offenders.iter().map(|offender| (offender.part_id, offender.ordinal)).collect();
    Ok(Refused { rest: fetched.without(&places), records })
}

/// The reasons of the refusals, each with the number of its records, the most frequent first.
fn reasons(offenders: &[Offender]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for offender in offenders {
        *counts.entry(offender.breach.reason()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(reason, count)| format!("{reason} ({count})")).collect::<Vec<_>>().join(", ")
}

/// The breached guard `failures`, without looking at the result: there will be none.
fn breached(budget: &Budget, offenders: &[Offender], reasons: &str) -> Guard {
    let failed = budget.failed + offenders.len() as i64;
    Guard {
        name: "failures".into(),
        subject: String::new(),
        threshold: format!("at most {} failed records", budget.records),
        found: format!("at least {failed} of {} records failed: {reasons}", budget.seen),
        passed: false,
        allowed_by: None,
    }
}

/// They stay in the ledger whatever becomes of the run. Values in the server's message are not kept: they may be
/// private.
async fn enter(context: &RunContext, offenders: &[Offender]) -> Result<(), Cause> {
    let rows: Vec<_> = offenders
        .iter()
        .map(|offender| NewFailure {
            part_id: offender.part_id,
            record_id: Some(offender.record_id.clone()),
            ordinal: offender.ordinal,
            offset_bytes: offender.offset_bytes,
            table: offender.breach.ours.clone(),
            field: None,
            value: None,
            reason: offender.breach.reason(),
            fragment: None,
            suggestion: None,
        })
        .collect();
    for rows in rows.chunks(CHUNK) {
        context.ledger.add_failures(rows).await?;
    }
    Ok(())
}

impl Transfer<'_> {
    /// The number that the guard `failures` will allow.
    async fn budget(&self) -> Result<Budget, Cause> {
        let operation = "read the budget of failed records";
        let rows = self.query(sql::REFUSED_BUDGET, "", &[], operation).await?;
        let read = |column: usize| rows[0].try_get::<_, i64>(column).map_err(|e| failed(e, operation));
        Ok(Budget {
            records: read(0)?,
            failed: read(1)?,
            seen: read(2)?,
            is_without_end: self.processing.allow.iter().any(|name| name == "failures"),
        })
    }
}
