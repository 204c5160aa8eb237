//! `merganser failures`: the records that failed, from the ledger.

use serde_json::{Value, json};

use super::show;
use super::terminal::{pretty, say};
use crate::cli::FailuresArgs;
use crate::config::DatabaseConfig;
use crate::datasets::{self, in_table};
use crate::error::{Cause, Exit, Failure};
use crate::ledger::inspect::{FailureFilter, Reader};
use crate::run::server::Server;

/// Lists failed records, or shows one.
pub async fn failures(args: FailuresArgs) -> Result<Exit, Failure> {
    let config = DatabaseConfig::new(&args.database)?;
    let (schema, dataset) = match (args.dataset, &args.table) {
        (Some(dataset), Some(table)) => {
            let (schema, dataset) = in_table(dataset, table).map_err(Cause::usage)?;
            (schema, Some(dataset))
        }
        (dataset, _) => (None, dataset),
    };
    let server = Server::open(&config.url).await?;
    let shown = async {
        let reader = Reader::open(&server.url, &config.ledger_schema).await?;
        let run = match &args.run {
            None => None,
            Some(name) => Some(reader.run_id(name).await?),
        };
        let filter = FailureFilter {
            run,
            file: args.file.clone(),
            dataset: dataset.map(|dataset| dataset.name.to_owned()),
            schema: schema.clone(),
            record: args.show,
            record_id: None,
            settled: args.all || args.run.is_some() || args.file.is_some(),
        };
        let rows = reader.failures(&filter).await?;
        Ok::<_, Cause>(match (args.show, rows.first()) {
            _ if args.json => pretty(&json!(rows)),
            _ if args.csv && are_sheets(&args, &rows) => show::sheets_csv(&rows),
            _ if args.csv => show::failures_csv(&rows),
            (Some(id), None) => {
                return Err(Cause::Usage {
                    message: format!("the ledger knows no failed record {id}"),
                    hint: Some("merganser failures --all lists them".into()),
                });
            }
            (Some(_), Some(row)) => show::failure(row),
            (None, _) => show::failures(&rows, &reader.unreadable(&filter).await?),
        })
    }
    .await;
    server.close().await;
    say(&shown?);
    Ok(Exit::Done)
}

/// Are all listed records from hand-kept sheets?
fn are_sheets(args: &FailuresArgs, rows: &[Value]) -> bool {
    let is_sheet = |row: &Value| {
        row["dataset"].as_str().and_then(datasets::named).is_some_and(|dataset| dataset.has_sheets)
    };
    match args.dataset {
        Some(dataset) => dataset.has_sheets,
        None => !rows.is_empty() && rows.iter().all(is_sheet),
    }
}
