//! The rows that come back: they are staged from the before-images, in tables of the transaction's own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Transfer, failed};
use crate::dataset::Table;
use crate::error::Cause;
use crate::{schema, sql, words};

impl Transfer<'_> {
    /// Makes, for each production table, a table of the transaction's own for the rows that come back, with all columns that
    /// production has; returns how many rows each has.
    pub(super) async fn stage_images(&self) -> Result<Vec<(String, u64)>, Cause> {
        let dataset = self.context.dataset();
        let images = self.images_there().await?;
        let mut columns = BTreeMap::new();
        let mut staged = Vec::new();
        for table in dataset.own_tables() {
            let is_kept = dataset.kept().iter().any(|kept| kept.name == table.name);
            let of_table = images.iter().filter(|(name, _)| name == table.name);
            let of_table: Vec<_> = of_table.map(|(_, image)| image.as_str()).collect();
            let (written, rows) = self.stage_table(table, &of_table, is_kept).await?;
            columns.insert(table.name, written);
            self.run(sql::UNDO_STAGED, table.name, "look at the rows that come back").await?;
            staged.push((table.name.to_owned(), rows));
        }
        for derived in dataset.derived_tables() {
            let make = schema::definition(derived, "pg_temp", "pg_temp");
            let operation = format!("make a table for the rows of {}", derived.table.name);
            self.execute(&make, &operation).await?;
        }
        // Once per transaction.
        let _ = self.columns.set(columns);
        Ok(staged)
    }

    /// Stages the rows of one table; returns the columns of production that take a value, and how many rows there are.
    ///
    /// # Errors
    /// [`Cause::Refused`] if a row has a column that production no longer has, or has with another type.
    async fn stage_table(
        &self,
        table: &Table,
        images: &[&str],
        is_kept: bool,
    ) -> Result<(Vec<String>, u64), Cause> {
        let database = &self.context.target.database;
        let operation = format!("bring back the rows of {}", table.name);
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&database.schema, &table.name, &database.ledger_schema, &images];
        let (mut written, mut nullable) = (Vec::new(), Vec::new());
        let mut known: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for row in self.query(sql::UNDO_COLUMNS, "", &values, &operation).await? {
            let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            let (image, name, is_same): (Option<String>, String, bool) =
                read().map_err(|e| failed(e, &operation))?;
            match image {
                None => {
                    nullable.push(format!("alter column {} drop not null", sql::identifier(&name)));
                    if is_same {
                        written.push(name);
                    }
                }
                Some(image) if is_same => known.entry(image).or_default().0.push(name),
                Some(image) => known.entry(image).or_default().1.push(name),
            }
        }
        let stage = self.render_with(sql::UNDO_STAGE, table.name, &[("nullable", &nullable.join(", "))]);
        self.change(&stage, &operation).await?;
        let (had, touched_no) = if is_kept { ("had_kept", "kept_no") } else { ("had_rows", "rows_no") };
        let (mut filled, mut staged) = (BTreeSet::new(), 0);
        for (image, (same, others)) in known {
            let columns = sql::identifiers(same.iter().map(String::as_str));
            let special = [
                ("image", image.as_str()),
                ("columns", columns.as_str()),
                ("had", had),
                ("touched_no", touched_no),
            ];
            let script = self.render_with(sql::UNDO_STAGE_ROWS, table.name, &special);
            let rows = self.change(&script, &operation).await?;
            staged += rows as u64;
            if rows > 0 && !others.is_empty() {
                return Err(Cause::Refused {
                    message: format!(
                        "{}.{} lacks columns that have values in {} to restore, or has them with another type: {}",
                        database.schema,
                        table.name,
                        words::counted(rows as u64, "row"),
                        others.join(", ")
                    ),
                    hint: Some(format!(
                        "alter table {}.{} so that it has these columns as \\d {}.{image} in psql shows them, undo, then \
                         alter it back",
                        database.schema, table.name, database.ledger_schema
                    )),
                });
            }
            if rows > 0 {
                filled.extend(same);
            }
        }
        // A column that was added since keeps what it has, or gets its default.
        if !filled.is_empty() {
            written.retain(|name| filled.contains(name));
        }
        Ok((written, staged))
    }
}
