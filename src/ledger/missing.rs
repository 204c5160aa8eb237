//! Records that are in production according to the ledger, and that somebody else has deleted there.

use std::time::Duration;

use tokio_postgres::types::ToSql;

use crate::clients::postgres::{Connection, PgError, classify};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::sql;
use crate::words::{count, counted};

/// How many files are named.
const NAMED: usize = 3;

/// Such records, by the file that each came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingRecords {
    /// The files with the most of them first.
    files: Vec<(String, u64)>,
}

impl MissingRecords {
    /// How many there are.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|(_, records)| records).sum()
    }

    /// In words: how many records, and how many of which files.
    pub fn describe(&self, record: &str) -> String {
        let named = self.files.iter().take(NAMED);
        let mut named: Vec<_> =
            named.map(|(file, records)| format!("{} of {file}", count(*records))).collect();
        if let Some(others) = self.files.len().checked_sub(NAMED).filter(|others| *others > 0) {
            named.push(format!("the others of {}", counted(others as u64, "other file")));
        }
        format!("{} ({})", counted(self.records(), record), named.join(", "))
    }

    /// The commands that load them again, a line each.
    pub fn commands(&self, dataset: &Dataset) -> String {
        let named = self.files.iter().take(NAMED);
        let lines: Vec<_> = named.map(|(file, _)| reload(dataset, file)).collect();
        lines.join("\n")
    }
}

/// The command that loads the records of a file again.
pub fn reload(dataset: &Dataset, file: &str) -> String {
    match dataset.is_archived(file) {
        true => format!("merganser reprocess {} '{file}' --force", dataset.typed()),
        false => dataset.read_again(""),
    }
}

/// Looks for such records, for `limit` at most; `None`: that was not enough. For a dataset whose parts replace one another
/// the ledger knows no single records, so none is missing.
///
/// # Errors
/// Any other error of the database.
pub async fn missing_records(
    connection: &mut Connection,
    database: &DatabaseConfig,
    dataset: &Dataset,
    limit: Duration,
) -> Result<Option<MissingRecords>, PgError> {
    if dataset.is_replaced() {
        return Ok(Some(MissingRecords::default()));
    }
    let failed = |error| classify(error, "look for records that are missing");
    let transaction = connection.limited(true, limit).await.map_err(failed)?;
    let variables = [
        ("ledger", database.ledger_schema.as_str()),
        ("schema", &database.schema),
        ("table", dataset.parent().name),
        ("key", dataset.key()),
    ];
    let text = sql::render(sql::LEDGER_MISSING, &variables);
    let values: [&(dyn ToSql + Sync); 2] = [&dataset.name, &database.schema];
    let rows = match transaction.query(&text, &values).await.map_err(failed) {
        Err(PgError::Timeout(_)) => return Ok(None),
        rows => rows?,
    };
    transaction.rollback().await.map_err(failed)?;
    let files = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<_, i64>(1)? as u64)));
    let files = files.collect::<Result<_, tokio_postgres::Error>>().map_err(failed)?;
    Ok(Some(MissingRecords { files }))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::datasets::oca::OCA;

    #[test]
    fn three_files_are_named() {
        let files = |names: &str| MissingRecords {
            files: names.chars().map(|name| (format!("{name}.zip"), 2)).collect(),
        };
        assert_eq!(files("a").describe("case"), "2 cases (2 of a.zip)");
        assert_eq!(
            files("abcde").describe("case"),
            "10 cases (2 of a.zip, 2 of b.zip, 2 of c.zip, the others of 2 other files)"
        );
        assert_eq!(files("abcde").commands(&OCA).lines().count(), 3);
        assert_eq!(files("a").commands(&OCA), "merganser reprocess oca 'a.zip' --force");
    }
}
