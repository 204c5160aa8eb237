//! The clean table: checks whether a version of it can be made and put in place, and makes it.

use super::claim::WorkerId;
use super::columns::PgColumn;
use super::job::{Job, TableName};
use super::look::{self, RawTable, missing_table};
use super::obstacles;
use super::rows::CleanColumns;
use super::session::{JobSession, decode};
use super::swap;
use super::versions::{self, Version, VersionTable};
use crate::clients::postgres::PgError;
use crate::error::Cause;
use crate::fault;
use crate::sql;

/// How many seconds creating a table waits for locks on other tables that it refers to.
const LOCK_WAIT: u32 = 5;

/// The SQLSTATEs of a name that a table, an index or another object has already.
const TAKEN: [&str; 2] = ["42P07", "42710"];

/// The SQLSTATEs of a type, a function or a table that is not found.
const NOT_FOUND: [&str; 3] = ["42704", "42883", "42P01"];

/// The script that creates the table of a version.
pub fn create_script(job: &Job, table: &TableName) -> String {
    job.target
        .create
        .replace(":\"schema\"", &sql::identifier(&table.schema))
        .replace(":\"table\"", &sql::identifier(&table.table))
        .replace(":'schema'", &sql::literal(&table.schema))
        .replace(":'table'", &sql::literal(&table.table))
}

/// Checks whether the clean table can be created or filled and put in place, and returns its columns and, in words, what could
/// not be tried. The table that is created for this is rolled back.
///
/// # Errors
/// [`Cause::Refused`] with all obstacles.
pub async fn look(
    session: &JobSession,
    job: &Job,
    raw: &RawTable,
    version: &TableName,
    in_place: bool,
) -> Result<(CleanColumns, Option<String>), Cause> {
    let name = &job.target.table;
    let mut untried = None;
    let there = look::relation(session, name).await?;
    let columns = match (&there, in_place) {
        (None, true) => {
            return Err(Cause::Refused {
                message: format!("there is no table {name} whose partitions could be replaced in place"),
                hint: Some("run without --in-place to create it".into()),
            });
        }
        (Some(relation), _) if relation.kind != 'r' => {
            return Err(Cause::Refused {
                message: format!("{name} is {}, and no table of its own", kind(relation.kind)),
                hint: Some("name another target; what is there stays as it is".into()),
            });
        }
        (Some(relation), _) if !relation.is_owner => {
            let what = match in_place {
                true => "replace partitions in it",
                false => "put another table into its place",
            };
            return Err(Cause::Refused {
                message: format!(
                    "{name} belongs to {}, and only a member of that role may {what}: {} is not one",
                    relation.owner, relation.role
                ),
                hint: Some(format!(
                    "work as {}, or let it run: alter table {name} owner to {};",
                    relation.owner, relation.role
                )),
            });
        }
        // The new table is given to the owner of the one before it.
        (Some(relation), false) if !relation.owner_may_create => {
            return Err(Cause::Refused {
                message: format!(
                    "{name} belongs to {}, who may not have a new table in the schema {}",
                    relation.owner, name.schema
                ),
                hint: Some(format!(
                    "let the schema's owner run: grant create on schema {} to {};",
                    name.schema, relation.owner
                )),
            });
        }
        (Some(relation), true) if !relation.is_durable => {
            return Err(Cause::Refused {
                message: format!("{name} is an unlogged table: a crash of the server would empty it"),
                hint: Some(format!("alter table {name} set logged;")),
            });
        }
        (_, true) => {
            obstacles::refuse_in_place(session, name).await?;
            look::columns(session, name).await?
        }
        (there, false) => {
            refuse_schema(session, name).await?;
            let replaced = there.as_ref().map(|_| name);
            let tried: Result<_, Cause> = session
                .transaction("try the script that makes the clean table", async {
                    Err::<(), _>(Tried(make_and_look(session, job, version, replaced).await))
                })
                .await
                .map_or_else(|Tried(found)| found, |()| unreachable!("it is always rolled back"));
            let (columns, is_tried) = tried?;
            untried = (!is_tried).then(|| {
                format!("{name} is in use: whether its views fit the new table was not tried, and the swap may refuse it")
            });
            columns
        }
    };
    let key =
        columns.iter().find(|(column, _)| column.name == job.target.key).ok_or_else(|| Cause::Refused {
            message: format!("the clean table has no column `{}`, its key", job.target.key),
            hint: Some("name in [target] key the column that carries the source's key unchanged".into()),
        })?;
    check_key(key, raw)?;
    let columns: Vec<PgColumn> = columns.into_iter().map(|(column, _)| column).collect();
    Ok((CleanColumns { columns, key: job.target.key.clone(), given: Vec::new() }, untried))
}

/// # Errors
/// The target's key would not hold each key of the source unchanged, or could not be found by it.
fn check_key((key, is_deterministic): &(PgColumn, bool), raw: &RawTable) -> Result<(), Cause> {
    let source = raw.key();
    let problem = if key.base != source.base {
        format!("{} in the clean table", key.written)
    } else if !is_deterministic {
        "in the clean table of a collation in which different texts are equal".into()
    } else if width(key) < width(source) {
        format!("{} in the clean table, which is narrower", key.written)
    } else {
        return Ok(());
    };
    Err(Cause::Refused {
        message: format!(
            "the key is {} in {}, and {problem}: it must be carried unchanged, byte for byte",
            source.written, raw.table
        ),
        hint: Some("give it the same type, and put what is cleaned of it into another column".into()),
    })
}

/// How many characters, or digits of a second, fit into a column.
fn width(column: &PgColumn) -> i32 {
    match column.modifier {
        0.. => column.modifier,
        _ if column.base.starts_with("timestamp") => 6,
        _ => i32::MAX,
    }
}

/// A result from inside a transaction that is always rolled back.
struct Tried(Result<(Vec<(PgColumn, bool)>, bool), Cause>);

impl From<PgError> for Tried {
    fn from(error: PgError) -> Self {
        Self(Err(error.into()))
    }
}

/// Makes the version's table and tries to put it into the place of `replaced`; the second value says whether that was possible.
async fn make_and_look(
    session: &JobSession,
    job: &Job,
    version: &TableName,
    replaced: Option<&TableName>,
) -> Result<(Vec<(PgColumn, bool)>, bool), Cause> {
    make(session, job, version).await?;
    let columns = look::columns(session, version).await?;
    let Some(target) = replaced else { return Ok((columns, true)) };
    // Before the table must be free.
    obstacles::refuse_to_swap(session, job, target, version).await?;
    Ok((columns, swap::rehearse(session, job, version, target).await?))
}

/// Creates the table of a version; must be called inside a transaction.
///
/// # Errors
/// Any error of the script, or [`Cause::Refused`] if the script created something else.
pub async fn make(session: &JobSession, job: &Job, version: &TableName) -> Result<(), Cause> {
    let file = &job.target.create_file;
    session.limit_lock_wait(LOCK_WAIT).await?;
    let ran = session.run(&format!("run {file}"), &create_script(job, version)).await;
    ran.map_err(|error| match error.sqlstate() {
        Some(state) if TAKEN.contains(&state) => Cause::Refused {
            message: error.to_string(),
            hint: Some(
                "if it is an index or a constraint, the table in place has it under the same name: leave the name out, and the \
                 server gives each version its own"
                    .into(),
            ),
        },
        Some(state) if NOT_FOUND.contains(&state) => Cause::Refused {
            message: error.to_string(),
            hint: Some(
                "the script's names are not looked up in any schema: write the schema with each, public.NAME, extensions' types \
                 included"
                    .into(),
            ),
        },
        _ => error.into(),
    })?;
    match look::relation(session, version).await? {
        Some(relation) if relation.kind == 'r' && relation.is_durable => Ok(()),
        Some(relation) if relation.kind == 'r' => Err(Cause::Refused {
            message: format!("{file} makes an unlogged table: a crash of the server would empty it"),
            hint: Some("write `create table` in it".into()),
        }),
        Some(relation) => Err(Cause::Refused {
            message: format!("{file} makes {} instead of a table", kind(relation.kind)),
            hint: Some("write `create table` in it".into()),
        }),
        None => Err(Cause::Refused {
            message: format!("{file} does not create the table of the version"),
            hint: Some("write :\"schema\".:\"table\" where its name belongs: they stand for the version that is built".into()),
        }),
    }
}

async fn refuse_schema(session: &JobSession, name: &TableName) -> Result<(), Cause> {
    let row = session.maybe("look at the schema", sql::TRANSFORM_RIGHTS, &[&name.schema]).await?;
    let right = row.map(|row| Ok((row.try_get::<_, bool>(0)?, row.try_get::<_, String>(1)?)));
    let (message, hint) = match right.transpose().map_err(decode)? {
        Some((true, _)) => return Ok(()),
        None => (format!("there is no schema {}", name.schema), format!("create schema {};", name.schema)),
        Some((false, role)) => (
            format!("our role may not make a table in the schema {}", name.schema),
            format!("let its owner run: grant create on schema {} to {role};", name.schema),
        ),
    };
    Err(Cause::Refused { message, hint: Some(hint) })
}

/// The columns of a version's existing table.
pub async fn columns(session: &JobSession, job: &Job, table: &TableName) -> Result<CleanColumns, Cause> {
    if look::relation(session, table).await?.is_none() {
        return Err(missing_table(table));
    }
    fault::point!("transform.opening");
    let columns = look::columns(session, table).await?.into_iter().map(|(column, _)| column).collect();
    Ok(CleanColumns { columns, key: job.target.key.clone(), given: Vec::new() })
}

fn kind(kind: char) -> &'static str {
    match kind {
        'v' => "a view",
        'm' => "a materialised view",
        'p' => "a table in partitions of PostgreSQL's",
        'f' => "a foreign table",
        _ => "something else",
    }
}

/// The columns of a version's table, which is created if no other worker has done so. `None`: the version is no longer open,
/// and its table was renamed or dropped.
pub async fn made(
    session: &JobSession,
    job: &Job,
    version: &Version,
    name: &TableName,
    id: &WorkerId,
) -> Result<Option<CleanColumns>, Cause> {
    // The holder of the lock may be asleep, so the lock is taken only if the table must be created.
    let is_noted = VersionTable::look(session, version.version_id).await?.is_noted();
    if is_noted {
        // The state is looked up later than the columns: there are none, if another worker has just put the table in place.
        let columns = columns(session, job, name).await;
        if columns.is_ok() && id.open(session).await?.state == "open" {
            return columns.map(Some);
        }
    }
    let lock = versions::lock_name(session, &job.name);
    session
        .transaction("make the new table", async {
            session.execute("wait for another worker", sql::TRANSFORM_LOCK_JOB, &[&lock]).await?;
            // It may be of a release that noted nothing. Its state is looked up later than the table: a worker that has lost
            // the lock of the job may just be putting it in place.
            let there = VersionTable::look(session, version.version_id).await?;
            if !["open", "paused"].contains(&id.open(session).await?.state.as_str()) {
                return Ok(None);
            }
            if let Some(lost) = there.lost(job, version) {
                return Err(lost);
            }
            if !version.is_in_place && there.is_missing() {
                make(session, job, name).await?;
            }
            if !there.is_noted() {
                let what = "note the new table";
                session.execute(what, sql::TRANSFORM_NOTE_TABLE, &[&version.version_id]).await?;
            }
            columns(session, job, name).await.map(Some)
        })
        .await
}
