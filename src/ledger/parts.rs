//! Files in the ledger: which are known, which are taken, and which runs they belong to.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::types::ToSql;

use super::{KnownPart, Ledger, NEWEST, NewPart, decode};
use crate::error::Cause;
use crate::sql;

impl Ledger {
    /// The posting that counts of each file.
    pub async fn known_parts(&self) -> Result<Vec<KnownPart>, Cause> {
        self.known_parts_in(NEWEST).await
    }

    /// The same in a ledger of this version, which may be an older one.
    pub async fn known_parts_in(&self, version: i32) -> Result<Vec<KnownPart>, Cause> {
        let statement = match version {
            ..3 => sql::LEDGER_KNOWN_FILES_UNTIL_2,
            _ => sql::LEDGER_KNOWN_PARTS,
        };
        let rows =
            self.all("read the known files", statement, &[&self.dataset, &self.database.schema]).await?;
        let known = rows.iter().map(|row| {
            Ok(KnownPart {
                name: row.try_get(0)?,
                part_id: row.try_get(1)?,
                size_bytes: row.try_get::<_, i64>(2)? as u64,
                sha256: row.try_get(3)?,
                modified: row
                    .try_get::<_, Option<i64>>(4)?
                    .and_then(|modified| Timestamp::from_microsecond(modified).ok()),
                is_done: row.try_get(5)?,
                has_failures: row.try_get(6)?,
                // Older ledgers do not have this column.
                is_undone: version >= 3 && row.try_get(7)?,
                undone_sha256: if version >= 3 { row.try_get(8)? } else { Vec::new() },
            })
        });
        Ok(known.collect::<Result<_, tokio_postgres::Error>>().map_err(decode)?)
    }

    /// The order key of each file when it was last taken in, by name, and the part number of the newest.
    pub async fn order_keys(&self) -> Result<(HashMap<String, String>, i64), Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &self.database.schema];
        let rows = self.all("read the order of files", sql::LEDGER_ORDER_KEYS, &values).await?;
        let (mut keys, mut newest) = (HashMap::new(), 0);
        for row in &rows {
            keys.insert(row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
            newest = i64::max(newest, row.try_get(2).map_err(decode)?);
        }
        Ok((keys, newest))
    }

    /// The names of files that runs took from their source, and that none has committed.
    pub async fn uncommitted(&self) -> Result<HashSet<String>, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &self.database.schema];
        let rows = self.all("look for files without a commit", sql::LEDGER_UNCOMMITTED, &values).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?)
    }

    /// Records that a file is taken; returns its part_id.
    pub async fn add_part(&self, file: &NewPart<'_>) -> Result<i64, Cause> {
        let row = self
            .one(
                "take up a file",
                sql::LEDGER_ADD_PART,
                &[
                    &self.run_id,
                    &file.batch,
                    &file.name,
                    &file.source,
                    &file.sha256,
                    &(file.size_bytes as i64),
                    &file.as_of.map(|date| date.to_string()),
                    &file.order_key,
                    &file.modified.map(microseconds),
                    &file.asked.map(|(slice, _)| json!(slice).to_string()),
                    &file.asked.and_then(|(_, records)| records).map(|records| records as i64),
                ],
            )
            .await?;
        Ok(row.try_get(0).map_err(decode)?)
    }

    /// A file that was posted again has the known content: records its new time.
    pub async fn compared(&self, part_id: i64, modified: Option<Timestamp>) -> Result<(), Cause> {
        let modified = modified.map(microseconds);
        self.execute("note a file", sql::LEDGER_COMPARED, &[&part_id, &modified]).await?;
        Ok(())
    }

    /// Those of these runs that this ledger knows as runs of its dataset into its target schema.
    pub async fn own_runs(&self, run_ids: &[String]) -> Result<Vec<String>, Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.dataset, &self.database.schema, &run_ids];
        let rows = self.all("look for runs", sql::LEDGER_OWN_RUNS, &values).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?)
    }
}

/// A time truncated to PostgreSQL's precision, which would otherwise round it.
fn microseconds(time: Timestamp) -> String {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time).to_string()
}
