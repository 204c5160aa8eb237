//! The newest day of which a dataset's production tells.

use tokio_postgres::GenericClient;

use crate::clients::postgres::{self, PgError};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::sql;

/// The newest day, as `YYYY-MM-DD`: of the rows, if the dataset has a script that asks them, otherwise of the files that the
/// ledger calls done. `None`: nothing is loaded.
///
/// # Errors
/// What the server answers; production's tables must be there.
pub async fn newest(
    client: &impl GenericClient,
    dataset: &Dataset,
    database: &DatabaseConfig,
) -> Result<Option<String>, PgError> {
    let failed = |error| postgres::classify(error, "read the newest run date");
    let variables =
        [("schema", &*database.schema), ("ledger", &*database.ledger_schema), ("dataset", dataset.name)];
    let query = sql::render(dataset.scripts.newest.unwrap_or(sql::PUBLISH_NEWEST), &variables);
    client.query_one(&query, &[]).await.map_err(failed)?.try_get(0).map_err(failed)
}
