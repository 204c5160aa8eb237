//! Sums of records that a dataset declares ([`Sums`]): what goes is taken off, what comes is added, in the same transaction. So a batch
//! costs what it touches, and no sum is ever older than the records.

use serde_json::{Map, Value};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::derive::New;
use super::proof::Attached;
use super::{Transfer, failed};
use crate::clients::postgres::{self, PgError};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::dataset::served::{Served, Sums};
use crate::error::Cause;
use crate::run::newest::newest;
use crate::sql;

/// How the sums of a transaction are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summing {
    sums: &'static Sums,
    /// Of all records, because they do not follow from those that go and come.
    is_whole: bool,
}

/// What the database is told of the places.
struct ToldPlaces([Vec<String>; 4]);

impl ToldPlaces {
    fn new(sums: &Sums) -> Self {
        let mut told: [Vec<String>; 4] = Default::default();
        for place in (sums.places)() {
            let coordinates = [place.lat, place.lon].map(|degrees| format!("{degrees:.6}"));
            let [lat, lon] = coordinates;
            for (column, value) in told.iter_mut().zip([place.postcode, lat, lon, place.zone]) {
                column.push(value);
            }
        }
        Self(told)
    }

    fn values(&self) -> [&(dyn ToSql + Sync); 4] {
        self.0.each_ref().map(|column| column as &(dyn ToSql + Sync))
    }
}

/// What a commit says in the details of its step, so that the next knows: the sums follow.
pub(super) fn note(dataset: &Dataset, details: &mut Map<String, Value>) {
    if dataset.served.is_some_and(|served| served.sums.is_some()) {
        details.insert("sums".into(), true.into());
    }
}

/// What makes the sums of all records, in this order.
fn whole(sums: &Sums) -> [&'static str; 6] {
    [sql::SUMS_CLEAR, sql::SUMS_ALL, sums.candidates, sql::SUMS_CELLS, sql::SUMS_APPLY, sql::SUMS_ANALYZE]
}

impl Transfer<'_> {
    fn served(&self) -> Option<&'static Served> {
        self.context.dataset().served
    }

    /// Takes off what the touched records count for, before any row goes; `None`: the dataset has no sums.
    pub(super) async fn begin_sums(&self, new: &New) -> Result<Option<Summing>, Cause> {
        let Some((served, sums)) = self.served().and_then(|served| Some((served, served.sums?))) else {
            return Ok(None);
        };
        let operation = "look whether the sums are up to date";
        self.run(sql::SUMS_BEGIN, "", operation).await?;
        let places = ToldPlaces::new(sums);
        let others = self.is_so(sql::SUMS_PLACES_DIFFER, &places.values(), operation).await?;
        let database = &self.context.target.database;
        let of: [&(dyn ToSql + Sync); 2] = [&self.context.dataset().name, &database.schema];
        let is_new = new.tables || served.tables().iter().any(|(_, table)| new.derived.contains(table));
        let is_whole = is_new || others || self.is_so(sql::SUMS_PASSED_OVER, &of, operation).await?;
        if others {
            let operation = "put the places";
            self.run(sql::PROMOTE_CLEAR, served.places, operation).await?;
            let text = self.render(sql::SUMS_PUT_PLACES, "");
            self.watch.answer(operation, self.transaction.execute(&text, &places.values())).await?;
        }
        if !is_whole {
            self.run(sql::SUMS_GONE, "", "find what is taken off the sums").await?;
            self.count_cells(sums, "-1").await?;
        } else if !new.tables {
            tracing::info!(
                run_id = %self.context.run_id,
                "the sums by day and place are made anew from all records: they are new or out of date (an older \
                 program promoted without them, or places have changed)"
            );
        }
        Ok(Some(Summing { sums, is_whole }))
    }

    /// Adds what has come, when all rows are there and the ledger knows of them, and chooses the pieces of months that changed.
    ///
    /// # Errors
    /// [`Cause::Refused`] if the server did something else than it was told.
    pub(super) async fn end_sums(&self, summing: Option<Summing>, attached: &Attached) -> Result<(), Cause> {
        let Some(served) = self.served() else { return Ok(()) };
        if let Some(Summing { sums, is_whole }) = summing {
            let mut is_whole = is_whole;
            if !is_whole {
                self.run(sql::SUMS_COME, "", "find what is added to the sums").await?;
                self.count_cells(sums, "1").await?;
                self.run(sql::SUMS_APPLY, "", "bring the sums up to date").await?;
                is_whole = self.is_so(sql::SUMS_BELOW_NOTHING, &[], "look at the sums").await?;
                if is_whole {
                    tracing::warn!(
                        run_id = %self.context.run_id,
                        table = served.place_days,
                        "sums of {} were negative, because somebody changed records by hand; they are made anew \
                         from all records",
                        served.place_days
                    );
                }
            }
            if is_whole {
                for script in whole(sums) {
                    let text = self.render_with(script, "", &[("sign", "1")]);
                    self.execute(&text, "make the sums of all records").await?;
                }
            }
            let operation = "find the days that are loaded";
            let newest = newest(self.transaction, self.context.dataset(), &self.context.target.database);
            let newest = self.watch.answers(operation, newest).await?.unwrap_or_default();
            self.execute(&self.render_with(sql::SUMS_DAYS, "", &[("newest", &newest)]), operation).await?;
            self.hold_counts(attached, Vec::new()).await?;
        }
        self.run(sql::SUMS_PIECES, "", "choose the pieces that are shown").await?;
        Ok(())
    }

    async fn count_cells(&self, sums: &Sums, sign: &str) -> Result<(), Cause> {
        let operation = "count records by day and place";
        self.run(sums.candidates, "", operation).await?;
        self.execute(&self.render_with(sql::SUMS_CELLS, "", &[("sign", sign)]), operation).await
    }

    async fn is_so(
        &self,
        script: &str,
        values: &[&(dyn ToSql + Sync)],
        operation: &str,
    ) -> Result<bool, Cause> {
        let rows = self.query(script, "", values, operation).await?;
        Ok(rows[0].try_get(0).map_err(|e| failed(e, operation))?)
    }
}

/// Makes the sums of all records that are left, in the transaction of a purge; `render` puts in the names of the dataset's tables, and
/// special variables before them.
///
/// # Errors
/// [`Cause::Refused`] if the server wrote another number of rows than it was told.
pub async fn sum_anew(
    dataset: &Dataset,
    database: &DatabaseConfig,
    transaction: &Transaction<'_>,
    render: impl Fn(&str, &[(&str, &str)]) -> String,
) -> Result<(), Cause> {
    let Some(sums) = dataset.served.and_then(|served| served.sums) else { return Ok(()) };
    let failed = |error| postgres::classify(error, "make the sums of all records");
    let run = async |script: &str, special: &[(&str, &str)]| -> Result<(), PgError> {
        transaction.batch_execute(&render(script, special)).await.map_err(failed)
    };
    run(sql::SUMS_COUNTED, &[]).await?;
    run(sql::SUMS_BEGIN, &[]).await?;
    for script in whole(sums) {
        run(script, &[("sign", "1")]).await?;
    }
    let newest = newest(transaction, dataset, database).await?.unwrap_or_default();
    run(sql::SUMS_DAYS, &[("newest", &newest)]).await?;
    run(sql::SUMS_PIECES, &[]).await?;
    match transaction.query(sql::PROMOTE_COUNTED, &[]).await.map_err(failed)?.first() {
        None => Ok(()),
        Some(row) => Err(Cause::Refused {
            message: format!(
                "a trigger or rule changed what was written to {}",
                row.try_get::<_, String>(0).map_err(failed)?
            ),
            hint: Some("remove the trigger or rule on that table, then purge again".into()),
        }),
    }
}
