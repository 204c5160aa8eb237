//! Files without a record, although production has records of what they cover: is that right?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::StagedFile;
use crate::clients::postgres;
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::run::context::RunContext;
use crate::schema::has_table;
use crate::sql;

/// Such files, by part_id. A file that is one slice of the table is compared with the rows of that slice.
pub(super) async fn doubtful(context: &RunContext, files: &[StagedFile]) -> Result<BTreeSet<i64>, Cause> {
    let mut found = BTreeSet::new();
    // An answer about a history may say that nothing is new.
    if context.dataset().walked.is_some() {
        return Ok(found);
    }
    let mut known: BTreeMap<Slice, bool> = BTreeMap::new();
    for file in files.iter().filter(|file| holds_nothing(file)) {
        let slice = file.fetched.asked.as_ref().map(|asked| asked.slice.clone()).unwrap_or_default();
        let has_rows = match known.get(&slice) {
            Some(has_rows) => *has_rows,
            None => production_has(context, &slice).await?,
        };
        known.insert(slice, has_rows);
        if has_rows {
            found.insert(file.fetched.part_id);
        }
    }
    Ok(found)
}

/// Was a file read to its end, and held no record that is wanted?
fn holds_nothing(file: &StagedFile) -> bool {
    file.parsed.as_ref().is_ok_and(|parsed| parsed.complete && parsed.records_seen == 0)
}

/// Does production hold any record of this slice?
async fn production_has(context: &RunContext, slice: &Slice) -> Result<bool, Cause> {
    let operation = "look whether production holds anything";
    let mut connection = postgres::connect(&context.database, "check").await?;
    let (schema, table) = (&context.target.database.schema, context.dataset().tables[0].name);
    let watch = connection.watch();
    if !has_table(&*connection, &watch, (schema, table), operation).await? {
        return Ok(false);
    }
    let transaction = watch.answer(operation, connection.transaction()).await?;
    if !slice.tests.is_empty() {
        watch.answer(operation, transaction.batch_execute(sql::PROMOTE_SLICE_TABLES)).await?;
        let values = json!(sql::slice_values(&[slice])).to_string();
        watch.answer(operation, transaction.execute(sql::PROMOTE_SLICE_VALUES, &[&values])).await?;
    }
    let variables =
        [("schema", schema.as_str()), ("table", table), ("in_slices", &sql::in_slices(&[slice], 0))];
    let has_rows = sql::render(sql::LOAD_HAS_ROWS, &variables);
    let has_rows = watch.answer(operation, transaction.query_one(&has_rows, &[])).await?;
    Ok(has_rows.try_get(0).map_err(|error| postgres::classify(error, operation))?)
}
