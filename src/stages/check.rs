//! Check: what only SQL over all staged rows can see; then the ledger learns what failed.
//!
//! In: [`Staged`]. Out: [`Checked`]. A failure changes nothing but the ledger: failed records are noted on its own
//! connection and stay noted whatever becomes of the run.

mod empty;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::fetch::{Fetched, FetchedFile};
use super::parse::{Staged, StagedFile};
use super::select::AskedFor;
use crate::clients::duckdb::{DuckError, Staging};
use crate::clients::postgres;
use crate::error::Cause;
use crate::ledger::{Kind, NewFailure, PartFindings};
use crate::run::context::RunContext;
use crate::run::inputs::copy_to_file;
use crate::run::links;
use crate::schema::has_table;
use crate::system::background::blocking;
use crate::words;
use crate::{fault, sql};

/// Failed records that go to the ledger in one statement.
const CHUNK: usize = 200;

/// Staged rows that passed; what failed is in the ledger.
pub struct Checked {
    /// The files that could be read.
    fetched: Fetched,
    /// The files that could not.
    unreadable: Vec<FetchedFile>,
    /// Why, one reason each.
    reasons: Vec<String>,
    staging: Staging,
    failures: Failures,
    new_elements: BTreeMap<String, u64>,
    deleted_with_data: u64,
}

/// What cannot be loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Failures {
    pub records: u64,
    pub files: usize,
    pub incomplete_files: usize,
}

impl Failures {
    /// Files that could not be read, or not to their end.
    pub fn all_files(&self) -> u64 {
        (self.files + self.incomplete_files) as u64
    }
}

impl Checked {
    /// Of which batch it is.
    pub(super) fn batch(&self) -> i32 {
        self.fetched.batch()
    }

    /// Files that could not be read.
    pub(super) fn unreadable(&self) -> &[FetchedFile] {
        &self.unreadable
    }

    /// The files that could be read, and what is staged of them.
    pub(super) fn into_parts(self) -> (Fetched, Staging) {
        (self.fetched, self.staging)
    }

    /// Can nothing of the batch be loaded?
    pub fn is_unreadable(&self) -> bool {
        self.fetched.files().is_empty()
    }

    /// Sees that no part is missing of what is taken together.
    ///
    /// # Errors
    /// [`Cause::Refused`] with the parts that cannot be read.
    pub fn admit(&self, context: &RunContext) -> Result<(), Cause> {
        if context.dataset().together().is_none() || self.unreadable.is_empty() {
            return Ok(());
        }
        Err(Cause::Refused {
            message: format!(
                "files that are loaded together cannot be read:\n    {}",
                self.reasons.join("\n    ")
            ),
            hint: Some("correct it at its source, then run again; the data loaded last stays".into()),
        })
    }

    /// How many files can be loaded, wholly or in part.
    pub fn readable_files(&self) -> usize {
        self.fetched.files().len()
    }

    /// Elements that no column takes and no earlier run saw: how often each came.
    pub fn new_elements(&self) -> &BTreeMap<String, u64> {
        &self.new_elements
    }

    /// How many deleted records came with data beside their delete, which is not loaded.
    pub fn deleted_with_data(&self) -> u64 {
        self.deleted_with_data
    }

    /// What cannot be loaded.
    pub fn failures(&self) -> Failures {
        self.failures
    }
}

/// Records of one file.
struct StagedCounts {
    file_no: i64,
    good: u64,
    failed: u64,
}

/// Runs the dataset's checks and enters failed records and each file's counts in the ledger.
pub async fn check(context: &RunContext, staged: Staged) -> Result<Checked, Cause> {
    let step = context.begin(staged.batch(), "check").await?;
    fault::point!("check.begin");
    let (batch, folder, files, staging, is_again) = staged.into_parts();
    // With a part missing of what is taken together, the rows of the others would refer to nothing.
    let is_whole = context.dataset().together().is_none() || files.iter().all(|file| file.parsed.is_ok());
    let script = context.dataset().scripts.check.filter(|_| is_whole);
    let is_undecided = matches!(context.target.kind, Kind::Run | Kind::Retry).to_string();
    let known = take_known(context, &folder).await?;
    let (staging, looked) = match is_whole {
        true => links::look(context, staging, is_again).await?,
        false => (staging, None),
    };
    let (mut staging, counts) = blocking(move || {
        if let Some((table, file)) = known {
            let variables = [("known", format!("known_{table}")), ("file", file.display().to_string())];
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            staging.execute("take in what production knows", sql::STAGED_KNOWN, &variables)?;
        }
        if let Some(script) = script {
            staging.execute("run the checks", script, &[("is_undecided", &is_undecided)])?;
        }
        let counts = counts(&staging)?;
        Ok::<_, DuckError>((staging, counts))
    })
    .await??;

    // The second time, the ledger has them all.
    if !is_again {
        staging = note_failures(context, &files, staging).await?;
    }
    let doubtful = empty::doubtful(context, &files).await?;
    let mut failures = Failures::default();
    for file in &files {
        let count = counts.iter().find(|count| count.file_no == i64::from(file.fetched.file_no));
        let (good, failed) = count.map_or((0, 0), |count| (count.good, count.failed));
        if context.dataset().is_replaced() {
            confirm_staged(file, good + failed)?;
        }
        let is_doubtful = doubtful.contains(&file.fetched.part_id);
        note_file(context, file, (good, failed), is_doubtful, is_again).await?;
        fault::point!("check.file");
        failures.records += failed;
        match &file.parsed {
            Err(_) => failures.files += 1,
            Ok(parsed) if !parsed.complete => failures.incomplete_files += 1,
            Ok(_) => {}
        }
    }
    let mut what = format!(
        "{}, {}",
        words::counted(failures.records, "failed record"),
        words::counted(failures.files as u64, "unreadable file")
    );
    let mut details = json!({
        "failed_records": failures.records,
        "unreadable_files": failures.files,
        "incomplete_files": failures.incomplete_files,
    });
    if let Some(looked) = looked {
        what += &format!("; {}", looked.said());
        details["links"] = looked.for_ledger();
    }
    step.done(&what, failures.records, 0, details).await?;
    fault::point!("check.end");
    let new_elements = new_elements(context, &files).await?;
    let deleted_with_data =
        |file: &StagedFile| file.parsed.as_ref().map_or(0, |parsed| parsed.deleted_with_data);
    let deleted_with_data = files.iter().map(deleted_with_data).sum();
    let reasons = files.iter().filter_map(|file| file.parsed.as_ref().err().cloned()).collect();
    let (files, unreadable): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.parsed.is_ok());
    let fetched = |files: Vec<StagedFile>| files.into_iter().map(|file| file.fetched).collect();
    Ok(Checked {
        fetched: Fetched::readable(batch, folder, fetched(files)),
        unreadable: fetched(unreadable),
        reasons,
        staging,
        failures,
        new_elements,
        deleted_with_data,
    })
}

/// Enters what failed in the ledger.
async fn note_failures(
    context: &RunContext,
    files: &[StagedFile],
    mut staging: Staging,
) -> Result<Staging, Cause> {
    let mut noted = 0;
    loop {
        let (same, rows) =
            blocking(move || failed_rows(&staging, noted).map(|rows| (staging, rows))).await??;
        staging = same;
        if rows.is_empty() {
            return Ok(staging);
        }
        noted += rows.len();
        let rows: Vec<_> = rows.into_iter().map(|(file_no, row)| with_file(files, file_no, row)).collect();
        context.ledger.add_failures(&rows).await?;
        fault::point!("check.failures");
        if context.processing.fail_fast {
            let of = |file: &&StagedFile| file.fetched.part_id == rows[0].part_id;
            let file = files.iter().find(of).map(|file| file.fetched.name.clone()).unwrap_or_default();
            let record = format!("record {}: {}", rows[0].ordinal, rows[0].reason);
            return Err(Cause::Record { file, record });
        }
    }
}

/// Elements of these files that no column takes and no earlier run saw.
async fn new_elements(context: &RunContext, files: &[StagedFile]) -> Result<BTreeMap<String, u64>, Cause> {
    let mut seen = BTreeMap::new();
    for parsed in files.iter().filter_map(|file| file.parsed.as_ref().ok()) {
        for (path, unknown) in &parsed.unknown {
            *seen.entry(path.clone()).or_default() += unknown.count;
        }
    }
    if !seen.is_empty() {
        let new = context.ledger.new_elements(seen.keys().cloned().collect()).await?;
        seen.retain(|path, _| new.contains(path));
    }
    Ok(seen)
}

fn counts(staging: &Staging) -> Result<Vec<StagedCounts>, DuckError> {
    staging.query("count the records", sql::STAGED_COUNTS, |row| {
        Ok(StagedCounts {
            file_no: row.get(0)?,
            good: row.get::<_, i64>(1)? as u64,
            failed: row.get::<_, i64>(2)? as u64,
        })
    })
}

/// Some failed records with the number of their file, beginning after the first `skip`.
fn failed_rows(staging: &Staging, skip: usize) -> Result<Vec<(i64, NewFailure)>, DuckError> {
    let query =
        sql::render(sql::STAGED_FAILURES, &[("limit", &CHUNK.to_string()), ("offset", &skip.to_string())]);
    staging.query("read the failed records", &query, |row| {
        let failure = NewFailure {
            part_id: 0,
            record_id: row.get(1)?,
            ordinal: row.get(2)?,
            offset_bytes: row.get(3)?,
            table: row.get(4)?,
            field: row.get(5)?,
            value: row.get(6)?,
            reason: row.get(7)?,
            fragment: row.get(8)?,
            suggestion: row.get(9)?,
        };
        Ok((row.get(0)?, failure))
    })
}

fn with_file(files: &[StagedFile], file_no: i64, failure: NewFailure) -> NewFailure {
    let file = files.iter().find(|file| i64::from(file.fetched.file_no) == file_no);
    let part_id = file.expect("a failed record is of a file of its batch").fetched.part_id;
    NewFailure { part_id, ..failure }
}

/// Holds what is staged of a part that takes the place of all that was there against what the parser has seen: a record that
/// was lost on the way would be deleted.
fn confirm_staged(file: &StagedFile, staged: u64) -> Result<(), Cause> {
    match (&file.parsed, &file.fetched.asked) {
        (Ok(parsed), Some(AskedFor { records: Some(records), .. })) if parsed.records_seen != *records => {
            Err(Cause::Refused {
                message: format!(
                    "{} has {}, not the {} asked for: nothing of it is loaded",
                    file.fetched.name,
                    words::counted(parsed.records_seen, "record"),
                    words::count(*records)
                ),
                hint: Some("the archive is damaged: remove the part there, and run again".into()),
            })
        }
        (Ok(parsed), _) if parsed.records_seen > staged => Err(Cause::Refused {
            message: format!(
                "{} has {}, and only {} staged or failed: nothing of it is loaded",
                file.fetched.name,
                words::counted(parsed.records_seen, "record"),
                words::count(staged)
            ),
            hint: Some(
                "report this with the file: a record was lost on its way, which is a defect of merganser"
                    .into(),
            ),
        }),
        _ => Ok(()),
    }
}

/// Copies the rows of the table that the checks need out of production, into a file of the batch's folder; `None`: they need
/// none, or there is no such table yet.
async fn take_known(context: &RunContext, folder: &Path) -> Result<Option<(&'static str, PathBuf)>, Cause> {
    let Some(name) = context.dataset().scripts.known else { return Ok(None) };
    let operation = format!("read what production knows in {name}");
    let connection = postgres::connect(&context.database, "check").await?;
    let (schema, watch) = (&context.target.database.schema, connection.watch());
    if !has_table(&*connection, &watch, (schema, name), &operation).await? {
        return Ok(None);
    }
    let table = context.dataset().own_tables().find(|table| table.name == name);
    let columns = table.map(sql::columns).unwrap_or_default();
    let statement =
        sql::render(sql::LOAD_KNOWN, &[("schema", schema), ("table", name), ("columns", &columns)]);
    let rows = watch.answer(&operation, connection.copy_out(&statement)).await?;
    let path = folder.join(format!("known_{name}.csv"));
    copy_to_file(rows, &watch, &operation, &path).await?;
    Ok(Some((name, path)))
}

/// Enters what was found in a file: its good and failed records. `is_doubtful`: it has none, and production does.
async fn note_file(
    context: &RunContext,
    file: &StagedFile,
    (good, failed): (u64, u64),
    is_doubtful: bool,
    is_again: bool,
) -> Result<(), Cause> {
    let name = &file.fetched.name;
    let findings = match &file.parsed {
        Err(reason) => PartFindings {
            readable: false,
            records_seen: 0,
            records_failed: 0,
            unknown: json!({}),
            error: Some(reason.clone()),
        },
        Ok(parsed) => {
            if !is_again {
                warn_of(context, file);
            }
            let record = context.dataset().record;
            let empty = is_doubtful.then(|| {
                let warning = format!("{name} holds no {record}, and production does: is that right?");
                if !is_again {
                    tracing::warn!(run_id = %context.run_id, file = name, "{warning}");
                }
                warning
            });
            let breaks_off = || format!("{name}: the document breaks off; what came before is loaded");
            PartFindings {
                readable: true,
                records_seen: good + failed,
                records_failed: failed,
                unknown: json!(parsed.unknown),
                error: if parsed.complete { empty } else { Some(breaks_off()) },
            }
        }
    };
    context.ledger.part_parsed(file.fetched.part_id, &findings).await?;
    context.ledger.close_failed_again(file.fetched.part_id).await
}

/// What a person should know of a file although it can be loaded.
fn warn_of(context: &RunContext, file: &StagedFile) {
    let Ok(parsed) = &file.parsed else { return };
    let (run_id, name) = (context.run_id, &file.fetched.name);
    let named = file.fetched.meaning.run_date;
    if let Some(date) = parsed.run_date.filter(|date| named.is_some_and(|named| named != *date)) {
        tracing::warn!(%run_id, file = name, "{name}: the run date inside the file is {date}; the one in its name is used");
    }
}
