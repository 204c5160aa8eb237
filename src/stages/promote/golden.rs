//! Compare with truth, inside the transaction: the tables as they would be committed against CSVs in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{Transfer, failed};
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::sql;
use crate::words::{counted, csv_cells};

/// Differences that are shown.
const SHOWN: usize = 10;

/// The CSVs of truth in a folder: table and path of each.
///
/// # Errors
/// [`Cause::Usage`] if there is none: a comparison with nothing would always pass.
pub fn truths(dataset: &Dataset, folder: &Path) -> Result<Vec<(&'static str, PathBuf)>, Cause> {
    let truths = dataset.table_names().map(|table| (table, folder.join(format!("{table}.csv"))));
    let truths: Vec<_> = truths.filter(|(_, path)| path.exists()).collect();
    if truths.is_empty() {
        return Err(Cause::Usage {
            message: format!("--golden: {} has no CSV that is named like a table", folder.display()),
            hint: Some("name it TABLE.csv: any of the published ones will do".into()),
        });
    }
    Ok(truths)
}

impl Transfer<'_> {
    /// Compares every table that has a CSV in `folder` (`TABLE.csv`, with a header row that names its columns).
    ///
    /// # Errors
    /// [`Cause::Refused`] with the first differences, by key and column; the caller rolls back.
    pub(super) async fn compare_with(&self, folder: &Path) -> Result<(), Cause> {
        let (mut differences, mut total) = (Vec::new(), 0);
        let truths = truths(self.context.dataset(), folder)?;
        for (table, path) in &truths {
            let (found, shown) = self.compare_table(table, path).await?;
            total += found;
            differences.extend(shown);
        }
        if total > 0 {
            differences.truncate(SHOWN);
            return Err(Cause::Refused {
                message: format!(
                    "the tables differ in {} from the truth in {}:\n    {}",
                    counted(total as u64, "row"),
                    folder.display(),
                    differences.join("\n    ")
                ),
                hint: Some("rolled back; correct the parser or the truth".into()),
            });
        }
        tracing::info!(
            run_id = %self.context.run_id,
            "{} compared with {}: no difference",
            counted(truths.len() as u64, "table"),
            folder.display()
        );
        Ok(())
    }

    async fn compare_table(&self, table: &str, path: &Path) -> Result<(i64, Vec<String>), Cause> {
        let operation = format!("compare {table}");
        let pg = |e| failed(e, &operation);
        let io = || Cause::io(format!("read {}", path.display()));
        self.run(sql::GOLDEN_TABLE, table, &operation).await?;
        let mut file = BufReader::with_capacity(1 << 18, tokio::fs::File::open(path).await.map_err(io())?);
        let mut header = String::new();
        file.read_line(&mut header).await.map_err(io())?;
        let names = csv_cells(&header);
        let key = self.context.dataset().key();
        if !names.iter().any(|name| name == key) {
            return Err(Cause::Usage {
                message: format!("{} has no column {key} in its first line", path.display()),
                hint: Some("give the CSV a header row, as the published ones have".into()),
            });
        }
        let list = |column: fn(String) -> String| {
            names.iter().map(|name| column(sql::identifier(name))).collect::<Vec<_>>().join(", ")
        };
        let (columns, texts) = (list(|name| name), list(|name| format!("{name}::text as {name}")));
        let copy = sql::render(sql::GOLDEN_COPY, &[("columns", &columns)]);
        let sink = self.transaction.copy_in::<_, Bytes>(&copy).await.map_err(pg)?;
        let mut sink = std::pin::pin!(sink);
        sink.send(header.into()).await.map_err(pg)?;
        loop {
            let mut chunk = bytes::BytesMut::with_capacity(1 << 18);
            if file.read_buf(&mut chunk).await.map_err(io())? == 0 {
                break;
            }
            sink.send(chunk.freeze()).await.map_err(pg)?;
        }
        sink.finish().await.map_err(pg)?;
        let text = self.render_with(sql::GOLDEN_COMPARE, table, &[("texts", &texts)]);
        let rows = self.transaction.query(&text, &[]).await.map_err(pg)?;
        let mut sides: BTreeMap<String, [Vec<Map<String, Value>>; 2]> = BTreeMap::new();
        let mut total = 0;
        for row in &rows {
            let (side, key): (String, String) = (row.try_get(0).map_err(pg)?, row.try_get(1).map_err(pg)?);
            total = row.try_get(3).map_err(pg)?;
            if let Value::Object(columns) = row.try_get(2).map_err(pg)? {
                sides.entry(key).or_default()[usize::from(side == "unexpected")].push(columns);
            }
        }
        Ok((
            total,
            sides
                .iter()
                .flat_map(|(key, [missing, unexpected])| describe(table, key, missing, unexpected))
                .collect(),
        ))
    }
}

/// A missing and an unexpected row of one record are one difference: of the columns that differ.
fn describe(
    table: &str,
    key: &str,
    missing: &[Map<String, Value>],
    unexpected: &[Map<String, Value>],
) -> Vec<String> {
    let mut texts = Vec::new();
    for number in 0..missing.len().max(unexpected.len()) {
        texts.push(match (missing.get(number), unexpected.get(number)) {
            (Some(truth), Some(found)) => {
                let columns = truth.iter().filter(|(name, value)| found.get(*name) != Some(value));
                let columns = columns.map(|(name, value)| {
                    format!("{name}: {value} in truth, {} here", found.get(name).unwrap_or(&Value::Null))
                });
                format!("{table} {key}: {}", columns.collect::<Vec<_>>().join("; "))
            }
            (Some(_), None) => format!("{table} {key}: a row of truth is missing"),
            _ => format!("{table} {key}: a row that truth does not have"),
        });
    }
    texts
}
