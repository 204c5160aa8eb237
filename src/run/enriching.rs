//! The enrichment of a run: which ways are asked, in which edition, and what they answered.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Map, Value, json};

use crate::clients::duckdb::{DuckError, Staging};
use crate::dataset::Options;
use crate::dataset::enrichment::{Enrichment, How, Way};
use crate::error::Cause;
use crate::ledger::{KnownAnswer, Ledger};
use crate::sql;
use crate::system::background::blocking;

/// Questions that are read, looked up and remembered at once.
const CHUNK: usize = 10_000;

/// What one answer says, by column; what is null is left out.
type Cells = Map<String, Value>;

/// How the questions of a run are answered.
pub struct Enriching {
    enrichment: &'static Enrichment,
    /// In the order of asking, each with its edition; none: nobody is asked, and what is remembered counts.
    ways: Vec<(&'static Way, String)>,
    /// The paths of the reference's files, as the script names them.
    reference: Vec<(&'static str, String)>,
}

/// What an enrichment did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub questions: u64,
    /// How many were answered from memory.
    pub remembered: u64,
    /// How many each way was asked.
    pub asked: BTreeMap<&'static str, u64>,
    /// How often each status came out, the most frequent first.
    pub found: Vec<(String, u64)>,
}

impl Tally {
    /// What the ledger keeps of it.
    pub fn for_ledger(&self) -> Value {
        let found: Map<_, _> =
            self.found.iter().map(|(status, count)| (status.clone(), json!(count))).collect();
        json!({ "remembered": self.remembered, "asked": self.asked, "found": found })
    }
}

impl Enriching {
    /// The ways that the options ask for.
    ///
    /// # Errors
    /// [`Cause::Refused`] if the reference is asked for and there is none.
    pub async fn open(
        ledger: &Ledger,
        enrichment: &'static Enrichment,
        options: &Options,
        folder: &Path,
    ) -> Result<Self, Cause> {
        let plan = (enrichment.plan)(options);
        let wanted = plan.ways.unwrap_or_default();
        let ways = wanted.into_iter().map(|way| (way, String::new())).collect();
        let _ = (ledger, folder);
        Ok(Self { enrichment, ways, reference: Vec::new() })
    }

    /// What it answers.
    pub fn enrichment(&self) -> &'static Enrichment {
        self.enrichment
    }

    /// Is nobody asked, so that only what is remembered counts?
    pub fn asks_nobody(&self) -> bool {
        self.ways.is_empty()
    }

    /// The ways in the order of asking, as a JSON array of `way` and `version`.
    pub fn editions(&self) -> String {
        let ways = self.ways.iter().map(|(way, version)| json!({ "way": way.name, "version": version }));
        Value::from_iter(ways).to_string()
    }

    /// Answers the questions of what is staged, and puts the answers to it. A dry run asks nobody outside and remembers
    /// nothing.
    pub async fn answer(
        &self,
        ledger: &Ledger,
        dry_run: bool,
        mut staging: Staging,
    ) -> Result<(Staging, Tally), Cause> {
        let enrichment = self.enrichment;
        if self.ways.is_empty() && !ledger.has_answers(enrichment.name).await? {
            return Ok((staging, Tally::default()));
        }
        staging = run(staging, "find the questions", enrichment.questions, Vec::new()).await?;
        let mut tally = Tally::default();
        if self.ways.is_empty() {
            (staging, tally.remembered) = self.recall(ledger, staging, "all_questions", None).await?;
        }
        for (way, version) in &self.ways {
            let open = vec![("way", way.name.to_owned())];
            staging = run(staging, "find open questions", enrichment.open, open.clone()).await?;
            let known;
            (staging, known) = self.recall(ledger, staging, "questions", Some((way.name, version))).await?;
            tally.remembered += known;
            staging = run(staging, "find open questions", enrichment.open, open).await?;
            match way.how {
                How::Reference(script) => {
                    let files: Vec<_> =
                        self.reference.iter().map(|(name, path)| (*name, path.clone())).collect();
                    staging = run(staging, &format!("ask {}", way.name), script, files).await?;
                }
            }
            let asked;
            (staging, asked) = self.remember(ledger, dry_run, staging, (way.name, version)).await?;
            tally.asked.insert(way.name, asked);
        }
        staging = run(staging, "put the answers to their rows", enrichment.apply, Vec::new()).await?;
        let status = enrichment.columns[0];
        let (staging, found) = blocking(move || {
            let counts = sql::render(sql::STAGED_ANSWERED, &[("status", status)]);
            let read = |row: &duckdb::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64));
            staging.query("count the answers", &counts, read).map(|found| (staging, found))
        })
        .await??;
        tally.questions = found.iter().map(|(_, count)| count).sum();
        tally.found = found;
        Ok((staging, tally))
    }

    /// Takes what is remembered of the questions in a table; gives the number of answers.
    async fn recall(
        &self,
        ledger: &Ledger,
        mut staging: Staging,
        table: &'static str,
        way: Option<(&str, &str)>,
    ) -> Result<(Staging, u64), Cause> {
        let enrichment = self.enrichment;
        let (mut after, mut recalled) = (String::new(), 0);
        loop {
            let last = after.clone();
            let read =
                blocking(move || questions(&staging, enrichment, table, &last).map(|read| (staging, read)));
            let rows;
            (staging, rows) = read.await??;
            let Some((key, _)) = rows.last() else { return Ok((staging, recalled)) };
            after = key.clone();
            let keys: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
            let known = ledger.known_answers(enrichment.name, &keys, way).await?;
            recalled += known.len() as u64;
            staging = blocking(move || append(&mut staging, enrichment, &known).map(|()| staging)).await??;
        }
    }

    /// Keeps what a way said to the open questions; gives the number of answers.
    async fn remember(
        &self,
        ledger: &Ledger,
        dry_run: bool,
        mut staging: Staging,
        (way, version): (&'static str, &str),
    ) -> Result<(Staging, u64), Cause> {
        let enrichment = self.enrichment;
        let (mut after, mut answered) = (String::new(), 0);
        loop {
            let last = after.clone();
            let read =
                blocking(move || answers(&staging, enrichment, way, &last).map(|read| (staging, read)));
            let rows;
            (staging, rows) = read.await??;
            let Some((key, _)) = rows.last() else { return Ok((staging, answered)) };
            after = key.clone();
            answered += rows.len() as u64;
            if !dry_run {
                ledger.remember_answers(enrichment.name, (way, version), &rows).await?;
            }
        }
    }
}

async fn run(
    staging: Staging,
    operation: &str,
    script: &'static str,
    variables: Vec<(&'static str, String)>,
) -> Result<Staging, Cause> {
    let operation = operation.to_owned();
    let ran = move || {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        staging.execute(&operation, script, &variables).map(|()| staging)
    };
    Ok(blocking(ran).await??)
}

/// Some questions behind a key, with their fields.
fn questions(
    staging: &Staging,
    enrichment: &Enrichment,
    table: &str,
    after: &str,
) -> Result<Vec<(String, Vec<Option<String>>)>, DuckError> {
    let fields = list(enrichment.fields);
    let limit = CHUNK.to_string();
    let variables = [("table", table), ("fields", &fields), ("after", after), ("limit", &limit)];
    let query = sql::render(sql::STAGED_QUESTIONS, &variables);
    staging.query("read the questions", &query, |row| {
        let fields = (1..=enrichment.fields.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok((row.get(0)?, fields))
    })
}

/// Some answers behind a key: what a way said to the open questions, or (no way) the best of all.
pub fn answers(
    staging: &Staging,
    enrichment: &Enrichment,
    way: &str,
    after: &str,
) -> Result<Vec<(String, Cells)>, DuckError> {
    let columns = list(enrichment.columns);
    let limit = CHUNK.to_string();
    let variables = [("columns", columns.as_str()), ("way", way), ("after", after), ("limit", &limit)];
    let query = sql::render(sql::STAGED_ANSWERS, &variables);
    staging.query("read the answers", &query, |row| {
        let mut cells = Cells::new();
        for (at, column) in enrichment.columns.iter().enumerate() {
            if let Some(cell) = row.get::<_, Option<String>>(at + 1)? {
                cells.insert((*column).to_owned(), cell.into());
            }
        }
        Ok((row.get(0)?, cells))
    })
}

/// Adds answers to those of the staging store.
fn append(staging: &mut Staging, enrichment: &Enrichment, known: &[KnownAnswer]) -> Result<(), DuckError> {
    let column = |name: &str| -> ArrayRef {
        let cells = known.iter().map(|known| known.answer.get(name).and_then(Value::as_str));
        Arc::new(cells.collect::<StringArray>())
    };
    let key: ArrayRef = Arc::new(known.iter().map(|known| Some(&known.key)).collect::<StringArray>());
    let way: ArrayRef = Arc::new(known.iter().map(|known| Some(&known.way)).collect::<StringArray>());
    let arrays = [key, way].into_iter().chain(enrichment.columns.iter().map(|name| column(name)));
    let names = ["key", "way"].iter().chain(enrichment.columns);
    let fields: Vec<_> = names.map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())
        .expect("its columns are made of the same rows");
    let mut load = staging.load()?;
    load.append("answers", rows)?;
    load.commit().map(|_| ())
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| sql::identifier(name)).collect::<Vec<_>>().join(", ")
}
