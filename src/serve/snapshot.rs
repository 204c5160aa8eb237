//! A snapshot of the database: the run that it shows, and its places, which stay in memory as long as the run is the same.

use std::sync::Arc;

use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Statement, Transaction};

use super::places::{Places, ServedPlace};
use super::pool::PoolReader;
use super::texts::ServedTexts;

/// The places of a dataset, with the version of the commit that they were read from.
pub type KnownPlaces = Arc<(String, Places)>;

/// Begins to read from a new snapshot.
pub(super) async fn snapshot(reader: &mut PoolReader) -> Result<Transaction<'_>, tokio_postgres::Error> {
    let transaction = reader.connection.build_transaction();
    transaction.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await
}

/// The run that the snapshot shows, and its places; `None`: nothing is loaded. `known` holds the places of an earlier snapshot;
/// it is replaced if production has changed.
pub(super) async fn opened(
    transaction: &Transaction<'_>,
    [run, places]: [&Statement; 2],
    texts: &ServedTexts,
    known: &mut Option<KnownPlaces>,
) -> Result<Option<(String, KnownPlaces)>, tokio_postgres::Error> {
    let values: [&(dyn ToSql + Sync); 2] = [&texts.dataset.name, &texts.schema];
    let Some(row) = transaction.query_opt(run, &values).await? else { return Ok(None) };
    let (run_id, version): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let current = match known {
        Some(known) if known.0 == version => known.clone(),
        _ => known.insert(Arc::new((version, read_places(transaction, places).await?))).clone(),
    };
    Ok(Some((run_id, current)))
}

async fn read_places(
    transaction: &Transaction<'_>,
    statement: &Statement,
) -> Result<Places, tokio_postgres::Error> {
    let rows = transaction.query(statement, &[]).await?;
    let place = |row: &tokio_postgres::Row| {
        Ok(ServedPlace {
            postcode: row.try_get(0)?,
            lat: row.try_get(1)?,
            lon: row.try_get(2)?,
            zone: row.try_get(3)?,
        })
    };
    Ok(Places::new(rows.iter().map(place).collect::<Result<_, tokio_postgres::Error>>()?))
}
