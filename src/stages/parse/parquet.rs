//! A file of Parquet as a packed CSV of the same rows, so that one parser of a dataset reads both, and finds the same faults in both.
//!
//! DuckDB reads a group of rows at a time, and only the columns that the dataset takes. A group that does not fit into the store's
//! memory makes the file unreadable.

use std::path::Path;

use tempfile::TempPath;

use crate::clients::duckdb::{DuckError, Staging};
use crate::dataset::Table;
use crate::error::Cause;
use crate::sql;

/// Is a file that a dataset takes one of Parquet? Its name says so.
pub(super) fn is_parquet(name: &str) -> bool {
    name.ends_with(".parquet")
}

/// Writes the CSV beside the file; it goes when the path is dropped. The inner result is `Err` with a reason if the file cannot be read.
pub(super) fn as_csv(
    staging: &Staging,
    tables: &[Table],
    path: &Path,
) -> Result<Result<TempPath, String>, Cause> {
    let csv = TempPath::try_from_path(path.with_extension("csv.zst"))
        .map_err(Cause::io(format!("write beside {}", path.display())))?;
    let (parquet_text, csv_text) = (path.to_string_lossy(), csv.to_string_lossy().into_owned());
    let columns: Vec<_> = tables.iter().flat_map(|table| table.columns).map(|column| column.name).collect();
    let columns = columns.join(",");
    let variables = [("parquet", &*parquet_text), ("columns", &columns), ("csv", &csv_text)];
    match staging.execute("read Parquet", sql::STAGED_PARQUET, &variables) {
        Ok(()) => Ok(Ok(csv)),
        Err(DuckError::OutOfMemory { .. }) => Ok(Err(
            "a group of its rows needs more than the store's memory: write it with smaller row groups, or give more with \
             --duckdb-memory-mib"
                .into(),
        )),
        // What cannot be written is no fault of the file.
        Err(DuckError::Refused { source, .. }) if !source.to_string().contains(&csv_text) => {
            let said = source.to_string();
            let said = said.lines().next().unwrap_or_default().replace(&*parquet_text, "it");
            Ok(Err(format!("it is not Parquet, is damaged, or breaks off: {said}")))
        }
        Err(error) => Err(error.into()),
    }
}
