//! The questions and answers of an enrichment in the staging store, some at a time.

use arrow::array::StringArray;
use serde_json::Value;

use crate::clients::duckdb::{DuckError, Staging};
use crate::dataset::ask::Question;
use crate::dataset::enrichment::{Cells, Enrichment};
use crate::error::Cause;
use crate::ledger::KnownAnswer;
use crate::sql;
use crate::system::background::blocking;

/// Questions that are read, looked up and remembered at once.
const CHUNK: usize = 10_000;

/// How many questions are looked up in the reference at once with this much memory: the memory for reading the
/// reference is set aside, and each question takes some 400 bytes of the rest. Smaller portions would read the
/// reference more often.
pub fn portion(memory_mib: u64) -> u64 {
    const REFERENCE_MIB: u64 = 56;
    ((memory_mib.saturating_sub(REFERENCE_MIB) << 20) / 400).clamp(20_000, 1_000_000)
}

/// The portions of `questions` questions, `size` in each, as the variables of the scripts: `from` and `to`, the first
/// and the last rowid.
pub fn portions(questions: u64, size: u64) -> impl Iterator<Item = [(String, String); 2]> {
    let last = questions.saturating_sub(1);
    (0..questions).step_by(size as usize).map(move |from| {
        let to = (from + size - 1).min(last);
        [("from".to_owned(), from.to_string()), ("to".to_owned(), to.to_string())]
    })
}

/// The number of questions that are open.
pub fn open_questions(staging: &Staging) -> Result<u64, DuckError> {
    let read = |row: &duckdb::Row<'_>| row.get::<_, i64>(0);
    let count = staging.query("count the questions", sql::STAGED_OPEN, read)?;
    Ok(count.first().map_or(0, |count| *count as u64))
}

/// Runs a script of an enrichment; `operation` completes the sentence "cannot …".
pub async fn run_script(
    staging: Staging,
    operation: &str,
    script: &'static str,
    variables: Vec<(String, String)>,
) -> Result<Staging, Cause> {
    let operation = operation.to_owned();
    let ran = move || {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        staging.execute(&operation, script, &variables).map(|()| staging)
    };
    Ok(blocking(ran).await??)
}

/// The next questions after a key.
pub fn questions(
    staging: &Staging,
    enrichment: &Enrichment,
    table: &str,
    after: &str,
) -> Result<Vec<Question>, DuckError> {
    let fields = sql::identifiers(enrichment.fields.iter().copied());
    let limit = CHUNK.to_string();
    let variables = [("table", table), ("fields", &fields), ("after", after), ("limit", &limit)];
    let query = sql::render(sql::STAGED_QUESTIONS, &variables);
    staging.query("read the questions", &query, |row| {
        let fields = (1..=enrichment.fields.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok(Question { key: row.get(0)?, fields })
    })
}

/// The next answers after a key: those that one way has given now, or (without a way) the best of all.
pub fn answers(
    staging: &Staging,
    enrichment: &Enrichment,
    way: &str,
    after: &str,
) -> Result<Vec<(String, Cells)>, DuckError> {
    let columns = sql::identifiers(enrichment.columns.iter().copied());
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

/// Writes into the staging store which ways are named, with their editions, in their order.
pub fn name_ways(staging: &mut Staging, ways: &[(&str, String)]) -> Result<(), DuckError> {
    if ways.is_empty() {
        return Ok(());
    }
    let way = StringArray::from_iter_values(ways.iter().map(|(way, _)| way));
    let version = StringArray::from_iter_values(ways.iter().map(|(_, version)| version));
    let mut load = staging.load()?;
    load.append_texts("ways", vec![("way", way), ("version", version)])?;
    load.commit().map(|_| ())
}

/// Adds answers to those of the staging store.
pub fn append(
    staging: &mut Staging,
    enrichment: &Enrichment,
    known: &[KnownAnswer],
) -> Result<(), DuckError> {
    let key = StringArray::from_iter_values(known.iter().map(|known| &known.key));
    let way = StringArray::from_iter_values(known.iter().map(|known| &known.way));
    let version = known.iter().map(|known| known.version.as_deref()).collect();
    let said = enrichment.columns.iter().map(|name| {
        let cells = known.iter().map(|known| known.answer.get(*name).and_then(Value::as_str));
        (*name, cells.collect::<StringArray>())
    });
    let columns = [("key", key), ("way", way), ("version", version)].into_iter().chain(said).collect();
    let mut load = staging.load()?;
    load.append_texts("answers", columns)?;
    load.commit().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_in_one_portion() {
        let said = |questions| {
            let numbers = |[(_, from), (_, to)]: [(String, String); 2]| format!("{from}-{to}");
            portions(questions, 10).map(numbers).collect::<Vec<_>>().join(" ")
        };
        assert_eq!([0, 1, 10, 11, 25].map(said), ["", "0-0", "0-9", "0-9 10-10", "0-9 10-19 20-24"]);
    }
}
