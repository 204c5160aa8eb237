//! Publish: the public CSVs (and the private one), all from one consistent snapshot of the database.
//!
//! In: the database as it is after the promotions. Out: [`Published`]. A failure leaves the database committed
//! and some objects old; `public/manifest.json`, written last, still describes the older set, and the
//! next run publishes again.

mod export;
mod forms;
mod manifest;
mod parquet;
mod plan;
mod relay;
mod snapshot;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::json;
use tokio_postgres::Transaction;

use self::forms::Publishing;
use self::parquet::Workshop;
use crate::clients::postgres::{self, Watch};
use crate::dataset::{PublishedColumns, PublishedForm, PublishedTable, Reach};
use crate::error::Cause;
use crate::ledger::missing_records;
use crate::run::context::Context;
use crate::run::newest::newest;
use crate::words;
use crate::{fault, schema};

/// What the tables, the views and their columns are: an object beside the CSVs of the tables.
const DICTIONARY: PublishedTable = PublishedTable {
    name: "data-dictionary.csv",
    reach: Reach::Public,
    table: "",
    columns: PublishedColumns::All,
    split: None,
};

/// How long a run looks for records that somebody else has deleted.
const MISSING: Duration = Duration::from_secs(30);

/// What was published.
#[derive(Debug)]
pub struct Published {
    objects: usize,
    /// All of them are CSVs.
    is_csv: bool,
    newest: Option<String>,
}

impl Published {
    /// How many objects, in words.
    pub fn what(&self) -> String {
        words::counted(self.objects as u64, if self.is_csv { "CSV" } else { "file" })
    }

    /// The newest run date, as in `public/last-updated-date.txt`.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

/// One published object, as the manifest names it.
struct Object {
    table: &'static PublishedTable,
    key: String,
    form: PublishedForm,
    /// Of which value of the split column.
    value: Option<Option<i64>>,
    rows: u64,
    size_bytes: u64,
    /// Of all public ones in the end.
    sha256: Option<String>,
    /// Where the database has put it; its place is still to be taken.
    exported: Option<String>,
}

/// Streams every published table into the store, then the date, the badge and the manifest.
pub async fn publish(context: &Context) -> Result<Published, Cause> {
    let step = context.begin(0, "publish").await?;
    fault::point!("publish.begin");
    // It is large, and a part of what a whole run is.
    let written = Box::pin(write(context)).await;
    if context.aws_s3.is_some() {
        export::remove_exports(context).await;
    }
    let (objects, newest) = written?;
    context.ledger.confirm().await?;
    if let Some(newest) = &newest {
        let objects = context.objects();
        context.store.upload_bytes(&objects.public("last-updated-date.txt"), newest.clone().into()).await?;
        context
            .store
            .upload_bytes(&objects.public("last-updated-shield.svg"), manifest::shield(newest).into())
            .await?;
    }
    fault::point!("publish.before_manifest");
    context.ledger.confirm().await?;
    let manifest = manifest::manifest(context, newest.as_deref(), &objects);
    context
        .store
        .upload_bytes(&context.objects().public("manifest.json"), format!("{manifest:#}\n").into())
        .await?;
    fault::point!("publish.after_manifest");
    manifest::sweep(context, &objects).await?;

    // A view has no rows of its own that anybody could write.
    let tables: HashSet<_> = context.dataset().table_names().collect();
    let counted = counted(&objects, &tables);
    warn_of_others(context, &counted).await?;
    let rows =
        objects.iter().filter(|object| object.form == PublishedForm::Csv).map(|object| object.rows).sum();
    let bytes = objects.iter().map(|object| object.size_bytes).sum();
    let exported = objects.iter().filter(|object| object.exported.is_some()).count();
    let (how, via) = match exported {
        0 => ("", "copy"),
        _ => (", by the database itself", "aws_s3"),
    };
    let published = Published {
        objects: objects.len(),
        is_csv: objects.iter().all(|object| object.form == PublishedForm::Csv),
        newest,
    };
    let what = format!("{}, {} to {}{how}", published.what(), words::size(bytes), context.target.store);
    // Every row was read: the ledger reckons from these numbers on.
    let details =
        json!({ "newest": published.newest, "via": via, "exported_csvs": exported, "rows": counted });
    step.done(&what, rows, bytes, details).await?;
    fault::point!("publish.end");
    Ok(published)
}

/// Writes the CSVs; gives them and the newest run date.
async fn write(context: &Context) -> Result<(Vec<Object>, Option<String>), Cause> {
    let mut connection = postgres::connect(&context.database, "publish").await?;
    let watch = connection.watch();
    let (mut first, name) = snapshot::begin(&mut connection, &watch).await?;
    let ready = ready(context, &first, &watch).await?;
    snapshot::settle(context, &first, &watch).await?;
    let (mut objects, copied) = export_all(context, &mut first, &watch, ready).await?;
    let tables: Vec<_> = copied.iter().map(|csv| csv.table).collect();
    let shared = snapshot::share(context, &mut first, &watch, &name, &tables).await?;
    let asked = ask(context, &first, &watch, copied).await?;
    let workshop = Workshop::open(context)?;
    let write = |publishing, lines| forms::write(context, workshop.as_ref(), publishing, lines);
    let written = relay::relay((first.client(), &watch), shared.as_ref(), asked, write).await?;
    objects.extend(written.into_iter().flatten());
    let order =
        |object: &Object| context.dataset().published.iter().position(|csv| csv.name == object.table.name);
    // The dictionary is none of them.
    objects.sort_by_key(|object| order(object).unwrap_or(usize::MAX));
    let newest = watch
        .answers("read the newest run date", newest(&first, context.dataset(), &context.target.database))
        .await?;
    watch.answer("close the snapshot", first.rollback()).await?;
    export::put_into_place(context, &mut objects).await?;
    Ok((objects, newest))
}

/// What can be published, in its order. What is derived of the tables may not be there yet; what was published of it is
/// emptied.
async fn ready(
    context: &Context,
    first: &Transaction<'_>,
    watch: &Watch,
) -> Result<Vec<&'static PublishedTable>, Cause> {
    let ready = schema::ready(first, context.dataset(), &context.target.database.schema);
    let ready = watch.answers("look at what is derived of the tables", ready).await?;
    let mut there = Vec::new();
    for csv in context.dataset().published {
        if !is_derived(context, csv.table) || ready.contains(csv.table) {
            there.push(csv);
            continue;
        }
        tracing::warn!(
            run_id = %context.run_id,
            "{} is not published: {} is not there yet, or not as this program makes it; the next promotion makes it",
            context.objects().published(csv),
            csv.table
        );
        empty(context, csv).await?;
    }
    Ok(there)
}

/// Has the database write what it can; gives those, and the others.
async fn export_all(
    context: &Context,
    first: &mut Transaction<'_>,
    watch: &Watch,
    csvs: Vec<&'static PublishedTable>,
) -> Result<(Vec<Object>, Vec<&'static PublishedTable>), Cause> {
    let (mut exported, mut others) = (Vec::new(), Vec::new());
    for csv in csvs {
        match export::export(context, first, watch, csv).await? {
            None => others.push(csv),
            Some(object) => {
                exported.push(object);
                fault::point!("publish.object");
            }
        }
    }
    Ok((exported, others))
}

/// What is to be written, what that is called while it is done, and the statements that give its rows.
async fn ask(
    context: &Context,
    first: &Transaction<'_>,
    watch: &Watch,
    tables: Vec<&'static PublishedTable>,
) -> Result<Vec<(Publishing, String, Vec<String>)>, Cause> {
    let storage = watch.answers("look at the tables", plan::storage(context, first)).await?;
    let mut asked = Vec::new();
    for table in tables {
        let mut publishing = Publishing::csv(table);
        if table.reach == Reach::Public {
            publishing.forms.clone_from(&context.target.publishing.forms);
        }
        if publishing.forms.contains(&PublishedForm::Parquet) {
            publishing.typed = Some(parquet::typed(context, first, watch, table).await?);
        }
        let Some(split) = table.split else {
            asked.push((publishing, plan::statements(context, table, &storage)));
            continue;
        };
        let (split_forms, whole_forms): (Vec<_>, Vec<_>) =
            publishing.forms.iter().partition(|form| split.forms.contains(form));
        if !whole_forms.is_empty() {
            let statement = plan::sorted(context, (table, split), None);
            asked.push((Publishing { forms: whole_forms, ..publishing.clone() }, vec![statement]));
        }
        if split_forms.is_empty() {
            continue;
        }
        let values = plan::values(context, first, (table, split));
        for value in watch.answers("look at the tables", values).await? {
            let statement = plan::sorted(context, (table, split), Some(value));
            let (value, forms) = (Some(value), split_forms.clone());
            asked.push((Publishing { value, forms, ..publishing.clone() }, vec![statement]));
        }
    }
    if !context.dataset().dictionary.is_empty() {
        asked.push((Publishing::csv(&DICTIONARY), vec![plan::dictionary(context)]));
    }
    let named = asked.into_iter().map(|(publishing, statements)| {
        let operation = format!("publish {}", publishing.name(context));
        (publishing, operation, statements)
    });
    Ok(named.collect())
}

/// How many rows each of these tables has.
fn counted(objects: &[Object], tables: &HashSet<&'static str>) -> BTreeMap<&'static str, u64> {
    let mut counted = BTreeMap::new();
    for object in objects
        .iter()
        .filter(|object| object.form == PublishedForm::Csv && tables.contains(object.table.table))
    {
        match object.value {
            // Each says all.
            None => drop(counted.insert(object.table.table, object.rows)),
            Some(_) => *counted.entry(object.table.table).or_default() += object.rows,
        }
    }
    counted
}

/// Takes the rows out of a published object that is not written anew: what is sealed since would stay in it.
async fn empty(context: &Context, csv: &PublishedTable) -> Result<(), Cause> {
    let key = context.objects().published(csv);
    // Who may not list a bucket is not told whether it is there.
    if matches!(context.store.head(&key).await, Ok(None)) {
        return Ok(());
    }
    context.ledger.confirm().await?;
    let derived = context.dataset().derived.iter().find(|derived| derived.table.name == csv.table);
    let columns = derived.map_or(&[][..], |derived| derived.table.columns);
    let header: Vec<_> = columns.iter().map(|column| column.name).collect();
    context.store.upload_bytes(&key, (header.join(",") + "\n").into()).await?;
    tracing::warn!(run_id = %context.run_id, "{key} has no rows until then: what was in it may be sealed by now");
    Ok(())
}

fn is_derived(context: &Context, name: &str) -> bool {
    context.dataset().derived.iter().any(|derived| derived.table.name == name)
}

/// Says which tables hold another number of rows than the ledger remembers: somebody else wrote to them.
async fn warn_of_others(context: &Context, counted: &BTreeMap<&str, u64>) -> Result<(), Cause> {
    let remembered = context.ledger.remembered_rows().await?;
    let parent = context.dataset().parent().name;
    for (table, found) in counted {
        let Some(expected) = remembered.get(*table).filter(|expected| **expected as u64 != *found) else {
            continue;
        };
        tracing::warn!(
            run_id = %context.run_id,
            table,
            rows = found,
            rows_remembered = expected,
            "{table} has {}, and the ledger expected {}: somebody else wrote to it; the ledger now has the \
             number that is there{}",
            words::counted(*found, "row"),
            words::count(*expected as u64),
            if *table == parent { missing(context).await } else { String::new() }
        );
    }
    Ok(())
}

/// Which records somebody else has deleted, and what to type, to add to the numbers of rows: later runs expect the new
/// numbers, and are silent.
async fn missing(context: &Context) -> String {
    let (dataset, database) = (context.dataset(), &context.target.database);
    let look = async {
        let mut connection = postgres::connect(&context.database, "publish").await?;
        missing_records(&mut connection, database, dataset, MISSING).await
    };
    match look.await {
        Ok(Some(missing)) if missing.records() == 0 => String::new(),
        Ok(Some(missing)) => format!(
            "; missing: {}; to load those of a file again: {}",
            missing.describe(dataset.record),
            missing.commands(dataset).replace('\n', ", ")
        ),
        Ok(None) => format!(
            "; looking for missing records took too long: merganser check {} --timeout 600 does it",
            context.target.typed()
        ),
        Err(error) => format!("; missing records were not looked for: {error}"),
    }
}
