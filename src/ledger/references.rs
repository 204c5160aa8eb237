//! The references of datasets: which version is in use, and which files it has.

use tokio_postgres::types::ToSql;

use super::{Ledger, decode};
use crate::error::Cause;
use crate::sql;

/// A file of the reference in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownReference {
    pub version: String,
    pub name: String,
    /// Its key in the store.
    pub object: String,
    pub sha256: String,
    pub rows: u64,
    pub size_bytes: u64,
}

impl Ledger {
    /// The files of the reference in use; none: there is no reference.
    pub async fn current_reference(&self) -> Result<Vec<KnownReference>, Cause> {
        let values: [&(dyn ToSql + Sync); 1] = [&self.dataset];
        let rows = self.all("look for the reference", sql::LEDGER_CURRENT_REFERENCE, &values).await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(KnownReference {
                version: row.try_get(0)?,
                name: row.try_get(1)?,
                object: row.try_get(2)?,
                sha256: row.try_get(3)?,
                rows: row.try_get::<_, i64>(4)? as u64,
                size_bytes: row.try_get::<_, i64>(5)? as u64,
            })
        };
        Ok(rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)?)
    }
}
