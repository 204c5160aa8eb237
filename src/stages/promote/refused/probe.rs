//! The search: constraints that an expression can check are tested on all rows at once; for the others the merge is
//! tried with ever smaller parts of the batch. All of it is rolled back.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::{Transfer, failed};
use super::Offender;
use super::breach::{self, Breach};
use crate::clients::postgres::PgError;
use crate::dataset::Table;
use crate::error::Cause;
use crate::schema::Comparison;
use crate::{fault, sql};

const SEARCH: &str = "look for the records that the database refuses";

/// The script that is tried with a part of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// The dataset's plan, which writes to its own tables; rolled back each time.
    Plan,
    /// The merge; a part that passes stays, so that the next part is checked against it.
    Merge,
}

/// A search under way, in a transaction of its own.
pub(super) struct Search<'a> {
    transfer: &'a Transfer<'a>,
    /// The number of records of the batch; there are no more identities than that.
    records: u64,
    /// How many offenders are enough.
    limit: usize,
}

/// A range of positions of records, in the order in which they count.
type Span = Range<u64>;

impl<'a> Search<'a> {
    pub fn new(transfer: &'a Transfer<'a>, records: u64, limit: usize) -> Self {
        Self { transfer, records, limit }
    }

    /// The records that the database refuses, in order, up to the limit. Not always all of them: a record that counts
    /// only once a later one is left out is found the next time. Empty: no record explains the refusal.
    pub async fn offenders(&self, tables: &Comparison) -> Result<Vec<Offender>, Cause> {
        let Self { transfer, .. } = self;
        let table = transfer.context.dataset().parent().name;
        let new = transfer.make_missing_tables(tables).await?;
        transfer.make_keys(&new).await?;
        transfer.run(sql::REFUSED_NUMBERED, "", SEARCH).await?;
        if self.attempt(&transfer.render(transfer.plan(), table), true).await?.is_some() {
            return self.by_halves(Attempt::Plan).await;
        }
        let found = self.by_expressions().await?;
        if !found.is_empty() {
            return Ok(found);
        }
        self.remove_old_rows().await?;
        self.by_halves(Attempt::Merge).await
    }

    /// Finds violations that depend only on a row's own values, with one statement per table.
    async fn by_expressions(&self) -> Result<Vec<Offender>, Cause> {
        let mut found = BTreeMap::new();
        for table in self.transfer.context.dataset().tables {
            for (position, breach) in self.broken_in(table).await? {
                found.entry(position).or_insert(breach);
            }
        }
        let mut offenders = Vec::new();
        for (position, breach) in found.into_iter().take(self.limit) {
            offenders.extend(self.offender(position, breach).await?);
        }
        Ok(offenders)
    }

    /// The records with a row of this table that violates a constraint on staged columns only.
    async fn broken_in(&self, table: &Table) -> Result<Vec<(u64, Breach)>, Cause> {
        let (transfer, schema) = (self.transfer, &self.transfer.context.target.database.schema);
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let rows =
            transfer.query(sql::REFUSED_EXPRESSIONS, "", &[schema, &table.name, &columns], SEARCH).await?;
        let (mut breaches, mut conditions) = (Vec::new(), Vec::new());
        for (row, number) in rows.iter().zip(1..) {
            let read =
                |column: usize| row.try_get::<_, Option<String>>(column).map_err(|e| failed(e, SEARCH));
            let (ours, name) = (Some(table.name.to_owned()), Some(table.name.to_owned()));
            breaches.push(Breach {
                ours,
                table: name,
                constraint: read(0)?,
                column: read(1)?,
                ..Breach::default()
            });
            conditions.push(format!("({number}, {})", read(2)?.unwrap_or_default()));
        }
        if breaches.is_empty() {
            return Ok(Vec::new());
        }
        // The limit applies per table, because all offenders may be in the same one.
        let limit = self.limit.min(i64::MAX as usize).to_string();
        let special = [("conditions", conditions.join(", ")), ("limit", limit)];
        let special = special.each_ref().map(|(name, text)| (*name, text.as_str()));
        let text = transfer.render_with(sql::REFUSED_FIND, table.name, &special);
        self.execute("savepoint expressions").await?;
        let rows = match transfer.watch.answer(SEARCH, transfer.transaction.query(&text, &[])).await {
            Ok(rows) => rows,
            // A failing expression proves nothing about a record: the merge itself will.
            Err(error) if error.failure().is_some_and(|failure| failure.server().is_some()) => {
                tracing::debug!(
                    table = table.name,
                    "its constraints cannot be tried on staged rows: {error}"
                );
                self.execute("rollback to savepoint expressions").await?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.into()),
        };
        self.execute("release savepoint expressions").await?;
        let read = |row: &tokio_postgres::Row| {
            let (position, number): (i64, i32) = (row.try_get(0)?, row.try_get(1)?);
            Ok((position as u64, breaches[number as usize - 1].clone()))
        };
        let found = rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>();
        found.map_err(|e| failed(e, SEARCH).into())
    }

    /// Removes the old rows, as the merge does first: a row that is to be deleted must not conflict with another
    /// record's.
    async fn remove_old_rows(&self) -> Result<(), Cause> {
        let transfer = self.transfer;
        let (parent, children) = self.tables();
        let mut text = transfer.render(sql::PROMOTE_BEGIN, parent.name);
        for child in children {
            text += &transfer.render(sql::PROMOTE_REMOVE, child.name);
        }
        text += &transfer.render(sql::REFUSED_REMOVE_PARENTS, parent.name);
        for table in transfer.context.dataset().tables {
            text += &transfer.render(sql::REFUSED_INDEX, table.name);
        }
        match self.attempt(&(text + sql::REFUSED_LOOK), true).await? {
            None => Ok(()),
            // A refused delete is never a failed record.
            Some(error) => Err(error.into()),
        }
    }

    /// Bisects until each refused record is isolated. Parts are tried in the order of the files, so that of two
    /// conflicting records the later one fails.
    async fn by_halves(&self, attempt: Attempt) -> Result<Vec<Offender>, Cause> {
        let mut found: Vec<(u64, Offender)> = Vec::new();
        let mut parts = halves(1..self.records + 1);
        while let Some(part) = parts.pop() {
            let Some(error) = self.attempt_part(attempt, &part).await? else { continue };
            if part.end - part.start > 1 {
                parts.extend(halves(part));
                continue;
            }
            let server = breach::server(&error).expect("an attempt gives no other errors back");
            let breach = self.transfer.breach(server).await?;
            match self.offender(part.start, breach).await? {
                Some(offender) if offender.is_winner || attempt == Attempt::Merge => {
                    found.push((part.start, offender));
                }
                // The error belongs to a deleted record or to none, so nothing can be left out.
                _ => return Err(error.into()),
            }
            if found.len() >= self.limit {
                break;
            }
        }
        if attempt == Attempt::Merge && found.len() < self.limit {
            found = self.still_refused(found).await?;
        }
        Ok(found.into_iter().map(|(_, offender)| offender).collect())
    }

    /// Those of the found records that still fail after all others have passed: one may have conflicted with a value
    /// that a later record gives up. If all pass now, the order of the merge is the reason, and the result stays as it
    /// is.
    async fn still_refused(&self, mut found: Vec<(u64, Offender)>) -> Result<Vec<(u64, Offender)>, Cause> {
        let mut still = Vec::new();
        for (position, _) in &found {
            if self.attempt_part(Attempt::Merge, &(*position..position + 1)).await?.is_some() {
                still.push(*position);
            }
        }
        if !still.is_empty() {
            found.retain(|(position, _)| still.contains(position));
        }
        Ok(found)
    }

    async fn attempt_part(&self, attempt: Attempt, part: &Span) -> Result<Option<PgError>, Cause> {
        let transfer = self.transfer;
        let (first, end) = (part.start.to_string(), part.end.to_string());
        let render = |script: &str, table: &str| {
            transfer.render_with(script, table, &[("first", first.as_str()), ("end", end.as_str())])
        };
        let text = match attempt {
            Attempt::Plan => {
                let table = transfer.context.dataset().parent().name;
                render(sql::REFUSED_PLAN_SOME, "") + &render(transfer.plan(), table)
            }
            Attempt::Merge => {
                let (parent, children) = self.tables();
                let parent = render(sql::REFUSED_PARENT, parent.name);
                children.iter().fold(parent, |text, child| text + &render(sql::REFUSED_CHILD, child.name))
            }
        };
        self.attempt(&(text + sql::REFUSED_LOOK), attempt == Attempt::Merge).await
    }

    /// Tries a script in a savepoint, and keeps its effect if it passes and `is_kept`. Returns the error of a violated
    /// constraint.
    async fn attempt(&self, script: &str, is_kept: bool) -> Result<Option<PgError>, Cause> {
        let transfer = self.transfer;
        self.execute("savepoint attempt").await?;
        let refusal = match self.execute(script).await {
            Ok(()) => None,
            Err(error) if breach::server(&error).is_some() => Some(error),
            Err(error) => return Err(error.into()),
        };
        fault::point!("promote.attempt");
        if refusal.is_none() && is_kept {
            self.execute("release savepoint attempt").await?;
        } else {
            self.execute("rollback to savepoint attempt; release savepoint attempt").await?;
        }
        match refusal {
            Some(error) => Ok(Some(transfer.unless_delete(error).await?)),
            None => Ok(None),
        }
    }

    async fn execute(&self, script: &str) -> Result<(), PgError> {
        self.transfer.watch.answer(SEARCH, self.transfer.transaction.batch_execute(script)).await
    }

    /// The place of the record at a position.
    async fn offender(&self, position: u64, breach: Breach) -> Result<Option<Offender>, Cause> {
        let rows = self.transfer.query(sql::REFUSED_PLACE, "", &[&(position as i64)], SEARCH).await?;
        let read = |row: &tokio_postgres::Row| {
            Ok::<_, tokio_postgres::Error>(Offender {
                record_id: row.try_get(0)?,
                part_id: row.try_get(1)?,
                ordinal: row.try_get(2)?,
                offset_bytes: row.try_get(3)?,
                is_winner: row.try_get(4)?,
                breach,
            })
        };
        Ok(rows.first().map(read).transpose().map_err(|e| failed(e, SEARCH))?)
    }

    fn tables(&self) -> (&'static Table, &'static [Table]) {
        self.transfer.context.dataset().tables.split_first().expect("a dataset has tables")
    }
}

/// Both halves, the first one last, because it is taken first. For a single record, itself.
fn halves(part: Span) -> Vec<Span> {
    match (part.end - part.start) / 2 {
        0 => vec![part],
        half => vec![part.start + half..part.end, part.start..part.start + half],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_its_halves_in_their_order() {
        assert_eq!(halves(1..8), [4..8, 1..4]);
        assert_eq!(halves(1..3), [2..3, 1..2]);
        assert!(halves(7..8).into_iter().eq(std::iter::once(7..8)));
    }
}
