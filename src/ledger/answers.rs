//! The memory of enrichments, on the ledger's connection: answers are kept even if the run fails.

use serde_json::{Map, Value, json};
use tokio_postgres::types::ToSql;

use super::{Ledger, confirm_written, decode};
use crate::error::Cause;
use crate::sql;

/// What is remembered of one question.
#[derive(Clone, Debug)]
pub struct KnownAnswer {
    pub key: String,
    /// Who answered.
    pub way: String,
    /// The edition of the way that answered; `None`: the current one.
    pub version: Option<String>,
    /// By column; nulls are left out.
    pub answer: Map<String, Value>,
}

impl Ledger {
    /// Is anything remembered of an enrichment?
    pub async fn has_answers(&self, enrichment: &str) -> Result<bool, Cause> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.dataset, &enrichment];
        let row = self.one("look for answers", sql::LEDGER_HAS_ANSWERS, &values).await?;
        Ok(row.try_get(0).map_err(decode)?)
    }

    /// The remembered answers to these questions: those of this way in this version (`None`: of any way and version).
    pub async fn known_answers(
        &self,
        enrichment: &str,
        keys: &[String],
        way: Option<(&str, &str)>,
    ) -> Result<Vec<KnownAnswer>, Cause> {
        let (way, version) = way.unzip();
        let values: [&(dyn ToSql + Sync); 5] = [&self.dataset, &enrichment, &keys, &way, &version];
        let rows = self.all("look for answers", sql::LEDGER_KNOWN_ANSWERS, &values).await?;
        let read = |row: &tokio_postgres::Row| {
            let answer: String = row.try_get(3)?;
            let answer: Map<String, Value> = serde_json::from_str(&answer).unwrap_or_default();
            Ok(KnownAnswer { key: row.try_get(0)?, way: row.try_get(1)?, version: row.try_get(2)?, answer })
        };
        let known: Vec<_> =
            rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)?;
        // An empty entry, written by somebody else, is no answer: the question is asked again.
        Ok(known.into_iter().filter(|known| !known.answer.is_empty()).collect())
    }

    /// Remembers this way's answers for these keys, in its version.
    pub async fn remember_answers(
        &self,
        enrichment: &str,
        (way, version): (&str, &str),
        answers: &[(String, Map<String, Value>)],
    ) -> Result<(), Cause> {
        let given: Vec<_> =
            answers.iter().map(|(key, answer)| json!({ "key": key, "answer": answer })).collect();
        let given = Value::from(given).to_string();
        let values: [&(dyn ToSql + Sync); 6] =
            [&self.dataset, &enrichment, &way, &version, &self.run_id, &given];
        let written = self.execute("remember answers", sql::LEDGER_REMEMBER_ANSWERS, &values).await?;
        confirm_written("answers", answers.len() as u64, written)
    }
}
