//! Failed records in the ledger.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{KnownFailure, Ledger, NewFailure, Place, confirm_written, decode};
use crate::error::Cause;
use crate::sql;

impl Ledger {
    /// The places of unresolved failed records.
    pub async fn unresolved(&self, run: Option<Uuid>, record: Option<i64>) -> Result<Vec<Place>, Cause> {
        let values: [&(dyn ToSql + Sync); 4] = [&self.dataset, &self.database.schema, &run, &record];
        let rows = self.all("find the failed records", sql::LEDGER_UNRESOLVED, &values).await?;
        let places = rows.iter().map(|row| {
            Ok(Place {
                file: row.try_get(0)?,
                size_bytes: row.try_get::<_, i64>(1)? as u64,
                ordinal: row.try_get::<_, i64>(2)? as u64,
            })
        });
        Ok(places.collect::<Result<_, tokio_postgres::Error>>().map_err(decode)?)
    }

    /// The names of files of a source of which nothing could be read.
    pub async fn unread(&self, source: &str) -> Result<Vec<String>, Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.dataset, &self.database.schema, &source];
        let rows = self.all("find the files that could not be read", sql::LEDGER_UNREAD, &values).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?)
    }

    /// One failed record of the dataset; `None` if there is no such record.
    pub async fn failed_record(&self, id: i64) -> Result<Option<KnownFailure>, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &id];
        let rows = self.all("find the failed record", sql::LEDGER_FAILED_RECORD, &values).await?;
        let known = rows.first().map(|row| {
            Ok(KnownFailure {
                file: row.try_get(0)?,
                target_schema: row.try_get(1)?,
                ordinal: row.try_get::<_, i64>(2)? as u64,
                resolution: row.try_get(3)?,
            })
        });
        Ok(known.transpose().map_err(decode)?)
    }

    /// Records failed records; they stay even if the run fails.
    pub async fn add_failures(&self, failures: &[NewFailure]) -> Result<(), Cause> {
        let rows = failures.iter().map(|f| {
            json!({
                "part_id": f.part_id, "record_id": f.record_id, "ordinal": f.ordinal,
                "offset_bytes": f.offset_bytes, "table_name": f.table, "field": f.field, "value": f.value,
                "reason": f.reason, "fragment": f.fragment, "suggestion": f.suggestion,
            })
        });
        // PostgreSQL's jsonb cannot hold a NUL, nor can its text.
        let rows = Value::Array(rows.collect()).to_string().replace("\\u0000", "\\ufffd");
        let values: [&(dyn ToSql + Sync); 2] = [&self.run_id, &rows];
        let written = self.execute("note failed records", sql::LEDGER_ADD_FAILURES, &values).await?;
        confirm_written("failed_records", failures.len() as u64, written)
    }

    /// Closes the older failures of records that failed again in this file.
    pub async fn close_failed_again(&self, part_id: i64) -> Result<(), Cause> {
        self.execute("note failed records", sql::LEDGER_FAILED_AGAIN, &[&part_id, &self.run_id]).await?;
        Ok(())
    }
}
