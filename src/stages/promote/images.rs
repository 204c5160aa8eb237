//! Before-images: what a promotion takes out of production is kept in the ledger's schema for a while, so that the run can be
//! undone. Of records that are deleted for ever nothing is kept, and what is there of them goes in the same transaction.

use std::collections::BTreeMap;

use super::{Transfer, failed};
use crate::clients::postgres;
use crate::dataset::{Dataset, Promotion};
use crate::error::Cause;
use crate::run::context::Context;
use crate::{fault, sql};

/// Where the before-images of a batch go.
#[derive(Debug)]
pub(super) struct Images {
    /// The number of the batch among all that were promoted.
    undo_no: i64,
    /// None are kept: there is nothing to keep, or nobody wants it.
    is_kept: bool,
    /// Of each production table the table of its before-images.
    names: BTreeMap<&'static str, String>,
}

impl Images {
    /// What scripts may name, with the table that they are about.
    pub fn variables(&self, ledger: &str, table: &str) -> Vec<(String, String)> {
        let schema = if self.is_kept { ledger } else { "pg_temp" };
        let mut variables = vec![
            ("undo_no".to_owned(), self.undo_no.to_string()),
            ("images".to_owned(), schema.to_owned()),
            ("before".to_owned(), self.names.get(table).cloned().unwrap_or_default()),
        ];
        variables.extend(self.names.iter().map(|(table, image)| (format!("before_{table}"), image.clone())));
        variables
    }
}

impl Transfer<'_> {
    /// Enters the batch among those that can be undone, and makes the tables for its before-images that are not there. Of `new`
    /// tables nothing is taken out.
    ///
    /// # Errors
    /// [`Cause::Refused`] if somebody else owns one of them: we would not see what is in it.
    pub(super) async fn prepare_images(&self, new: bool) -> Result<(), Cause> {
        let dataset = self.context.dataset();
        let days = if dataset.can_be_undone() { self.processing.keep_undo } else { 0 };
        let schema = &self.context.target.database.schema;
        let wanted = days > 0 && !new;
        let kept = if wanted { self.image_tables().await? } else { None };
        let is_kept = kept.is_some();
        // Of new tables nothing is taken out, and that can be undone.
        let days = if wanted && !is_kept { 0 } else { days };
        let operation = "enter the batch";
        let (run_id, days) = (self.context.run_id, i32::try_from(days).unwrap_or(i32::MAX));
        let rows = self
            .query(sql::IMAGES_BEGIN, "", &[&run_id, &self.batch, &dataset.name, schema, &days], operation)
            .await?;
        let undo_no: i64 = rows[0].try_get(0).map_err(|e| failed(e, operation))?;
        let names = match kept {
            Some(names) => names,
            None => self.no_image_tables().await?,
        };
        // Once in a transaction.
        let _ = self.images.set(Images { undo_no, is_kept, names });
        fault::point!("promote.images");
        Ok(())
    }

    /// The tables of before-images, made where there are none; `None`: we may not make them.
    async fn image_tables(&self) -> Result<Option<BTreeMap<&'static str, String>>, Cause> {
        let (dataset, schema) = (self.context.dataset(), &self.context.target.database.schema);
        let operation = "look for the tables of before-images";
        let names: Vec<_> = dataset.own_tables().map(|table| table.name).collect();
        let rows = self.query(sql::IMAGES_FITTING, "", &[&dataset.name, schema, &names], operation).await?;
        let mut fitting = BTreeMap::new();
        for row in rows {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            let (table, image, is_ours): (String, Option<String>, bool) =
                read().map_err(|e| failed(e, operation))?;
            let Some(image) = image else { continue };
            if !is_ours {
                return Err(not_ours(self.context, &image));
            }
            fitting.insert(table, image);
        }
        if fitting.len() < names.len() && !self.may_make_images().await? {
            return Ok(None);
        }
        let mut images = BTreeMap::new();
        for table in names {
            let image = match fitting.remove(table) {
                Some(image) => image,
                None => self.make_image_table(table).await?,
            };
            images.insert(table, image);
        }
        Ok(Some(images))
    }

    async fn may_make_images(&self) -> Result<bool, Cause> {
        let operation = "look for the tables of before-images";
        let rows = self.query(sql::IMAGES_MAY_MAKE, "", &[], operation).await?;
        let may_make: bool = rows[0].try_get(0).map_err(|e| failed(e, operation))?;
        if !may_make {
            let ledger = &self.context.target.database.ledger_schema;
            tracing::warn!(
                run_id = %self.context.run_id,
                "no before-images are kept, so this run cannot be undone: the role may make no table in schema {ledger}; \
                 merganser check {} has the statement that grants it",
                self.context.target.typed()
            );
        }
        Ok(may_make)
    }

    async fn make_image_table(&self, table: &'static str) -> Result<String, Cause> {
        let (dataset, schema) = (self.context.dataset(), &self.context.target.database.schema);
        let operation = format!("make a table for before-images of {table}");
        let rows = self.query(sql::IMAGES_ADD, "", &[&dataset.name, schema, &table], &operation).await?;
        let image: String = rows[0].try_get(0).map_err(|e| failed(e, &operation))?;
        let text = self.render_with(sql::IMAGES_MAKE, table, &[("image", &image)]);
        self.execute(&text, &operation).await?;
        Ok(image)
    }

    /// The dataset's plan names those of the tables that it keeps itself.
    async fn no_image_tables(&self) -> Result<BTreeMap<&'static str, String>, Cause> {
        let mut images = BTreeMap::new();
        for table in self.context.dataset().kept() {
            let image = format!("no_image_{}", table.name);
            let text = self.render_with(sql::IMAGES_NONE, table.name, &[("image", &image)]);
            self.execute(&text, "keep no before-images").await?;
            images.insert(table.name, image);
        }
        Ok(images)
    }

    /// Are rows kept as they were?
    pub(super) fn keeps_images(&self) -> bool {
        self.images.get().is_some_and(|images| images.is_kept)
    }

    /// Notes which records the plan changes or makes new; and forgets what was kept of those that it deletes for ever. Where no run
    /// can be undone, nobody asks.
    pub(super) async fn note_records(&self) -> Result<(), Cause> {
        if !self.context.dataset().can_be_undone() {
            return Ok(());
        }
        let script = match self.context.dataset().promotion {
            Promotion::Merge { .. } => sql::IMAGES_RECORDS,
            Promotion::Replace { .. } | Promotion::ReplaceSlices { .. } | Promotion::ReplaceAll { .. } => {
                sql::IMAGES_REPLACED
            }
        };
        self.run(script, "", "note which records change").await?;
        let Some(tombstones) = self.context.dataset().tombstones() else { return Ok(()) };
        self.run(tombstones.sealed, "", "find what is deleted for ever").await?;
        let held = self.query(sql::IMAGES_HELD, "", &[], "look for before-images of deleted records").await?;
        if !held.is_empty() {
            forget_sealed(self.context, self.transaction).await?;
        }
        fault::point!("promote.noted");
        Ok(())
    }
}

/// A role that does not own a table of before-images sees none of its rows, and no error.
fn not_ours(context: &Context, image: &str) -> Cause {
    let ledger = &context.target.database.ledger_schema;
    Cause::Refused {
        message: format!(
            "{ledger}.{image} belongs to another role, and holds rows as they were before a run: only its owner can \
             remove what is deleted for ever"
        ),
        hint: Some(format!(
            "run as that role, or have an administrator run: alter table {}.{} owner to …;",
            sql::identifier(ledger),
            sql::identifier(image)
        )),
    }
}

/// Takes out every before-image of a record that is deleted for ever; `pg_temp.sealed_records` says which. Gives how many rows
/// went.
pub async fn forget_sealed(
    context: &Context,
    transaction: &tokio_postgres::Transaction<'_>,
) -> Result<u64, Cause> {
    let operation = "take out before-images of deleted records";
    let mut rows = 0;
    for (_, image) in all_images(context, transaction).await? {
        let forget = render(context, sql::IMAGES_FORGET, &image);
        rows += transaction.execute(&forget, &[]).await.map_err(|e| failed(e, operation))?;
    }
    let forget = render(context, sql::IMAGES_FORGET_RECORDS, "");
    transaction.batch_execute(&forget).await.map_err(|e| failed(e, operation))?;
    Ok(rows)
}

/// Before-images of records that are deleted for ever which are there still, by table; none is a pass.
pub async fn sealed_left(
    context: &Context,
    transaction: &tokio_postgres::Transaction<'_>,
) -> Result<Vec<(String, i64)>, Cause> {
    let operation = "look for before-images of deleted records";
    let mut left = Vec::new();
    for (_, image) in all_images(context, transaction).await? {
        let look = render(context, sql::IMAGES_LEFT, &image);
        for row in transaction.query(&look, &[]).await.map_err(|e| failed(e, operation))? {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?));
            left.push(read().map_err(|e| failed(e, operation))?);
        }
    }
    Ok(left)
}

/// Takes out before-images whose time is over. Never fails: the next run does what is left.
pub async fn expire(context: &Context) {
    if context.target.dry_run {
        return;
    }
    let expired = async {
        let mut connection = postgres::connect(&context.database, "expire").await?;
        let operation = "remove expired before-images";
        let transaction = connection.transaction().await.map_err(|e| failed(e, operation))?;
        let lock = context.ledger.lock_name();
        let locked = transaction.execute(sql::LEDGER_LOCK_PROMOTION, &[&lock]).await;
        locked.map_err(|e| failed(e, operation))?;
        let (dataset, schema) = (context.dataset().name, &context.target.database.schema);
        let query = render(context, sql::IMAGES_EXPIRED, "");
        let over = transaction.query(&query, &[&dataset, schema]).await.map_err(|e| failed(e, operation))?;
        if over.is_empty() {
            return Ok(());
        }
        for (_, image) in all_images(context, &transaction).await? {
            let expire = render(context, sql::IMAGES_EXPIRE, &image);
            transaction.batch_execute(&expire).await.map_err(|e| failed(e, operation))?;
        }
        let records = render(context, sql::IMAGES_EXPIRE_RECORDS, "");
        transaction.batch_execute(&records).await.map_err(|e| failed(e, operation))?;
        transaction.commit().await.map_err(|e| failed(e, operation))?;
        Ok::<_, Cause>(())
    };
    if let Err(error) = expired.await {
        tracing::warn!(
            run_id = %context.run_id,
            "expired before-images could not be removed: {error}; the next run does it"
        );
    }
}

/// All tables of before-images, each behind the table whose rows it holds.
///
/// # Errors
/// [`Cause::Refused`] if somebody else owns one of them.
pub(super) async fn all_images(
    context: &Context,
    transaction: &tokio_postgres::Transaction<'_>,
) -> Result<Vec<(String, String)>, Cause> {
    let operation = "look for the tables of before-images";
    let query = render(context, sql::IMAGES_ALL, "");
    let (dataset, schema): (&'static Dataset, _) = (context.dataset(), &context.target.database.schema);
    let rows = transaction.query(&query, &[&dataset.name, schema]).await.map_err(|e| failed(e, operation))?;
    let mut images = Vec::new();
    for row in rows {
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let (table, image, is_ours): (String, String, bool) = read().map_err(|e| failed(e, operation))?;
        if !is_ours {
            return Err(not_ours(context, &image));
        }
        images.push((table, image));
    }
    Ok(images)
}

fn render(context: &Context, script: &str, image: &str) -> String {
    let (dataset, database) = (context.dataset(), &context.target.database);
    let variables = [
        ("schema", database.schema.as_str()),
        ("ledger", &database.ledger_schema),
        ("dataset", dataset.name),
        ("key", dataset.key()),
        ("image", image),
    ];
    sql::render(script, &variables)
}
