//! The ledger: every run, step, file and failed record, in PostgreSQL.
//!
//! It has a connection of its own, which also holds the dataset's lock, so that what it writes survives a
//! promotion that is rolled back. What must commit with the data is written by the promotion itself.

mod answers;
pub mod entries;
mod failures;
pub mod inspect;
mod migrations;
mod missing;
mod parts;
mod plans;
mod references;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::catalogue;
use crate::clients::postgres::{self, Connection, PgError, PgUrl};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::sql;
use crate::system::machine;

pub use answers::KnownAnswer;
pub use entries::{
    ArchivedPart, Kind, KnownFailure, KnownPart, NewFailure, NewPart, NewRun, PartFindings, Place, Status,
    confirm_written,
};
pub use migrations::{NEWEST, is_usable, migrate};
pub use missing::{MissingRecords, missing_records, reload};
pub use references::KnownReference;

/// The ledger of one dataset in one database.
pub struct Ledger {
    connection: Connection,
    dataset: &'static str,
    database: DatabaseConfig,
    run_id: Uuid,
}

impl Ledger {
    /// Connects, brings the ledger's tables up to date and takes the dataset's lock for as long as it lives.
    ///
    /// # Errors
    /// [`Cause::Refused`] on a server on which no run could finish; [`Cause::Locked`] if another run holds the lock; a
    /// ledger made by a newer version; any database error.
    pub async fn open(url: &PgUrl, database: &DatabaseConfig, dataset: &'static str) -> Result<Self, Cause> {
        let mut connection = postgres::connect(url, "ledger").await?;
        let watch = connection.watch();
        watch.answers("look at the server", catalogue::admit_server(&*connection)).await?;
        watch
            .answers("bring the ledger up to date", migrate(&mut connection, &database.ledger_schema))
            .await?;
        let ledger = Self { connection, dataset, database: database.clone(), run_id: Uuid::nil() };
        let lock = ledger.lock_name();
        let free: bool =
            ledger.one("take the lock", sql::LEDGER_LOCK, &[&lock]).await?.try_get(0).map_err(decode)?;
        if !free {
            let holder = ledger.holder().await?.unwrap_or_else(|| "it ended just now".into());
            return Err(Cause::Locked { dataset: dataset.into(), holder });
        }
        Ok(ledger)
    }

    /// Opens a ledger for reading, in a read-only transaction: creates nothing and takes no lock. Returns it with its
    /// version; `None`: there is none yet.
    ///
    /// # Errors
    /// [`Cause::Refused`] if a newer merganser has made it; any database error.
    pub async fn look(
        url: &PgUrl,
        database: &DatabaseConfig,
        dataset: &'static str,
    ) -> Result<Option<(Self, i32)>, Cause> {
        let connection = postgres::connect(url, "check").await?;
        // The transaction stays open as long as the connection: a session setting could remain in the session of a
        // pool.
        connection
            .batch_execute("begin read only")
            .await
            .map_err(|e| postgres::classify(e, "look for the ledger"))?;
        let version = migrations::version(&connection, &database.ledger_schema).await?;
        Ok(version.map(|version| {
            let ledger = Self { connection, dataset, database: database.clone(), run_id: Uuid::nil() };
            (ledger, version)
        }))
    }

    /// The name of the dataset's lock.
    pub fn lock_name(&self) -> String {
        lock_name(&self.database.ledger_schema, self.dataset)
    }

    /// Would the server accept what a run writes to those tables of the dataset that exist?
    ///
    /// # Errors
    /// [`Cause::Refused`] with everything that prevents it.
    pub async fn admit_tables(&self, dataset: &'static Dataset) -> Result<(), Cause> {
        let admitted = catalogue::admit_tables(&*self.connection, &self.database, dataset);
        self.connection.watch().answers("look at the tables", admitted).await
    }

    /// The run that this ledger writes for.
    pub fn run_id(&self) -> Uuid {
        self.run_id
    }

    /// Is the connection to the server closed?
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Proves that the lock is still held: its connection is alive, and no other run has declared this one dead.
    ///
    /// # Errors
    /// [`Cause::Refused`] if another run has; an error of the database if the connection, and with it the lock, is
    /// lost.
    pub async fn confirm(&self) -> Result<(), Cause> {
        let row = self.one("confirm the lock", sql::LEDGER_CONFIRM, &[&self.run_id]).await?;
        if row.try_get(0).map_err(decode)? { Ok(()) } else { Err(taken_over()) }
    }

    /// Marks runs that died without recording their end, then begins a new one. Returns the runs that were marked.
    pub async fn begin_run(&mut self, run: &NewRun) -> Result<Vec<Uuid>, Cause> {
        let abandoned = self.abandon().await?;
        self.execute(
            "begin the run",
            sql::LEDGER_BEGIN_RUN,
            &[
                &run.run_id,
                &self.dataset,
                &self.database.schema,
                &run.kind.as_str(),
                &run.dry_run,
                &run.options,
                &json!({ "merganser": env!("CARGO_PKG_VERSION") }),
                &machine::host(),
            ],
        )
        .await?;
        self.run_id = run.run_id;
        Ok(abandoned)
    }

    /// Marks runs that were killed, which may promote nothing any more; waits for a promotion of theirs that is under way. Only the
    /// holder of the lock may do this.
    pub async fn abandon(&self) -> Result<Vec<Uuid>, Cause> {
        let rows = self.all("mark abandoned runs", sql::LEDGER_ABANDON, &[&self.dataset]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?)
    }

    /// Ends the run.
    pub async fn finish_run(
        &self,
        status: Status,
        counts: &Value,
        error: Option<&str>,
        chain: &[String],
    ) -> Result<(), Cause> {
        if status != Status::Completed && status != Status::CompletedWithFailures {
            self.execute("end the steps", sql::LEDGER_FAIL_STEPS, &[&self.run_id]).await?;
        }
        let chain = error.map(|_| chain);
        self.execute(
            "end the run",
            sql::LEDGER_FINISH_RUN,
            &[&self.run_id, &status.as_str(), counts, &error, &chain],
        )
        .await?;
        Ok(())
    }

    /// What the steps of this run cost.
    pub async fn timings(&self) -> Result<Value, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&1_i64, &Some(self.run_id)];
        let row = self.one("read the timings", sql::LEDGER_VIEW_TIMINGS, &values).await?;
        Ok(row.try_get(0).map_err(decode)?)
    }

    /// A step begins.
    pub async fn start_step(&self, batch: i32, step: &str) -> Result<(), Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.run_id, &batch, &step];
        let written = self.execute("begin a step", sql::LEDGER_START_STEP, &values).await?;
        confirm_written("steps", 1, written)
    }

    /// A step ends; `status` is completed or skipped.
    pub async fn finish_step(
        &self,
        batch: i32,
        step: &str,
        status: &str,
        rows: u64,
        bytes: u64,
        details: &Value,
    ) -> Result<(), Cause> {
        let written = self
            .execute(
                "end a step",
                sql::LEDGER_FINISH_STEP,
                &[&self.run_id, &batch, &step, &status, &(rows as i64), &(bytes as i64), details],
            )
            .await?;
        confirm_written("steps", 1, written)
    }

    /// The run that a person means: its id, the start or end of that, or `last` (the one before this).
    ///
    /// # Errors
    /// [`Cause::Usage`] if none fits, or several do.
    pub async fn run_named(&self, name: &str) -> Result<Uuid, Cause> {
        let rows = self.all("find the run", sql::LEDGER_FIND_RUN, &[&name, &self.run_id]).await?;
        let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?;
        only_run(name, ids)?.ok_or_else(|| unknown_run(name))
    }

    /// Records what was found in a file.
    pub async fn part_parsed(&self, part_id: i64, findings: &PartFindings) -> Result<(), Cause> {
        let status = if findings.readable { "pending" } else { "failed" };
        let written = self
            .execute(
                "note a file",
                sql::LEDGER_PART_PARSED,
                &[
                    &part_id,
                    &status,
                    &(findings.records_seen as i64),
                    &(findings.records_failed as i64),
                    &findings.unknown,
                    &findings.error,
                ],
            )
            .await?;
        confirm_written("parts", 1, written)
    }

    /// Keeps what the guards found although the promotion was rolled back.
    pub async fn add_guards(&self, batch: i32, guards: &Value) -> Result<(), Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.run_id, &batch, &guards.to_string()];
        self.execute("note the guards", sql::LEDGER_ADD_GUARDS, &values).await?;
        Ok(())
    }

    /// Keeps what a dry run would have changed.
    pub async fn add_changes(&self, batch: i32, changes: &Value) -> Result<(), Cause> {
        let values: [&(dyn ToSql + Sync); 3] = [&self.run_id, &batch, &changes.to_string()];
        self.execute("note the change", sql::LEDGER_ADD_CHANGES, &values).await?;
        Ok(())
    }

    /// The elements among `paths` that no earlier run saw.
    pub async fn new_elements(&self, paths: Vec<String>) -> Result<Vec<String>, Cause> {
        let values: [&(dyn ToSql + Sync); 4] = [&self.dataset, &self.database.schema, &self.run_id, &paths];
        let rows = self.all("look for new elements", sql::LEDGER_NEW_ELEMENTS, &values).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(decode)?)
    }

    /// The number of rows of each table when it was last counted, or changed by us; unknown tables are left out.
    pub async fn remembered_rows(&self) -> Result<BTreeMap<String, i64>, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &self.database.schema];
        let rows = self.all("look up the numbers of rows", sql::LEDGER_REMEMBERED, &values).await?;
        let rows = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(rows.collect::<Result<_, tokio_postgres::Error>>().map_err(decode)?)
    }

    /// For how many whole days nothing new has arrived for the dataset, and whether a run of today has already reported
    /// that.
    pub async fn quiet_days(&self) -> Result<(u32, bool), Cause> {
        let row = self
            .one("look when something new came", sql::LEDGER_QUIET, &[&self.dataset, &self.database.schema])
            .await?;
        let (days, told): (i32, bool) = (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
        Ok((days.unsigned_abs(), told))
    }

    /// Is there a promotion that was not published?
    pub async fn publish_pending(&self) -> Result<bool, Cause> {
        let row = self
            .one("look for unpublished data", sql::LEDGER_PUBLISHED, &[&self.dataset, &self.database.schema])
            .await?;
        Ok(row.try_get(0).map_err(decode)?)
    }

    /// Who holds the dataset's lock, from where and since when; `None`: nobody.
    pub async fn holder(&self) -> Result<Option<String>, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &self.lock_name()];
        let rows = self.all("find the holder of the lock", sql::LEDGER_HOLDER, &values).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let describe = || {
            let (user, address, since): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let Some(kind) = row.try_get::<_, Option<String>>(3)? else {
                return Ok(format!("a session from {address} as {user} since {since}"));
            };
            let (run_id, host, started): (Uuid, String, String) =
                (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
            Ok::<_, tokio_postgres::Error>(format!(
                "{kind} {run_id} from host {host} as {user} since {started}"
            ))
        };
        Ok(Some(describe().map_err(decode)?))
    }

    fn text(&self, script: &str) -> String {
        sql::render(script, &[("ledger", &self.database.ledger_schema)])
    }

    async fn execute(
        &self,
        what: &str,
        script: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PgError> {
        let text = self.text(script);
        self.connection.watch().answer(what, self.connection.execute(&text, values)).await
    }

    async fn all(
        &self,
        what: &str,
        script: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, PgError> {
        let text = self.text(script);
        self.connection.watch().answer(what, self.connection.query(&text, values)).await
    }

    async fn one(
        &self,
        what: &str,
        script: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<tokio_postgres::Row, PgError> {
        let text = self.text(script);
        self.connection.watch().answer(what, self.connection.query_one(&text, values)).await
    }
}

/// The name of a dataset's lock.
fn lock_name(ledger: &str, dataset: &str) -> String {
    format!("merganser/{ledger}/{dataset}")
}

/// The only run that fits a name.
///
/// # Errors
/// [`Cause::Usage`] if there are several.
pub fn only_run(name: &str, ids: Vec<Uuid>) -> Result<Option<Uuid>, Cause> {
    match ids.as_slice() {
        [] => Ok(None),
        [run_id] => Ok(Some(*run_id)),
        several => Err(Cause::Usage {
            message: format!("`{name}` fits several runs"),
            hint: Some(format!(
                "name one of them in full: {}",
                several.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")
            )),
        }),
    }
}

/// The error for a name that no run fits.
pub fn unknown_run(name: &str) -> Cause {
    Cause::Usage {
        message: format!("the ledger knows no run `{name}`"),
        hint: Some("merganser status lists the runs".into()),
    }
}

/// The error of a run that another one has declared dead.
pub fn taken_over() -> Cause {
    Cause::Refused {
        message: "another process has taken over: this run is no longer marked as running".into(),
        hint: Some("merganser status".into()),
    }
}

/// The error for an answer of another shape than our own statement asks for.
fn decode(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "read an answer of the ledger")
}
