//! The versions of a job in the ledger.

use serde_json::Value;
use uuid::Uuid;

use super::groups::{Group, Partition};
use super::job::{Job, TableName};
use super::session::{JobSession, decode};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::fault;
use crate::sql;
use crate::system::machine;

/// The rows that are sent to the ledger with one statement.
const CHUNK: usize = 5_000;

const NOTE: &str = "note the plan";

/// A version as the ledger describes it.
#[derive(Clone, Debug)]
pub struct Version {
    pub version_id: Uuid,
    pub hash: String,
    pub state: String,
    pub version_table: String,
    pub target_schema: String,
    pub target_table: String,
    pub is_in_place: bool,
    pub old_table: Option<String>,
    pub plan: Value,
    pub planned_at: String,
}

impl Version {
    /// Whether the version is being made or could be continued.
    pub fn is_open(&self) -> bool {
        self.state == "open" || self.state == "paused"
    }

    /// A finding of the plan.
    pub fn planned(&self, name: &str) -> &Value {
        &self.plan[name]
    }
}

/// The table of a version: the number in the catalogue that was noted for it, and that of what has its name now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionTable {
    noted: Option<i64>,
    there: Option<i64>,
}

impl VersionTable {
    /// Looks for the table of a version: the one that is built, or if it is in place, the target.
    pub async fn look(session: &JobSession, version_id: Uuid) -> Result<Self, PgError> {
        let row = session.maybe("look for the version's table", sql::TRANSFORM_TABLE, &[&version_id]).await?;
        let read = |row: tokio_postgres::Row| Ok(Self { noted: row.try_get(0)?, there: row.try_get(1)? });
        row.map(read).transpose().map_err(decode).map(Option::unwrap_or_default)
    }

    /// Whether it is there and was noted.
    pub fn is_noted(&self) -> bool {
        self.noted.is_some() && self.noted == self.there
    }

    /// Whether nothing has its name.
    pub fn is_missing(&self) -> bool {
        self.there.is_none()
    }

    /// The error if the rows of a version are gone with its table. Versions of older releases have none noted.
    pub fn lost(&self, job: &Job, version: &Version) -> Option<Cause> {
        let is_ended = !version.is_open();
        let schema = version.target_schema.clone();
        let table = if is_ended { &version.target_table } else { &version.version_table };
        let table = TableName { schema, table: table.clone() };
        let (name, hash) = (&job.name, short(&version.hash));
        let message = match (self.noted, self.there) {
            (noted, None) if noted.is_some() || is_ended => {
                format!("the table {table} of {name}, version {hash}, is not there any more")
            }
            (Some(noted), Some(there)) if noted != there && is_ended => format!(
                "{table} is no longer the table that {name}, version {hash}, has put in place: another job or somebody has \
                 replaced it"
            ),
            (Some(noted), Some(there)) if noted != there => format!(
                "{table} is not the table that was made for {name}, version {hash}: somebody has replaced it, and what was \
                 written is gone"
            ),
            _ => return None,
        };
        Some(Cause::Refused { message, hint: Some(anew(job, version)) })
    }
}

/// What to do if a version must be made again.
pub fn anew(job: &Job, version: &Version) -> String {
    format!("{} makes it again", anew_command(job, version.is_in_place))
}

/// The command that makes a version of a job again.
pub fn anew_command(job: &Job, in_place: bool) -> String {
    let in_place = if in_place { " --in-place" } else { "" };
    format!("merganser transform work {}{in_place} --anew", job.folder.display())
}

/// The current version of a job: the one that is being made, else the one in place. `None`: there is neither.
pub async fn newest(session: &JobSession, job: &str) -> Result<Option<Version>, PgError> {
    let row = session.maybe("look up the job", sql::TRANSFORM_NEWEST, &[&job]).await?;
    let version = row.map(|row| {
        Ok(Version {
            version_id: row.try_get(0)?,
            hash: row.try_get(1)?,
            state: row.try_get(2)?,
            version_table: row.try_get(3)?,
            target_schema: row.try_get(4)?,
            target_table: row.try_get(5)?,
            is_in_place: row.try_get(6)?,
            old_table: row.try_get(7)?,
            plan: row.try_get(8)?,
            planned_at: row.try_get(9)?,
        })
    });
    version.transpose().map_err(decode)
}

/// Which versions of the same text are planned again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// None: what is being made goes on, and what is in place stays.
    Never,
    /// One that is in place, or in which nothing is left to do although it is not: partitions are poison, the source was
    /// changed, or its table is lost. Of several workers that are told so, one plans, and the others go on with its plan.
    Ended,
    /// Each.
    Always,
}

/// The version for this text of a job; `None`: it must be planned.
///
/// # Errors
/// [`Cause::Refused`] if a newer text of the job was planned since, or the version's table is lost.
pub async fn current(session: &JobSession, job: &Job, again: Again) -> Result<Option<Version>, Cause> {
    // Before the newest version is looked up: another worker may just be planning this text.
    let known = session.maybe("look up the job", sql::TRANSFORM_KNOWN, &[&job.name, &job.hash]).await?;
    let known: Option<String> = known.map(|row| row.try_get(0)).transpose().map_err(decode)?;
    fault::point!("transform.known");
    let Some(mut newest) = self::newest(session, &job.name).await? else { return Ok(None) };
    while newest.hash == job.hash {
        let lost = VersionTable::look(session, newest.version_id).await?.lost(job, &newest);
        // Another worker may just have put it in place, or given it up for a newer one.
        if lost.is_some()
            && let Some(now) = self::newest(session, &job.name).await?
            && (now.version_id, &now.state) != (newest.version_id, &newest.state)
        {
            newest = now;
            continue;
        }
        let is_there = match again {
            Again::Never => lost.map_or(Ok(true), Err)?,
            Again::Ended => newest.is_open() && lost.is_none() && goes_on(session, &newest).await?,
            Again::Always => false,
        };
        return Ok(is_there.then_some(newest));
    }
    // A dropped version does not count as an older one.
    if again != Again::Never || known.is_none_or(|state| state == "dropped") {
        return Ok(None);
    }
    Err(Cause::Refused {
        message: format!(
            "the job {} was changed: version {} was planned at {}, and {} holds the older {}",
            job.name,
            short(&newest.hash),
            newest.planned_at,
            job.folder.display(),
            short(&job.hash)
        ),
        hint: Some(format!(
            "bring the folder up to date, or run {} to go back to this cleaning",
            anew_command(job, newest.is_in_place)
        )),
    })
}

/// Whether a table is of a version of this job that was never in place.
pub async fn is_ours(session: &JobSession, job: &Job, table: &TableName) -> Result<bool, PgError> {
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&job.name, &table.schema, &table.table];
    Ok(session.maybe("look whose table it is", sql::TRANSFORM_IS_OURS, &values).await?.is_some())
}

/// A name for a table beside the target, with the last digits of an id: the first ones are the time.
pub fn numbered_name(target: &TableName, id: Uuid) -> String {
    let digits = id.simple().to_string();
    format!("{}__{}", target.table, &digits[digits.len() - 8..])
}

/// Drops the table of a version that was given up for another one; nobody can write into it any more. If that fails, it is left
/// to `drop`.
pub async fn drop_table(session: &JobSession, job: &Job, version: &Version) {
    if version.is_in_place {
        return;
    }
    let table = TableName { schema: version.target_schema.clone(), table: version.version_table.clone() };
    let dropped: Result<(), PgError> = session
        .transaction("drop a table", async {
            session.limit_lock_wait(5).await?;
            drop_now(session, &table).await
        })
        .await;
    if let Err(error) = dropped {
        tracing::warn!(
            "the table of the version before is left: {error}; when this version is in place, merganser transform drop {} removes it",
            job.folder.display()
        );
    }
}

/// Drops a table of a version.
pub async fn drop_now(session: &JobSession, table: &TableName) -> Result<(), PgError> {
    let variables = [("schema", table.schema.as_str()), ("table", &table.table)];
    session.run(&format!("drop {table}"), &sql::render(sql::TRANSFORM_DROP_TABLE, &variables)).await
}

/// Whether something is left to do in a version.
async fn goes_on(session: &JobSession, version: &Version) -> Result<bool, Cause> {
    let row =
        session.maybe("look what is left to do", sql::TRANSFORM_GOES_ON, &[&version.version_id]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose().map_err(decode)?.unwrap_or(false))
}

/// The name of the lock for planning a job, creating its table and putting it in place.
pub fn lock_name(session: &JobSession, job: &str) -> String {
    session.text(&format!(":\"ledger\"/transform/{job}"))
}

/// The beginning of a hash, for messages.
pub fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

/// A version to write.
#[derive(Debug)]
pub struct NewVersion<'n> {
    pub version_id: Uuid,
    pub job: &'n Job,
    pub version_table: String,
    pub is_in_place: bool,
    pub key_type: &'n str,
    pub plan: &'n Value,
    pub partitions: &'n [Partition],
    pub groups: &'n [Group],
    /// `None`: partitions are read by key.
    pub buckets: Option<PlannedBuckets<'n>>,
}

/// The buckets of a planned version.
#[derive(Clone, Copy, Debug)]
pub struct PlannedBuckets<'n> {
    pub buckets: i32,
    pub ranges: &'n [Group],
    pub store: &'n str,
    pub keeps: bool,
}

/// Writes a version with its groups and partitions, and supersedes the version that was being made. Returns whether that one was
/// paused. Must be called inside a transaction.
pub async fn write(session: &JobSession, new: &NewVersion<'_>) -> Result<bool, Cause> {
    let job = new.job;
    let old = session.maybe(NOTE, sql::TRANSFORM_SUPERSEDE, &[&job.name]).await?;
    let was_paused = old.map(|old| old.try_get(0)).transpose().map_err(decode)?.unwrap_or(false);
    let source = job.source.table.to_string();
    let (target, program) = (&job.target.table, env!("CARGO_PKG_VERSION"));
    session
        .execute(
            NOTE,
            sql::TRANSFORM_BEGIN,
            &[
                &new.version_id,
                &job.name,
                &job.hash,
                &source,
                &target.schema,
                &target.table,
                &new.version_table,
                &new.is_in_place,
                &new.key_type,
                new.plan,
                &machine::host(),
                &program,
                &new.buckets.map(|planned| planned.buckets),
                &new.buckets.map(|planned| planned.store),
                &new.buckets.is_some_and(|planned| planned.keeps),
            ],
        )
        .await?;
    let mut first = 1;
    if let Some(planned) = new.buckets {
        add_groups(session, new.version_id, planned.ranges, (first, "range")).await?;
        first += planned.ranges.len() as i32;
    }
    add(session, new.version_id, new.groups, new.partitions, (first, 0)).await?;
    session.run(NOTE, &session.text(sql::TRANSFORM_LOOK_AT_PLAN)).await?;
    Ok(was_paused)
}

async fn add_groups(
    session: &JobSession,
    version_id: Uuid,
    groups: &[Group],
    (first_group, kind): (i32, &str),
) -> Result<(), PgError> {
    let numbered: Vec<(i32, &Group)> = (first_group..).zip(groups).collect();
    for chunk in numbered.chunks(CHUNK) {
        let numbers: Vec<i32> = chunk.iter().map(|(number, _)| *number).collect();
        let rows: Vec<i64> = chunk.iter().map(|(_, group)| group.rows as i64).collect();
        let first: Vec<Option<i64>> =
            chunk.iter().map(|(_, group)| group.pages.map(|pages| pages.0)).collect();
        let end: Vec<Option<i64>> = chunk.iter().map(|(_, group)| group.pages.map(|pages| pages.1)).collect();
        let buckets: Vec<Option<i32>> = chunk.iter().map(|(_, group)| group.bucket).collect();
        session
            .execute(
                NOTE,
                sql::TRANSFORM_ADD_GROUPS,
                &[&version_id, &numbers, &rows, &first, &end, &buckets, &kind],
            )
            .await?;
    }
    Ok(())
}

/// Adds groups with their partitions, numbered from the given numbers on.
pub async fn add(
    session: &JobSession,
    version_id: Uuid,
    groups: &[Group],
    partitions: &[Partition],
    (first_group, first_partition): (i32, i32),
) -> Result<(), PgError> {
    add_groups(session, version_id, groups, (first_group, "partitions")).await?;
    let numbered = (first_group..).zip(groups);
    let members: Vec<_> = numbered
        .flat_map(|(number, group)| {
            group.members.iter().map(move |(place, part)| (number, group, *place, *part))
        })
        .collect();
    for chunk in members.chunks(CHUNK) {
        let places: Vec<i32> = chunk.iter().map(|(_, _, place, _)| first_partition + *place as i32).collect();
        let parts: Vec<i32> = chunk.iter().map(|(_, _, _, part)| *part).collect();
        let keys: Vec<Option<&str>> =
            chunk.iter().map(|(_, _, place, _)| partitions[*place].key.as_deref()).collect();
        let numbers: Vec<i32> = chunk.iter().map(|(number, ..)| *number).collect();
        let rows = chunk.iter().map(|(_, group, place, _)| match group.pages {
            Some(_) => group.rows as i64,
            None => partitions[*place].rows as i64,
        });
        let rows: Vec<i64> = rows.collect();
        session
            .execute(
                NOTE,
                sql::TRANSFORM_ADD_PARTITIONS,
                &[&version_id, &places, &parts, &keys, &numbers, &rows],
            )
            .await?;
    }
    Ok(())
}
