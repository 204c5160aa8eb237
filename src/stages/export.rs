//! Export: writes the staged rows as CSVs that PostgreSQL can load, with DuckDB's SQL only.
//!
//! In: [`Enriched`]. Out: [`Exported`]. A failure changes nothing but the ledger. The staging store, the downloads and
//! the CSVs are removed when the run ends.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::enrich::Enriched;
use super::fetch::Fetched;
use crate::clients::duckdb::{DuckError, Staging};
use crate::dataset::{Dataset, Table};
use crate::error::Cause;
use crate::run::context::Context;
use crate::system::background::blocking;
use crate::system::private;
use crate::{fault, sql, words};

/// The CSVs of a batch on the local disk.
#[derive(Debug)]
pub struct Exported {
    fetched: Fetched,
    csvs: Vec<Csv>,
}

impl Exported {
    /// The number of the batch.
    pub(super) fn batch(&self) -> i32 {
        self.fetched.batch()
    }

    /// The files, and the CSVs made of them.
    pub(super) fn into_parts(self) -> (Fetched, Vec<Csv>) {
        (self.fetched, self.csvs)
    }
}

/// One staging CSV.
#[derive(Clone, Debug)]
pub(super) struct Csv {
    /// The staging table that it fills.
    pub table: String,
    pub path: PathBuf,
    pub size_bytes: u64,
}

/// Runs the dataset's export script and drops the staging store.
pub async fn export(context: &Context, enriched: Enriched) -> Result<Exported, Cause> {
    let step = context.begin(enriched.batch(), "export").await?;
    fault::point!("export.begin");
    let (fetched, staging) = enriched.into_parts();
    let dataset = context.dataset();
    let target = fetched.folder().join("csv");
    let csvs = blocking(move || {
        if target.exists() {
            // The CSVs of the attempt before the database refused a record.
            std::fs::remove_dir_all(&target).map_err(Cause::io("remove the CSVs"))?;
        }
        private::make_folder(&target).map_err(Cause::io("make the folder of the CSVs"))?;
        write(&staging, dataset, &target, || {
            fault::blocking_point!("export.table");
            Ok::<_, Cause>(())
        })?;
        // Frees its space on the disk, which PostgreSQL may share.
        drop(staging);
        // A file may also have rows for the tables that the plan maintains.
        let is_told = |table: &&Table| target.join(format!("{}.csv", table.name)).exists();
        let tables = dataset.tables.iter().chain(dataset.kept().iter().filter(is_told));
        let tables = tables.map(|table| table.name.to_owned());
        tables
            .chain([dataset.records_table()])
            .map(|table| {
                let path = target.join(format!("{table}.csv"));
                let file = std::fs::metadata(&path).map_err(Cause::io(format!("find {table}.csv")))?;
                Ok(Csv { table, path, size_bytes: file.len() })
            })
            .collect::<Result<Vec<_>, Cause>>()
    })
    .await??;
    let bytes = csvs.iter().map(|csv| csv.size_bytes).sum();
    let what = format!("{}, {}", words::counted(csvs.len() as u64, "CSV"), words::size(bytes));
    step.done(&what, csvs.len() as u64, bytes, json!({})).await?;
    fault::point!("export.end");
    Ok(Exported { fetched, csvs })
}

/// Writes a CSV for each table of the dataset and one for the records into a folder; `after` is called after each.
pub fn write<E: From<DuckError> + Send>(
    staging: &Staging,
    dataset: &Dataset,
    folder: &Path,
    after: impl Fn() -> Result<(), E> + Sync,
) -> Result<(), E> {
    let statements: Vec<_> =
        sql::statements(sql::STAGED_RECORDS).chain(sql::statements(dataset.scripts.export)).collect();
    let (dir, records) = (folder.to_string_lossy(), dataset.records_table());
    staging.execute_each("export", &statements, &[("dir", &dir), ("records", &records)], after)
}
