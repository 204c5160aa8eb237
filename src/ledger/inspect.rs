//! Reads the ledger for `status` and `failures`. Writes nothing and takes no lock.

use serde_json::Value;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::clients::postgres::{self, Connection, PgError, PgUrl};
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::ledger::{is_usable, lock_name, only_run, unknown_run};
use crate::sql;

/// The error of a run that is marked as running and that no process holds.
const GONE: &str = "its process is gone, and its end is not in the ledger";

/// A ledger that is only read.
pub struct Reader {
    connection: Connection,
    ledger: String,
}

/// A run that is to be undone.
#[derive(Clone, Debug)]
pub struct RunToUndo {
    pub run_id: Uuid,
    pub dataset: String,
    pub schema: String,
    pub kind: String,
    pub dry_run: bool,
    /// The number of batches it committed, and for how many of them the before-images are kept.
    pub committed: i64,
    pub kept: i64,
    /// The run that has undone it.
    pub undone_by: Option<String>,
    /// `None`: nothing was kept.
    pub kept_until: Option<String>,
    /// When it began.
    pub started: String,
}

/// A selection of failed records.
#[derive(Clone, Debug, Default)]
pub struct FailureFilter {
    pub run: Option<Uuid>,
    pub file: Option<String>,
    pub dataset: Option<String>,
    /// The schema of the table.
    pub schema: Option<String>,
    /// One record, with what was kept of it.
    pub record: Option<i64>,
    /// Only those of the record with this identity.
    pub record_id: Option<String>,
    /// Include those that are resolved.
    pub settled: bool,
}

impl Reader {
    /// Connects; a database without a ledger, or with one of another version, is refused with a hint.
    pub async fn open(url: &PgUrl, ledger: &str) -> Result<Self, Cause> {
        let connection = postgres::connect(url, "status").await?;
        let reader = Self { connection, ledger: ledger.into() };
        is_usable(&reader.connection, ledger).await?;
        Ok(reader)
    }

    /// The last runs, the newest first.
    pub async fn runs(&self, limit: i64) -> Result<Vec<Value>, Cause> {
        self.with_runs(sql::LEDGER_VIEW_RUNS, &[&limit], "status").await
    }

    /// What the steps of the last runs cost, the newest run first; of only one run where it is named.
    pub async fn timings(&self, limit: i64, run: Option<Uuid>) -> Result<Vec<Value>, Cause> {
        self.with_runs(sql::LEDGER_VIEW_TIMINGS, &[&limit, &run], "status").await
    }

    /// The number of unresolved failed records.
    pub async fn open_failures(&self) -> Result<u64, Cause> {
        let text = sql::render(sql::LEDGER_OPEN, &[("ledger", &self.ledger)]);
        let row = self.connection.query_one(&text, &[]).await.map_err(failed)?;
        Ok(row.try_get::<_, i64>(0).map_err(failed)? as u64)
    }

    /// The number of unresolved failed records of a dataset in a schema.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn open_failures_of(&self, dataset: &str, schema: &str) -> Result<u64, Cause> {
        let text = sql::render(sql::LEDGER_OPEN_OF, &[("ledger", &self.ledger)]);
        let row = self.connection.query_one(&text, &[&dataset, &schema]).await.map_err(failed)?;
        Ok(row.try_get::<_, i64>(0).map_err(failed)? as u64)
    }

    /// Everything about a run that is named by its id, the start or end of that, or `last`.
    ///
    /// `None` if no run fits.
    ///
    /// # Errors
    /// [`Cause::Usage`] if several fit.
    pub async fn run(&self, name: &str) -> Result<Option<Value>, Cause> {
        match self.find_run(name).await? {
            None => Ok(None),
            Some(run_id) => Ok(self.with_runs(sql::LEDGER_VIEW_RUN, &[&run_id], "status").await?.pop()),
        }
    }

    /// The id of the run that a name means.
    ///
    /// # Errors
    /// [`Cause::Usage`] if none fits, or several do.
    pub async fn run_id(&self, name: &str) -> Result<Uuid, Cause> {
        self.find_run(name).await?.ok_or_else(|| unknown_run(name))
    }

    /// The size of the before-images: the number of runs that have some, their bytes, and the day until which the last
    /// are kept.
    pub async fn before_images(&self) -> Result<(u64, u64, Option<String>), Cause> {
        let text = sql::render(sql::IMAGES_SIZE, &[("ledger", &self.ledger)]);
        let row = self.connection.query_one(&text, &[]).await.map_err(failed)?;
        let read =
            || Ok((row.try_get::<_, i64>(0)? as u64, row.try_get::<_, i64>(1)? as u64, row.try_get(2)?));
        Ok(read().map_err(failed)?)
    }

    /// The run to undo, by its id.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn run_to_undo(&self, run_id: Uuid) -> Result<Option<RunToUndo>, Cause> {
        Ok(self.runs_to_undo(Some(run_id)).await?.pop())
    }

    /// The last runs that loaded something, the newest first.
    ///
    /// # Errors
    /// Any error of the database.
    pub async fn loaded_runs(&self) -> Result<Vec<RunToUndo>, Cause> {
        self.runs_to_undo(None).await
    }

    async fn runs_to_undo(&self, run_id: Option<Uuid>) -> Result<Vec<RunToUndo>, Cause> {
        let text = sql::render(sql::UNDO_RUN, &[("ledger", &self.ledger)]);
        let rows = self.connection.query(&text, &[&run_id]).await.map_err(failed)?;
        let read = |row: &tokio_postgres::Row| {
            Ok(RunToUndo {
                dataset: row.try_get(0)?,
                schema: row.try_get(1)?,
                kind: row.try_get(2)?,
                dry_run: row.try_get(3)?,
                committed: row.try_get(4)?,
                kept: row.try_get(5)?,
                undone_by: row.try_get(6)?,
                kept_until: row.try_get(7)?,
                started: row.try_get(8)?,
                run_id: row.try_get(9)?,
            })
        };
        Ok(rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(failed)?)
    }

    async fn find_run(&self, name: &str) -> Result<Option<Uuid>, Cause> {
        let text = sql::render(sql::LEDGER_FIND_RUN, &[("ledger", &self.ledger)]);
        let none: Option<Uuid> = None;
        let rows = self.connection.query(&text, &[&name, &none]).await.map_err(failed)?;
        let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
        only_run(name, ids)
    }

    /// The outcome of a file in every run that took it.
    pub async fn file(&self, name: &str) -> Result<Vec<Value>, Cause> {
        self.with_runs(sql::LEDGER_VIEW_PART, &[&name], "run_status").await
    }

    /// Where a record in production came from.
    pub async fn origin(&self, record_id: &str) -> Result<Vec<Value>, Cause> {
        self.objects(sql::LEDGER_VIEW_ORIGIN, &[&record_id]).await
    }

    /// Does production have this record of a dataset? `None`: unknown, because it cannot be read.
    pub async fn has_record(&self, dataset: &Dataset, schema: &str, record_id: &str) -> Option<bool> {
        let variables = [("schema", schema), ("table", dataset.parent().name), ("key", dataset.key())];
        let text = sql::render(sql::LEDGER_IS_THERE, &variables);
        self.connection.query_one(&text, &[&record_id]).await.ok()?.try_get(0).ok()
    }

    /// Failed records, the unresolved ones first.
    pub async fn failures(&self, filter: &FailureFilter) -> Result<Vec<Value>, Cause> {
        let FailureFilter { run, file, dataset, schema, record, record_id, settled } = filter;
        let values: [&(dyn ToSql + Sync); 7] = [run, file, dataset, record, settled, record_id, schema];
        self.objects(sql::LEDGER_VIEW_FAILURES, &values).await
    }

    /// The files of a selection of which nothing could be read, now if it names no run. Those that are gone from their source are
    /// settled.
    pub async fn unreadable(&self, filter: &FailureFilter) -> Result<Vec<Value>, Cause> {
        let FailureFilter { run, file, dataset, schema, settled, .. } = filter;
        self.objects(sql::LEDGER_VIEW_UNREADABLE, &[run, file, dataset, settled, schema]).await
    }

    /// Objects with the status of a run each, under this name. A run that is marked as running although its process is gone
    /// is abandoned; the next run of its dataset writes that into the ledger.
    async fn with_runs(
        &self,
        script: &str,
        values: &[&(dyn ToSql + Sync)],
        status: &str,
    ) -> Result<Vec<Value>, Cause> {
        // The locks are looked at first: if such a run ends meanwhile, its end is read.
        let text = sql::render(sql::LEDGER_DEAD, &[("ledger", &self.ledger)]);
        let locks = lock_name(&self.ledger, "");
        let rows = self.connection.query(&text, &[&locks]).await.map_err(failed)?;
        let dead = rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0)?.to_string()));
        let dead = dead.collect::<Result<Vec<_>, tokio_postgres::Error>>().map_err(failed)?;
        let mut objects = self.objects(script, values).await?;
        let is_dead = |object: &Value| {
            object[status] == "running" && dead.iter().any(|run_id| object["run_id"] == run_id.as_str())
        };
        for object in objects.iter_mut().filter(|object| is_dead(object)) {
            object[status] = "abandoned".into();
            if status == "status" {
                object["error"] = GONE.into();
            }
        }
        Ok(objects)
    }

    async fn objects(&self, script: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Value>, Cause> {
        let text = sql::render(script, &[("ledger", &self.ledger)]);
        let rows = self.connection.query(&text, values).await.map_err(failed)?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?)
    }
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "read the ledger")
}
