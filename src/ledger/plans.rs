//! What a run asks of a service, in the ledger: the answers that arrived, and the plan, so that a later run can
//! continue it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use super::{ArchivedPart, Ledger, confirm_written, decode};
use crate::error::Cause;
use crate::sql;

impl Ledger {
    /// Records an answer that is now in the archive.
    pub async fn add_archived(&self, archived: &ArchivedPart<'_>) -> Result<(), Cause> {
        let part = archived.part;
        let values: [&(dyn ToSql + Sync); 9] = [
            &self.run_id,
            &part.name,
            &archived.source,
            &part.sha256,
            &(part.size_bytes as i64),
            &archived.as_of.map(|date| date.to_string()),
            &archived.order_key,
            &json!(part.slice).to_string(),
            &(part.records as i64),
        ];
        let written = self.execute("enter an answer", sql::LEDGER_ADD_ARCHIVED, &values).await?;
        confirm_written("parts", 1, written)
    }

    /// The checksum of a part of the archive as it was closed; `None`: nothing is known of it.
    pub async fn closed_sha256(&self, name: &str) -> Result<Option<String>, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &name];
        let rows = self.all("look for a checksum", sql::LEDGER_CLOSED, &values).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose().map_err(decode)?)
    }

    /// Enters the checksum of a part of the archive that is about to be rewritten.
    pub async fn rewritten(&self, name: &str, sha256: &str, size_bytes: i64) -> Result<(), Cause> {
        let values: [&(dyn ToSql + Sync); 4] = [&self.dataset, &name, &sha256, &size_bytes];
        self.execute("enter a checksum", sql::LEDGER_REWRITTEN, &values).await?;
        Ok(())
    }

    /// Keeps a numbered piece of the plan for what is wanted.
    pub async fn save_plan(&self, want: &str, number: usize, piece: &Value) -> Result<(), Cause> {
        let want = format!("{want} {number:06}");
        let values: [&(dyn ToSql + Sync); 5] =
            [&self.dataset, &self.database.schema, &want, piece, &self.run_id];
        let written = self.execute("keep the plan", sql::LEDGER_SAVE_PLAN, &values).await?;
        confirm_written("plans", 1, written)
    }

    /// The pieces of the plan left by an unfinished run that wanted the same.
    pub async fn saved_plan(&self, want: &str) -> Result<Vec<Value>, Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.dataset, &self.database.schema, &want];
        let rows = self.all("look for a plan", sql::LEDGER_SAVED_PLAN, &values).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?)
    }

    /// Counts a request to a service that bears `per_minute` of them, and a few ahead of their time, by all runs of this
    /// ledger together; otherwise says how long it has to wait before it is tried again.
    pub async fn claim_request(
        &self,
        (family, service): (&str, &str),
        per_minute: f64,
        burst: u32,
    ) -> Result<Duration, Cause> {
        let cost_us = (60e6 / per_minute).ceil() as i64;
        let key = format!("rate {service}");
        let values: [&(dyn ToSql + Sync); 4] = [&family, &key, &cost_us, &i64::from(burst.max(1))];
        let rows = self.all("count a request", sql::LEDGER_CLAIM_REQUEST, &values).await?;
        confirm_written("plans", 1, rows.len() as u64)?;
        let wait_us: i64 = rows[0].try_get(0).map_err(decode)?;
        Ok(Duration::from_micros(wait_us.max(0) as u64))
    }

    /// Removes the plan for what is wanted, once that is complete.
    pub async fn forget_plan(&self, want: &str) -> Result<(), Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.dataset, &self.database.schema, &want];
        self.execute("forget the plan", sql::LEDGER_FORGET_PLAN, &values).await?;
        Ok(())
    }
}
