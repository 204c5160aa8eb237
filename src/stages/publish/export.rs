//! CSVs that the database writes to the store itself, into the run's own private folder. From there S3 copies the
//! objects to their places once all of them are complete. In this way they get the same headers and encryption as
//! everything else (objects written by the database are encrypted with a key that the public does not have), and the
//! database's role needs no right on a public path.

use tokio_postgres::Transaction;

use super::{Object, plan};
use crate::clients::postgres::aws_s3::{self, Columns};
use crate::clients::postgres::{self, Watch};
use crate::dataset::{PublishedForm, PublishedTable, Reach};
use crate::error::Cause;
use crate::run::aws_s3::Direction;
use crate::run::context::Context;

/// The largest object that S3 copies in one request.
const S3_COPY_BYTES_MAX: u64 = 5 << 30;

/// Where the database puts its CSVs first.
fn exports_folder(context: &Context) -> String {
    format!("{}/exports", context.staging_prefix(1))
}

/// Has the database write a CSV; `None`: it cannot, or S3 cannot copy the result to its place, and the caller copies
/// the rows itself.
pub(super) async fn export(
    context: &Context,
    snapshot: &mut Transaction<'_>,
    watch: &Watch,
    csv: &'static PublishedTable,
) -> Result<Option<Object>, Cause> {
    // Other forms are made from rows that come through this program.
    if csv.split.is_some()
        || csv.reach == Reach::Public && context.target.publishing.forms != [PublishedForm::Csv]
    {
        return Ok(None);
    }
    let Some(aws_s3) = context.aws_s3.as_ref().filter(|aws_s3| aws_s3.works(Direction::Export)) else {
        return Ok(None);
    };
    let key = format!("{}/{}", exports_folder(context), context.objects().published(csv).replace('/', "-"));
    let Some(to) = context.store.s3_location(&key) else { return Ok(None) };
    let operation = format!("export {} to {}", csv.table, context.store.url().object(&key));
    let failed = |e| postgres::classify(e, operation.as_str());
    let names = plan::names(context, csv);
    let schema = &context.target.database.schema;
    let from = Columns { schema, table: csv.table, names: names.as_deref() };
    // A failure must not end the snapshot, from which the rows are then read the other way.
    let savepoint = snapshot.savepoint("export").await.map_err(failed)?;
    let doing = context.report.doing("publish", Vec::new());
    let watch = watch.clone().showing(doing.shower());
    let written = watch.answers(&operation, aws_s3::export(&savepoint, from, &to, &operation)).await;
    let exported = match written {
        Ok(exported) => exported,
        Err(error) => {
            aws_s3.give_up(Direction::Export, error)?;
            savepoint.rollback().await.map_err(failed)?;
            return Ok(None);
        }
    };
    savepoint.commit().await.map_err(failed)?;
    let place = context.objects().published(csv);
    if exported.objects != 1 || exported.size_bytes > S3_COPY_BYTES_MAX {
        tracing::info!(
            object = place,
            exported.objects,
            exported.size_bytes,
            "{place} is too large to be one object of the database's; its rows go through the connection"
        );
        return Ok(None);
    }
    let aws_s3::ExportedObjects { rows, size_bytes, .. } = exported;
    Ok(Some(Object {
        table: csv,
        key: place,
        form: PublishedForm::Csv,
        value: None,
        rows,
        size_bytes,
        sha256: None,
        exported: Some(key),
    }))
}

/// Computes the checksums of the objects that the database has written for publication (by reading them, since the
/// database reports none), then has S3 copy all of them to their places.
pub(super) async fn put_into_place(context: &Context, objects: &mut [Object]) -> Result<(), Cause> {
    for object in objects.iter_mut().filter(|object| object.table.reach == Reach::Public) {
        if let Some(exported) = &object.exported {
            let read = context.store.checksum(exported).await?;
            (object.size_bytes, object.sha256) = (read.size_bytes, Some(read.sha256));
        }
    }
    for object in objects {
        if let Some(exported) = &object.exported {
            context.store.copy(exported, &object.key).await?;
        }
    }
    Ok(())
}

/// Removes the objects that the database has written, including parts of split ones. Any that cannot be removed are
/// private, like the whole folder of the run.
pub(super) async fn remove_exports(context: &Context) {
    let folder = exports_folder(context);
    let removed = async {
        for object in context.store.list(&folder).await? {
            context.store.delete(&object.key).await?;
        }
        Ok::<_, Cause>(())
    };
    if let Err(error) = removed.await {
        tracing::warn!("{} could not be cleared: {error}", context.store.url().object(&folder));
    }
}
