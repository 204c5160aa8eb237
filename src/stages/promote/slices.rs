//! What a promotion of slices replaces: the slices that the run asked for, or those of its parts, except what could not
//! be read and what a newer part covers.

use serde_json::json;

use super::super::fetch::FetchedFile;
use super::{Transfer, failed};
use crate::dataset::slice::Slice;
use crate::error::Cause;
use crate::sql;
use crate::words;

/// The slices of a batch.
#[derive(Debug, Default)]
pub(super) struct Slices {
    /// The SQL condition for the rows that are replaced.
    pub condition: String,
    /// The SQL condition for the rows that stay, though they are in a slice of this batch.
    pub in_kept: String,
    /// The SQL condition for the rows that a failed record without a key may mean.
    pub doubted: String,
    /// The parts that count, with their slices.
    parts: Vec<(i64, Slice)>,
    /// The slices that are replaced, except what is kept.
    replaced: Vec<Slice>,
    /// What the parts tell of together, if all of them count.
    told: Vec<Slice>,
    /// What could not be read, or what a newer part covers.
    kept: Vec<Slice>,
}

/// A part that a slice of production came from.
struct SliceOrigin {
    text: String,
    slice: Slice,
    order: (String, String),
}

impl Transfer<'_> {
    /// Decides what is replaced, and writes it to the transaction's own tables.
    pub(super) async fn find_slices(&self, files: &[FetchedFile]) -> Result<Slices, Cause> {
        let origins = self.slice_origins().await?;
        let mut slices = Slices { kept: self.unread_slices().await?, ..Slices::default() };
        for file in files {
            // A part that is not an answer covers the whole table.
            let slice = file.asked.as_ref().map(|asked| asked.slice.clone()).unwrap_or_default();
            // Newer parts of the same run, whether or not they could be read, and however old what they replace is.
            let told = file.asked.iter().flat_map(|asked| &asked.newer);
            slices.kept.extend(told.map(|newer| slice.and_all(newer)));
            let order = (file.meaning.order_key.clone(), file.name.clone());
            let is_newer = |origin: &&SliceOrigin| origin.order > order && origin.slice.overlaps(&slice);
            let newer: Vec<_> = match self.processing.overwrite_newer {
                true => Vec::new(),
                false => origins.iter().filter(is_newer).collect(),
            };
            let (run_id, name) = (&self.context.run_id, &file.name);
            if let Some(whole) = newer.iter().find(|origin| slice.is_within(&origin.slice)) {
                tracing::info!(
                    run_id = %run_id,
                    file = name,
                    "{name}: not loaded; its records already came from the newer {}", whole.order.1
                );
                slices.kept.push(slice);
                continue;
            }
            if let [first, more @ ..] = newer.as_slice() {
                let more = match more.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                tracing::info!(
                    run_id = %run_id,
                    file = name,
                    "{name}: what came from the newer {}{more} stays", first.order.1
                );
            }
            slices.kept.extend(newer.iter().map(|origin| slice.and_all(&origin.slice)));
            slices.parts.push((file.part_id, slice));
        }
        slices.kept.sort();
        slices.kept.dedup();
        let of_parts = || slices.parts.iter().map(|(_, slice)| slice.clone()).collect::<Vec<_>>();
        let asking = self.from.and_then(|from| from.asking.as_ref());
        slices.told = asking.map_or_else(of_parts, |asking| vec![asking.want.clone()]);
        // Counts prove that answers are all of what was asked for. A file proves nothing about what no file holds.
        let is_counted =
            files.iter().all(|file| file.asked.as_ref().is_some_and(|asked| asked.records.is_some()));
        slices.replaced = if is_counted { slices.told.clone() } else { of_parts() };
        let (replaced, kept): (Vec<_>, Vec<_>) =
            (slices.replaced.iter().collect(), slices.kept.iter().collect());
        let doubted = self.doubted(&slices.parts).await?;
        let values = [&replaced, &kept, &doubted].map(|slices| sql::slice_values(slices));
        let before = [0, values[0].len(), values[0].len() + values[1].len()];
        slices.in_kept = sql::in_slices(&kept, before[1]);
        slices.condition = format!("({} and not {})", sql::in_slices(&replaced, 0), slices.in_kept);
        slices.doubted = sql::in_slices(&doubted, before[2]);
        let operation = "enter what is replaced";
        self.run(sql::PROMOTE_SLICE_TABLES, "", operation).await?;
        let values = json!(values.concat()).to_string();
        self.query(sql::PROMOTE_SLICE_VALUES, "", &[&values], operation).await?;
        let parts: Vec<_> = slices.parts.iter().map(|(part_id, _)| *part_id).collect();
        self.query(sql::PROMOTE_SLICE_PARTS, "", &[&parts], operation).await?;
        Ok(slices)
    }

    /// The slices of those parts of which nobody knows all the rows that they tell of.
    async fn doubted<'a>(&self, of: &'a [(i64, Slice)]) -> Result<Vec<&'a Slice>, Cause> {
        let operation = "look for failed records without a key";
        let parts: Vec<_> = of.iter().map(|(part_id, _)| *part_id).collect();
        let rows = self.query(sql::PROMOTE_SLICE_DOUBTED, "", &[&parts], operation).await?;
        let found = rows.iter().map(|row| row.try_get::<_, i64>(0));
        let found = found.collect::<Result<Vec<_>, _>>().map_err(|e| failed(e, operation))?;
        Ok(of.iter().filter(|(part_id, _)| found.contains(part_id)).map(|(_, slice)| slice).collect())
    }

    /// How many rows that no record names stay, because a record that could not be read may mean them. Warns of them.
    pub(super) async fn rows_in_doubt(&self) -> Result<i64, Cause> {
        if self.slices.as_ref().is_none_or(|slices| slices.doubted == sql::in_slices(&[], 0)) {
            return Ok(0);
        }
        let operation = "count the rows that may be meant";
        let rows = self.query(sql::PROMOTE_SLICE_IN_DOUBT, "", &[], operation).await?;
        let rows: i64 = rows[0].try_get(0).map_err(|e| failed(e, operation))?;
        if rows > 0 {
            let run_id = self.context.run_id;
            tracing::warn!(
                run_id = %run_id,
                rows,
                "{} kept although no longer named by any {record}: a failed {record} has no key and may be such a \
                 row (merganser failures --run {run_id})",
                words::counted(rows as u64, "row"),
                record = self.context.dataset().record
            );
        }
        Ok(rows)
    }

    async fn slice_origins(&self) -> Result<Vec<SliceOrigin>, Cause> {
        let operation = "find out what production came from";
        let (dataset, schema) = (self.context.dataset().name, &self.context.target.database.schema);
        let rows = self.query(sql::PROMOTE_SLICE_KNOWN, "", &[&dataset, schema], operation).await?;
        let mut origins = Vec::new();
        for row in rows {
            let read = || Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)));
            let (text, order): (String, _) = read().map_err(|e| failed(e, operation))?;
            let slice = serde_json::from_str(&text).unwrap_or_default();
            origins.push(SliceOrigin { text, slice, order });
        }
        Ok(origins)
    }

    async fn unread_slices(&self) -> Result<Vec<Slice>, Cause> {
        let operation = "look for what could not be read";
        let rows = self
            .query(sql::PROMOTE_SLICE_FAILED, "", &[&self.context.run_id, &self.batch], operation)
            .await?;
        let slices = rows.iter().map(|row| row.try_get::<_, String>(0));
        let slices = slices.collect::<Result<Vec<_>, _>>().map_err(|e| failed(e, operation))?;
        Ok(slices.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// Records in the ledger which parts the slices now come from, and settles failures of earlier parts for them.
    pub(super) async fn note_slices(&self, slices: &Slices) -> Result<(), Cause> {
        let operation = "write the ledger";
        self.run(sql::PROMOTE_SLICE_COUNTED, "", operation).await?;
        let is_replaced = |slice: &Slice| {
            slices.told.iter().any(|all| slice.is_within(all))
                && !slices.kept.iter().any(|kept| kept.overlaps(slice))
        };
        let (dataset, schema) = (self.context.dataset().name, &self.context.target.database.schema);
        let gone: Vec<_> =
            self.slice_origins().await?.into_iter().filter(|known| is_replaced(&known.slice)).collect();
        let gone: Vec<_> = gone.into_iter().map(|origin| origin.text).collect();
        let said = slices
            .parts
            .iter()
            .map(|(part_id, slice)| json!({ "slice": json!(slice).to_string(), "part_id": part_id }));
        let said = json!(said.collect::<Vec<_>>()).to_string();
        self.query(sql::PROMOTE_SLICE_NOTE, "", &[&dataset, schema, &gone, &said], operation).await?;
        let rows = self
            .query(sql::PROMOTE_SLICE_OPEN, "", &[&dataset, schema, &self.context.run_id], operation)
            .await?;
        let mut settled = Vec::new();
        for row in rows {
            let read = || Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, String>(1)?));
            let (part_id, slice) = read().map_err(|e| failed(e, operation))?;
            if serde_json::from_str(&slice).is_ok_and(|slice| is_replaced(&slice)) {
                settled.push(part_id);
            }
        }
        self.query(sql::PROMOTE_SLICE_SETTLE, "", &[&self.context.run_id, &settled], operation).await?;
        Ok(())
    }

    /// The number of rows that the slices had.
    pub(super) async fn slice_rows(&self) -> Result<i64, Cause> {
        let operation = "count the rows that are replaced";
        let rows = self.query(sql::PROMOTE_SLICE_BEFORE, "", &[], operation).await?;
        Ok(rows[0].try_get(0).map_err(|e| failed(e, operation))?)
    }
}
