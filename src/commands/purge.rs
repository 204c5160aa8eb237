//! Purge: whatever is left of records that were deleted for ever goes, and the proof is shown.

mod person;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use self::person::Removed;
use crate::cli::PurgeArgs;
use crate::clients::postgres::{self, PgError};
use crate::commands::terminal::say_line;
use crate::config::PurgeConfig;
use crate::dataset::Dataset;
use crate::dataset::served::Served;
use crate::error::{Cause, END, Exit, Failure};
use crate::ledger::confirm_written;
use crate::log::Report;
use crate::objects::Objects;
use crate::run::context::Context;
use crate::run::opened::Opened;
use crate::run::progress::Progress;
use crate::stages::{load, promote, publish};
use crate::system::workspace;
use crate::{schema, sql, words};

/// What a purge took out.
#[derive(Debug)]
pub struct Purged {
    /// Rows by table.
    pub rows: Vec<(String, i64)>,
    /// Objects of earlier runs in the store.
    pub objects: usize,
    /// Objects of the archive that named a person.
    pub rewritten: usize,
    /// The person had been taken out before.
    pub already: bool,
    /// How many names were taken as the person's where no address is given.
    pub names: usize,
    /// Names of the person that somebody else has too, and that stay with the other.
    pub shared: Vec<String>,
    /// Objects there of runs that this ledger does not know, by the folder of the run.
    pub foreign: BTreeMap<String, usize>,
    /// Were the public files written anew?
    pub published: bool,
    /// Was it all rolled back?
    pub dry_run: bool,
}

/// The tables of the ledger that a purge writes to.
const LEDGER: [&str; 5] = ["answers", "failed_records", "parts", "record_origins", "runs"];

fn nothing_is_deleted(dataset: &Dataset) -> Cause {
    Cause::usage(format!("{} has no permanent deletions: there is nothing to purge", dataset.name))
}

/// Takes out what earlier runs have staged, deletes in one transaction, verifies that nothing is left before the commit,
/// then writes the public files anew.
///
/// # Errors
/// Anything that is left after the deletion rolls it back.
pub async fn purge(config: PurgeConfig, report: &Report) -> Result<Purged, Failure> {
    let options = config.for_ledger();
    let more = async |context| {
        // They hold files as they came, with records that are deleted since.
        workspace::remove_leftovers(&std::env::temp_dir());
        Ok(context)
    };
    let person = config.person;
    let opened = Opened::open(config.target, options, more, report).await?;
    let (purged, _) = opened
        .run(async |context: &Context, progress: &mut Progress| {
            progress.step("purge");
            let removed = match person {
                Some((person, removal, secret)) => {
                    Some(Removed::find(context, removal, (&person, secret)).await?)
                }
                None => None,
            };
            let (objects, foreign) = clear_runs(context).await?;
            let rewritten = match &removed {
                Some(removed) => removed.rewrite(context, &mut progress.rewritten).await?,
                None => 0,
            };
            let rows = delete(context, objects, removed.as_ref()).await?;
            progress.step(END);
            let names = removed.as_ref().map_or(0, |removed| removed.names().len());
            let already = removed.as_ref().is_some_and(|removed| removed.already);
            let shared = removed.iter().flat_map(|removed| removed.shared.iter().cloned()).collect();
            let dry_run = context.target.dry_run;
            let published = !dry_run && !context.target.skip_publish;
            if published {
                progress.step("publish");
                progress.published(publish::publish(context).await?);
            }
            Ok(Purged { rows, objects, rewritten, already, names, shared, foreign, published, dry_run })
        })
        .await?;
    Ok(purged)
}

/// Removes what earlier runs have staged, in the database and in the store: it holds records as they were then. Gives the
/// number of objects, and those that stay: runs of the dataset are over, since this one has its lock, but a run that
/// another ledger knows may be under way in the same store.
async fn clear_runs(context: &Context) -> Result<(usize, BTreeMap<String, usize>), Cause> {
    let (own, foreign) = staged(context).await?;
    if context.target.dry_run {
        return Ok((own.len(), foreign));
    }
    for key in &own {
        context.store.delete(key).await?;
    }
    load::drop_tables(context, &postgres::connect(&context.database, "purge").await?).await?;
    match staged(context).await?.0.first() {
        None => Ok((own.len(), foreign)),
        Some(left) => Err(Cause::Refused {
            message: format!("{} is still there", context.store.url().object(left)),
            hint: Some("stop other programs that write to this store, then purge again".into()),
        }),
    }
}

/// Keys that runs of this ledger have staged, and the number of others by folder.
async fn staged(context: &Context) -> Result<(Vec<String>, BTreeMap<String, usize>), Cause> {
    let objects = context.objects();
    let keys: Vec<_> =
        context.store.list(&objects.runs()).await?.into_iter().map(|object| object.key).collect();
    let run = |key: &str| objects.run_of(key).unwrap_or_default().to_owned();
    let runs: BTreeSet<_> = keys.iter().map(|key| run(key)).collect();
    let known = context.ledger.own_runs(&runs.into_iter().collect::<Vec<_>>()).await?;
    let (own, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| known.contains(&run(key)));
    let mut foreign = BTreeMap::new();
    for key in others {
        *foreign
            .entry(context.store.url().object(&format!("{}/{}", objects.runs(), run(&key))))
            .or_default() += 1;
    }
    Ok((own, foreign))
}

async fn delete(
    context: &Context,
    objects: usize,
    removed: Option<&Removed>,
) -> Result<Vec<(String, i64)>, Cause> {
    let step = context.begin(0, "purge").await?;
    let mut connection = postgres::connect(&context.database, "purge").await?;
    let doing = context.report.doing("purge", Vec::new());
    let watch = connection.watch().showing(doing.shower());
    let transaction = connection.transaction().await.map_err(failed)?;
    let rows = watch.answers("purge", delete_and_verify(context, &transaction, removed)).await?;
    let total = rows.iter().map(|(_, rows)| *rows).sum::<i64>();
    let what = match removed {
        Some(_) => format!("{total} rows of a person"),
        None => format!("{total} rows of deleted {}s", context.dataset().record),
    };
    let mut details = json!({ "rows": rows, "objects": objects });
    if sums_are_there(context.dataset(), &transaction, &context.target.database.schema).await? {
        details["sums"] = true.into();
    }
    if context.target.dry_run {
        transaction.rollback().await.map_err(failed)?;
        step.done(&format!("{what}; a dry run, rolled back"), total as u64, 0, details).await?;
        return Ok(rows);
    }
    // The step's own row commits with the deletion: it is what makes the next run publish if this one cannot.
    let values: [&(dyn ToSql + Sync); 7] =
        [&context.run_id, &0, &"purge", &"completed", &total, &0_i64, &details];
    let database = &context.target.database;
    let note = sql::render(sql::LEDGER_FINISH_STEP, &[("ledger", &database.ledger_schema)]);
    confirm_written("steps", 1, transaction.execute(&note, &values).await.map_err(failed)?)?;
    watch.answer("commit the purge", transaction.commit()).await.map_err(Cause::of_commit)?;
    step.say(&what, total as u64, 0);
    Ok(rows)
}

async fn delete_and_verify(
    context: &Context,
    transaction: &Transaction<'_>,
    removed: Option<&Removed>,
) -> Result<Vec<(String, i64)>, Cause> {
    let (hashes, names) = removed.map(|removed| (removed.hashes(), removed.names())).unwrap_or_default();
    let name_hashes = removed.map(Removed::name_hashes).unwrap_or_default();
    let (hashes_array, names_array) = (sql::array_of(&hashes), sql::array_of(&names));
    let name_hashes = sql::array_of(&name_hashes);
    let (dataset, database, run_id) =
        (context.dataset(), &context.target.database, context.run_id.to_string());
    let served = dataset.served.map(Served::variables).unwrap_or_default();
    let served: Vec<_> = served.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let render_with = |script: &str, table: &str, special: &[(&str, &str)]| {
        let variables = [
            ("schema", database.schema.as_str()),
            ("ledger", &database.ledger_schema),
            ("run_id", &run_id),
            ("table", table),
            ("parent", dataset.parent().name),
            ("key", dataset.key()),
            ("hashes", &hashes_array),
            ("names", &names_array),
            ("name_hashes", &name_hashes),
            ("batch", "0"),
        ];
        sql::render(script, &[special, &variables, &served].concat())
    };
    let render = |script: &str, table: &str| render_with(script, table, &[]);
    let lock = context.ledger.lock_name();
    transaction.execute(sql::LEDGER_LOCK_PROMOTION, &[&lock]).await.map_err(failed)?;
    let mut tables: Vec<_> = dataset.table_names().collect();
    let missing =
        transaction.query(sql::PURGE_MISSING, &[&tables, &database.schema]).await.map_err(failed)?;
    let missing = missing.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>();
    let missing = missing.map_err(failed)?;
    // A derived table that is not there yet holds nothing of anybody.
    tables.retain(|name| !missing.iter().any(|table| table == name));
    let derived: Vec<_> = dataset.derived_tables().map(|derived| derived.table.name).collect();
    if let Some(table) = missing.iter().find(|table| !derived.contains(&table.as_str())) {
        return Err(Cause::Refused {
            message: format!("schema {} has no table {table}: nothing to purge there", database.schema),
            hint: Some(format!(
                "merganser run {} makes the tables; another schema: --schema",
                dataset.typed()
            )),
        });
    }
    // What stands on the tables may swallow a delete, or put a row back: nothing is believed that was not read again.
    let mut attached = schema::attached(transaction, &database.schema, &tables).await?;
    attached.extend(schema::attached(transaction, &database.ledger_schema, &LEDGER).await?);
    let Some(tombstones) = dataset.tombstones() else { return Err(nothing_is_deleted(dataset)) };
    if let Some(removed) = removed {
        removed.rekey_names(transaction, &database.schema).await?;
    }
    let purge = removed.map_or(tombstones.purge, |removed| removed.removal.purge);
    let purged = transaction.batch_execute(&render(purge, "")).await;
    purged.map_err(|error| schema::explain(failed(error), &attached))?;
    let derived: Vec<_> = tables.iter().filter(|name| derived.contains(name)).collect();
    for table in &derived {
        let purged = transaction.batch_execute(&render(sql::PURGE_DERIVED, table)).await;
        purged.map_err(|error| schema::explain(failed(error), &attached))?;
    }
    if removed.is_none() {
        transaction.batch_execute(&render(tombstones.sealed, "")).await.map_err(failed)?;
    }
    let images = promote::forget_sealed(context, transaction).await?;
    if sums_are_there(dataset, transaction, &database.schema).await? {
        // What it took out had been written by somebody else, and nobody knows whether it was counted.
        let render = |script: &str, special: &[(&str, &str)]| render_with(script, "", special);
        promote::sum_anew(dataset, database, transaction, render).await?;
    }
    // Deferred triggers come now and not behind the proof.
    transaction.batch_execute(sql::PROMOTE_CONSTRAINTS).await.map_err(failed)?;
    let rows = transaction.query(sql::PURGED, &[]).await.map_err(failed)?;
    let rows = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let mut rows = rows.collect::<Result<Vec<_>, tokio_postgres::Error>>().map_err(failed)?;
    if images > 0 {
        rows.push(("before-images".to_owned(), images as i64));
    }
    let mut left = transaction.query(&render(tombstones.proof, ""), &[]).await.map_err(failed)?;
    for table in &derived {
        left.extend(transaction.query(&render(sql::PURGE_DERIVED_LEFT, table), &[]).await.map_err(failed)?);
    }
    if let Some(removed) = removed {
        let proof = render(removed.removal.proof, "");
        left.extend(transaction.query(&proof, &[&hashes, &names]).await.map_err(failed)?);
    }
    let mut lines = Vec::new();
    for (image, rows) in promote::sealed_left(context, transaction).await? {
        let rows = words::counted(rows as u64, "row");
        lines.push(format!("{image} still has {rows} of deleted {}s", dataset.record));
    }
    for row in &left {
        let (place, rows): (String, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        // Of the ledger, the column is named, too.
        let table = place.split('.').next().unwrap_or(&place);
        lines.push(format!(
            "{place} still has {} of deleted {}s; {}",
            words::counted(rows as u64, "row"),
            dataset.record,
            schema::describe(&attached, table)
        ));
    }
    if !lines.is_empty() {
        return Err(Cause::Refused {
            message: lines.join("\n    "),
            hint: Some("remove it, or make it let these rows be deleted, then purge again".into()),
        });
    }
    if !context.target.dry_run {
        for table in &tables {
            transaction.batch_execute(&render(sql::PURGE_CHANGE, table)).await.map_err(failed)?;
        }
    }
    Ok(rows)
}

/// Are the tables of sums there that the dataset has? Where an older program has made the others alone, they come with the next run.
async fn sums_are_there(
    dataset: &Dataset,
    transaction: &Transaction<'_>,
    schema: &str,
) -> Result<bool, Cause> {
    let Some(served) = dataset.served.filter(|served| served.sums.is_some()) else { return Ok(false) };
    let names = served.tables().map(|(_, table)| table);
    let missing = transaction.query(sql::PURGE_MISSING, &[&names.as_slice(), &schema]).await;
    Ok(missing.map_err(failed)?.is_empty())
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "purge")
}

/// `merganser purge`.
pub async fn run(args: PurgeArgs, report: &Report) -> Result<Exit, Failure> {
    let dataset = args.dataset;
    if dataset.tombstones().is_none() {
        return Err(nothing_is_deleted(dataset).into());
    }
    let purged = purge(PurgeConfig::from_purge(&args)?, report).await?;
    if args.person.is_some() {
        say_of_person(&purged);
        return Ok(Exit::Done);
    }
    let went = if purged.dry_run { "would go" } else { "taken out" };
    let (record, runs) = (dataset.record, Objects::of(dataset).runs());
    for (table, rows) in &purged.rows {
        say_line!("{table}: {} of deleted {record}s {went}", words::counted(*rows as u64, "row"));
    }
    if purged.objects > 0 {
        say_line!(
            "{runs}: {} of earlier runs, with {record}s as they were then, {went}",
            words::counted(purged.objects as u64, "object")
        );
    }
    if !purged.foreign.is_empty() {
        let objects: usize = purged.foreign.values().sum();
        say_line!(
            "{runs}: {} kept, of {} that this ledger does not know for this schema; remove the folders when \
             no such run is under way:",
            words::counted(objects as u64, "object"),
            words::counted(purged.foreign.len() as u64, "run")
        );
        for folder in purged.foreign.keys() {
            say_line!("  {folder}");
        }
    }
    if purged.rows.is_empty() {
        say_line!("Nothing was left of deleted {record}s in tables and ledger.");
    }
    if purged.dry_run {
        say_line!("A dry run, rolled back. The database is unchanged.");
    } else {
        say_line!(
            "Verified: nothing of a deleted {record} is left in the tables, in staging or in the ledger."
        );
    }
    if purged.published {
        say_line!("The public files are written again.");
    }
    Ok(Exit::Done)
}

/// What became of a person. A log may keep it, so it does not give the person's name.
fn say_of_person(purged: &Purged) {
    if purged.already {
        say_line!(
            "Already removed: the tables keep only what stops a later load from bringing this person back."
        );
    }
    for (table, rows) in purged.rows.iter().filter(|(_, rows)| !purged.already || *rows > 0) {
        say_line!("{table}: the person is taken out of {}", words::counted(*rows as u64, "row"));
    }
    let rewritten = words::counted(purged.rewritten as u64, "object");
    say_line!("Archive: {rewritten} rewritten without the person.");
    if purged.names > 0 {
        let names = words::counted(purged.names as u64, "name");
        say_line!("Also taken as names of the person where no address is given: {names}.");
    }
    for name in &purged.shared {
        say_line!(
            "Kept: {name:?} is also the name at another address, and stays there and where no address is given. \
             If that is the same person, look up its name in git_identities, and purge that name too."
        );
    }
    match (purged.dry_run, purged.names) {
        (true, _) => say_line!("A dry run, rolled back. The database and the archive are unchanged."),
        (_, 0) => say_line!("Verified: the tables no longer have any address of the person."),
        _ => say_line!(
            "Verified: the tables no longer have any address of the person, or any name taken as the person's."
        ),
    }
    if purged.published {
        say_line!("The public files are written again.");
    }
}
