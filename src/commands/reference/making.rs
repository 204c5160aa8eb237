//! Makes the kept tables of a reference from its files.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::input::{Taken, refused};
use crate::clients::duckdb::{DuckError, DuckLimits, Staging};
use crate::dataset::reference::{Reference, ReferenceFill, ReferenceTable};
use crate::error::Cause;
use crate::run::reference::LocalReference;
use crate::words::hex;
use crate::{sql, words};

/// The numbers of new and removed rows.
pub type Change = (u64, u64);

/// A table of the reference as a file.
pub struct KeptTable {
    pub table: &'static ReferenceTable,
    pub path: PathBuf,
    pub rows: u64,
}

/// The result of the scripts.
pub struct Made {
    pub version: String,
    pub kept: Vec<KeptTable>,
    pub fills: Vec<(&'static ReferenceFill, PathBuf)>,
    pub left_out: Vec<(String, u64)>,
    pub changes: Vec<(&'static str, Change)>,
}

/// Makes the tables of the reference, and writes them to files.
///
/// # Errors
/// [`Cause::Refused`] for files of different editions, files older than the current reference, or files without a row
/// for a table.
pub fn make(
    reference: &'static Reference,
    duckdb: DuckLimits,
    folder: &Path,
    taken: Vec<Taken>,
    before: Option<&LocalReference>,
) -> Result<Made, Cause> {
    let staging = Staging::create(folder, duckdb)?;
    let mut hash = Sha256::new();
    let mut variables = Vec::new();
    for file in &taken {
        // The looked-up data does not depend on the optional inputs.
        if reference.inputs.iter().any(|input| input.name == file.input && !input.is_optional) {
            hash.update(file.sha256.as_bytes());
        }
        variables.extend(file.variables.iter().map(|(name, value)| (*name, value.as_str())));
    }
    // The same files processed by other scripts are another reference.
    reference.scripts.iter().for_each(|script| hash.update(script.as_bytes()));
    for script in reference.scripts {
        staging.execute("read the reference", script, &variables).map_err(|e| unreadable(e, &taken))?;
    }
    let pair = |row: &duckdb::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64));
    let editions = staging.query("read the edition", reference.editions, pair)?;
    let edition = match editions.as_slice() {
        [(edition, _)] => edition.clone(),
        [] => return Err(refused("the files do not say of which edition they are, or have no rows".into())),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            return Err(refused(format!("the files are of several editions: {}", names.join(", "))));
        }
    };
    if !edition.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') {
        return Err(refused(format!("{edition:?} is not an edition")));
    }
    let version = format!("{}-{}", edition.to_lowercase(), &hex(&hash.finalize())[..12]);
    not_older(&edition, before)?;
    let left_out = staging.query("count what cannot be used", reference.left_out, pair)?;
    let (mut kept, mut changes) = (Vec::new(), Vec::new());
    for table in reference.tables {
        let count = sql::render(sql::REFERENCE_COUNT, &[("table", table.name)]);
        let rows = staging.query("count the rows", &count, |row| row.get::<_, i64>(0))?;
        let rows = rows.first().copied().unwrap_or_default() as u64;
        if rows == 0 {
            return Err(refused(format!("no row of the files can be used for {}", table.name)));
        }
        let path = folder.join(format!("{}.parquet", table.name));
        let file = path.display().to_string();
        let variables = [("table", table.name), ("order", table.order), ("file", &file)];
        staging.execute("write the reference", sql::REFERENCE_EXPORT, &variables)?;
        if let (Some(query), Some(before)) = (table.changes, before) {
            changes.push((table.name, changed(&staging, query, table.name, before)?));
        }
        kept.push(KeptTable { table, path, rows });
    }
    let mut fills = Vec::new();
    for fill in reference.fills {
        if let Some(extra) = &fill.extra {
            if !taken.iter().any(|file| file.input == extra.input) {
                continue;
            }
            staging
                .execute("read the reference", extra.script, &variables)
                .map_err(|e| unreadable(e, &taken))?;
            no_faults(extra.input, staging.query("look for faults", extra.faults, pair)?)?;
        }
        let path = folder.join(format!("{}.csv", fill.derived.table.name));
        staging.execute("write the reference", fill.export, &[("csv", &path.display().to_string())])?;
        fills.push((fill, path));
    }
    Ok(Made { version, kept, fills, left_out, changes })
}

fn changed(
    staging: &Staging,
    query: &str,
    table: &str,
    before: &LocalReference,
) -> Result<(u64, u64), Cause> {
    let path = |name: &str| {
        let file = before.files.iter().find(|(known, _)| known == name);
        file.map(|(_, path)| path.display().to_string()).unwrap_or_default()
    };
    let (of_table, streets) = (path(table), path("streets"));
    let query = sql::render(query, &[("before", &of_table), ("streets_before", &streets)]);
    let read = |row: &duckdb::Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64));
    Ok(staging.query("compare with the reference in use", &query, read)?.first().copied().unwrap_or_default())
}

/// The rows of an optional input are taken only if all of them are good.
fn no_faults(input: &str, faults: Vec<(String, u64)>) -> Result<(), Cause> {
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.iter().map(|(reason, rows)| format!("{}: {reason}", words::counted(*rows, "row")));
    Err(refused(format!("--{input}: {}", faults.collect::<Vec<_>>().join("; "))))
}

/// An edition older than the current one is considered a mistake: `20v8` after `26v1`.
fn not_older(edition: &str, before: Option<&LocalReference>) -> Result<(), Cause> {
    let Some(before) = before else { return Ok(()) };
    let parts = |text: &str| {
        let digits = |part: &str| part.parse::<u32>().ok();
        let text = text.split('-').next()?.to_lowercase();
        let (year, number) = text.split_once('v')?;
        Some((digits(year)?, digits(number.split('.').next()?)?))
    };
    match (parts(edition), parts(&before.version)) {
        (Some(new), Some(old)) if new < old => Err(refused(format!(
            "the files are of {edition}, which is older than the reference in use ({})",
            before.version
        ))),
        _ => Ok(()),
    }
}

/// The error for a file that DuckDB cannot read: its message says which, and the first line where.
fn unreadable(error: DuckError, taken: &[Taken]) -> Cause {
    match error {
        DuckError::Refused { source, .. } => {
            let said = source.to_string();
            let first = said.lines().next().unwrap_or_default().to_owned();
            let is_named =
                |file: &&Taken| file.variables.first().is_some_and(|(_, path)| said.contains(path.as_str()));
            let file = taken.iter().find(is_named);
            let called = file.map_or("a file of the reference", |file| file.called.as_str());
            refused(format!("{called} cannot be read, it may be cut off: {first}"))
        }
        other => other.into(),
    }
}
