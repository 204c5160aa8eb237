//! Tables of the database as the input files of a run: copied from one snapshot into the run's own folder.

use std::io;
use std::path::Path;
use std::pin::pin;

use futures_util::StreamExt as _;
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio_postgres::{CopyOutStream, Transaction};

use crate::clients::postgres::{self, PgError, Watch};
use crate::dataset::TableInput;
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::schema::has_table;
use crate::{sql, words};

/// Whole tables are read and aggregated: a little more memory keeps that off the server's disk. Millions of names are
/// to be hashed, not sorted, but the server has no statistics that would make it choose that. And JIT compilation does
/// not pay off for a plan that runs once.
const SETTINGS: &str = "set local work_mem = '64MB'; set local enable_mergejoin = off; set local jit = off";

/// Copies the dataset's input tables, if it has any, and makes the copies the run's source. Changes nothing in the
/// database.
///
/// # Errors
/// A table that does not exist yet, with the command that fills it; any error of the database or the local disk.
pub async fn copy(context: &RunContext) -> Result<(), Cause> {
    let dataset = context.dataset();
    if dataset.inputs.is_empty() {
        return Ok(());
    }
    let step = context.begin(0, "gather").await?;
    let folder = context.workspace.path().join("inputs");
    std::fs::create_dir_all(&folder).map_err(Cause::io(format!("make {}", folder.display())))?;
    let mut connection = postgres::connect(&context.database, "gather").await?;
    let (transaction, watch) = connection.snapshot().await?;
    watch.answer("begin", transaction.batch_execute(SETTINGS)).await?;
    let mut bytes = 0;
    for input in dataset.inputs {
        admit(context, &transaction, &watch, input).await?;
        bytes += copy_one(context, &transaction, &watch, (input, &folder.join(input.name))).await?;
    }
    watch.answer("end the snapshot", transaction.rollback()).await?;
    context.take_files(&format!("dir:{}", folder.display()).parse()?).await?;
    let what = format!("{} of tables of {}", words::size(bytes), context.target.database.schema);
    step.done(&what, 0, bytes, json!({})).await
}

async fn admit(
    context: &RunContext,
    transaction: &Transaction<'_>,
    watch: &Watch,
    input: &TableInput,
) -> Result<(), Cause> {
    let operation = "look for the tables that it is made of";
    let schema = &context.target.database.schema;
    for (table, hint) in input.needs {
        if !has_table(transaction, watch, (schema, table), operation).await? {
            return Err(Cause::Refused {
                message: format!(
                    "{} is made of tables of the database, and there is no {schema}.{table}",
                    context.dataset().name
                ),
                hint: Some((*hint).to_owned()),
            });
        }
    }
    Ok(())
}

/// Copies the rows of one input into a file; returns its size in bytes.
async fn copy_one(
    context: &RunContext,
    transaction: &Transaction<'_>,
    watch: &Watch,
    (input, path): (&TableInput, &Path),
) -> Result<u64, Cause> {
    let operation = format!("copy {}", input.name);
    let own = (context.dataset().variables)(&context.processing.options);
    let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let schema = [("schema", context.target.database.schema.as_str())];
    let text = sql::render(input.query, &[own.as_slice(), &schema].concat());
    let statement = text.trim_end().trim_end_matches(';');
    let rows = watch.answer(&operation, transaction.copy_out(statement)).await?;
    copy_to_file(rows, watch, &operation, path).await
}

/// Writes the output of a COPY into a file; returns its size in bytes.
///
/// # Errors
/// Any error of the database or the local disk.
pub async fn copy_to_file(
    stream: CopyOutStream,
    watch: &Watch,
    operation: &str,
    path: &Path,
) -> Result<u64, Cause> {
    let failed = |source: io::Error| Cause::io(format!("write {}", path.display()))(source);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).await.map_err(failed)?);
    let mut stream = pin!(stream.ready_chunks(256));
    let mut bytes = 0;
    while let Some(rows) = watch.answers(operation, async { Ok::<_, PgError>(stream.next().await) }).await? {
        for row in rows {
            let row = row.map_err(|error| postgres::classify(error, operation))?;
            bytes += row.len() as u64;
            file.write_all(&row).await.map_err(failed)?;
        }
    }
    file.flush().await.map_err(failed)?;
    Ok(bytes)
}
