//! Makes a reference the current one: puts its files into the store, and refills tables of the database in one
//! transaction. A failure leaves everything as it was.

use std::path::Path;

use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::input::refused;
use super::making::Made;
use crate::clients::postgres::{self, PgError, Watch};
use crate::dataset::reference::ReferenceFill;
use crate::error::Cause;
use crate::ledger::{KnownReference, confirm_written};
use crate::run::commit::commit;
use crate::run::context::Context;
use crate::run::fence::fence;
use crate::stages::promote::Guard;
use crate::system::machine;
use crate::{schema, sql, words};

/// The guard of a reference.
pub const GUARD: &str = "drop";
/// The percentage of its rows that a table may lose, and the number that it may lose in any case.
const MAX_DROP: (u64, u64) = (10, 10);

/// A table of the database that was filled.
#[derive(Debug)]
pub struct Filled {
    pub table: &'static str,
    pub before: u64,
    pub rows: u64,
    /// It is filled from an optional input.
    pub is_extra: bool,
}

/// Puts the files into the store, then makes the reference the current one in one transaction; returns the tables that were
/// filled.
///
/// # Errors
/// [`Cause::Refused`] for a table that is much smaller than before, unless `allow` lets the guard through.
pub async fn promote(
    context: &Context,
    made: &Made,
    known: &[KnownReference],
    allow: &[String],
) -> Result<Vec<Filled>, Cause> {
    let step = context.begin(1, "promote").await?;
    let mut files = Vec::new();
    for kept in &made.kept {
        // Never replaces files of the current reference, whose checksums the ledger has.
        let folder = format!("{}/{}", made.version, context.run_id);
        let key = context.objects().reference(&folder, kept.table.name);
        let size_bytes = context.store.upload(&key, &kept.path).await?;
        let sha256 = context.store.checksum(&key).await?.sha256;
        files.push((kept, key, sha256, size_bytes));
    }
    let mut connection = postgres::connect(&context.database, "reference").await?;
    let doing = context.report.doing("promote", Vec::new());
    let watch = connection.watch().showing(doing.shower());
    let transaction = watch.answer("begin", connection.transaction()).await?;
    fence(context, &transaction, &watch).await?;
    let mut filled = Vec::new();
    for (fill, csv) in &made.fills {
        filled.push(self::fill(context, &transaction, &watch, fill, csv).await?);
    }
    let guards = guarded(allow, shrunk(made, known, &filled));
    if let Some(refusal) = refusal(&guards) {
        // Its transaction locks the run's row, to which the ledger's own connection refers.
        watch.answer("roll back", transaction.rollback()).await?;
        context.ledger.add_guards(1, &json!(guards)).await?;
        return Err(refusal);
    }
    let noted =
        sql::render(sql::LEDGER_ADD_GUARDS, &[("ledger", context.target.database.ledger_schema.as_str())]);
    let values: [&(dyn ToSql + Sync); 3] = [&context.run_id, &1_i32, &json!(guards).to_string()];
    watch.answer("note the guards", transaction.execute(&noted, &values)).await?;
    let database = &context.target.database;
    let add = sql::render(sql::LEDGER_ADD_REFERENCE, &[("ledger", database.ledger_schema.as_str())]);
    for (kept, key, sha256, size_bytes) in &files {
        let dataset = context.dataset().name;
        let values: [&(dyn ToSql + Sync); 8] = [
            &dataset,
            &made.version,
            &kept.table.name,
            key,
            sha256,
            &(*size_bytes as i64),
            &(kept.rows as i64),
            &context.run_id,
        ];
        let written = watch.answer("write the ledger", transaction.execute(&add, &values)).await?;
        confirm_written("reference_files", 1, written)?;
    }
    let rows: u64 = made.kept.iter().map(|kept| kept.rows).sum();
    let details = step.details(json!({ "version": made.version }));
    let _committing = commit(context, (1, &watch), transaction, (rows as i64, &details)).await?;
    step.say(&format!("{} is in use", made.version), rows, 0);
    Ok(filled)
}

/// Refills a table of the database; makes it if it is missing.
async fn fill(
    context: &Context,
    transaction: &Transaction<'_>,
    watch: &Watch,
    fill: &ReferenceFill,
    csv: &Path,
) -> Result<Filled, Cause> {
    let database = &context.target.database;
    let (schema, table) = (database.schema.as_str(), fill.derived.table.name);
    let operation = format!("fill {table}");
    let exists = transaction.query_one(sql::LEDGER_EXISTS, &[&schema, &table]).await.map_err(failed)?;
    if !exists.try_get::<_, bool>(0).map_err(failed)? {
        let mut script = schema::definition(fill.derived, schema, schema);
        script += &sql::render(fill.derived.keys().unwrap_or_default(), &[("schema", schema)]);
        watch.answer(&operation, transaction.batch_execute(&script)).await?;
    }
    let of_table = [("schema", schema), ("table", table)];
    let count = sql::render(sql::REFERENCE_ROWS, &of_table);
    let rows = async || -> Result<u64, Cause> {
        let row = watch.answer(&operation, transaction.query_one(&count, &[])).await?;
        Ok(row.try_get::<_, i64>(0).map_err(failed)? as u64)
    };
    let before = rows().await?;
    let clear = sql::render(sql::REFERENCE_CLEAR, &of_table);
    watch.answer(&operation, transaction.batch_execute(&clear)).await?;
    let Some(extra) = &fill.extra else {
        let columns = sql::columns(&fill.derived.table);
        copy(transaction, watch, (schema, table, &columns), csv).await?;
        return Ok(Filled { table, before, rows: rows().await?, is_extra: false });
    };
    watch.answer(&operation, transaction.batch_execute(extra.rows)).await?;
    let columns = sql::identifiers(extra.columns.iter().copied());
    copy(transaction, watch, ("pg_temp", "filling", &columns), csv).await?;
    let take = sql::render(extra.take, &of_table);
    watch.answer(&operation, transaction.batch_execute(&take)).await?;
    let faults = watch.answer(&operation, transaction.query(sql::REFERENCE_FAULTS, &[])).await?;
    if let Some(first) = faults.first() {
        let [subject, reason] = [0, 1].map(|at| first.try_get::<_, String>(at));
        let hint: Option<String> = first.try_get(2).map_err(failed)?;
        let others = match faults.len() {
            1 => String::new(),
            all => format!("; {} more are not as they should be", all - 1),
        };
        let (subject, reason) = (subject.map_err(failed)?, reason.map_err(failed)?);
        let message = format!("--{}: {subject} {reason}{others}", extra.input);
        return Err(match hint {
            Some(hint) => Cause::Refused { message, hint: Some(hint) },
            None => refused(message),
        });
    }
    Ok(Filled { table, before, rows: rows().await?, is_extra: true })
}

/// Copies a CSV into a table.
async fn copy(
    transaction: &Transaction<'_>,
    watch: &Watch,
    (schema, table, columns): (&str, &str, &str),
    csv: &Path,
) -> Result<(), Cause> {
    let operation = format!("fill {table}");
    let variables = [("staging", schema), ("table", table), ("columns", columns)];
    let copy = sql::render(sql::LOAD_COPY, &variables);
    let unread = || Cause::io(format!("read {}", csv.display()));
    let mut file = tokio::fs::File::open(csv).await.map_err(unread())?;
    let sink = watch.answer(&operation, transaction.copy_in::<_, Bytes>(&copy)).await?;
    let mut sink = std::pin::pin!(sink);
    loop {
        let mut chunk = bytes::BytesMut::with_capacity(1 << 18);
        if file.read_buf(&mut chunk).await.map_err(unread())? == 0 {
            break;
        }
        watch.answer(&operation, sink.send(chunk.freeze())).await?;
    }
    watch.answer(&operation, sink.finish()).await?;
    Ok(())
}

/// Compares the numbers of rows before and now: of the kept tables, and of those filled from an optional input.
fn shrunk(made: &Made, known: &[KnownReference], filled: &[Filled]) -> Vec<Guard> {
    let of_kept = made.kept.iter().filter_map(|kept| {
        let before = known.iter().find(|known| known.name == kept.table.name)?;
        Some((kept.table.name, before.rows, kept.rows))
    });
    let others = filled.iter().filter(|filled| filled.is_extra);
    let others = others.map(|filled| (filled.table, filled.before, filled.rows));
    let guard = |(table, before, now): (&'static str, u64, u64)| {
        let lost = before.saturating_sub(now);
        Guard {
            name: GUARD.into(),
            subject: table.into(),
            threshold: format!("{} % of {}, at least {} rows", MAX_DROP.0, words::count(before), MAX_DROP.1),
            found: format!("{} rows lost, {} left", words::count(lost), words::count(now)),
            passed: lost <= MAX_DROP.1 || lost * 100 <= before * MAX_DROP.0,
            allowed_by: None,
        }
    };
    of_kept.chain(others).map(guard).collect()
}

/// The guards, with the user who let a breach through.
fn guarded(allow: &[String], mut guards: Vec<Guard>) -> Vec<Guard> {
    if allow.iter().any(|name| name == GUARD) {
        let who = format!("{} at {}", machine::user(), machine::host());
        guards
            .iter_mut()
            .filter(|guard| !guard.passed)
            .for_each(|guard| guard.allowed_by = Some(who.clone()));
    }
    guards
}

/// The error for breaches that nobody let through: a file of one district, or one that was truncated between two rows,
/// looks complete.
fn refusal(guards: &[Guard]) -> Option<Cause> {
    let breaches = guards.iter().filter(|guard| guard.stops());
    let breaches: Vec<_> =
        breaches.map(|guard| format!("guard {}: {}", guard.label(), guard.finding())).collect();
    let hint = format!("are these files of the whole city? If it is right: --allow {GUARD}");
    (!breaches.is_empty()).then(|| Cause::Refused { message: breaches.join("\n    "), hint: Some(hint) })
}

/// The error of the server.
fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "fill the reference")
}
