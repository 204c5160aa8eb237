//! `merganser status`: what ran, from the ledger.

use serde_json::json;

use super::show;
use super::terminal::{pretty, say};
use crate::cli::StatusArgs;
use crate::config::DatabaseConfig;
use crate::datasets;
use crate::error::{Cause, Exit, Failure};
use crate::ledger::inspect::{FailureFilter, Reader};
use crate::run::server::Server;

/// Shows the last runs, or everything about one run, file or record.
pub async fn status(args: StatusArgs) -> Result<Exit, Failure> {
    let config = DatabaseConfig::new(&args.database)?;
    let server = Server::open(&config.url).await?;
    let shown = async {
        let reader = Reader::open(&server.url, &config.ledger_schema).await?;
        if args.timings {
            return timings(&reader, &args).await;
        }
        let Some(subject) = &args.subject else {
            let runs = reader.runs(args.last.into()).await?;
            let open = reader.open_failures().await?;
            if args.json {
                return Ok(pretty(&json!(runs)));
            }
            let kept = show::before_images(reader.before_images().await?);
            return Ok(show::runs(&runs, open, &kept));
        };
        if let Some(run) = reader.run(subject).await? {
            return Ok(match args.json {
                true => pretty(&run),
                false => show::run(&run, reader.open_failures().await?),
            });
        }
        let files = reader.file(subject).await?;
        if !files.is_empty() {
            return Ok(if args.json { pretty(&json!(files)) } else { show::file(&files) });
        }
        let mut origins = reader.origin(subject).await?;
        for origin in &mut origins {
            let text = |name: &str| origin[name].as_str().unwrap_or_default();
            let there = match datasets::named(text("dataset")) {
                Some(dataset) => reader.has_record(dataset, text("target_schema"), text("record_id")).await,
                None => None,
            };
            origin["in_production"] = json!(there);
        }
        if !origins.is_empty() {
            return Ok(if args.json { pretty(&json!(origins)) } else { show::origin(&origins) });
        }
        let filter =
            FailureFilter { record_id: Some(subject.clone()), settled: true, ..FailureFilter::default() };
        let failures = reader.failures(&filter).await?;
        if !failures.is_empty() {
            return Ok(if args.json { pretty(&json!(failures)) } else { show::failures(&failures, &[]) });
        }
        Err(Cause::Usage {
            message: format!("the ledger knows no run, file or record `{subject}`"),
            hint: Some("merganser status lists the runs; of a deleted record nothing is kept".into()),
        })
    }
    .await;
    server.close().await;
    say(&shown?);
    Ok(Exit::Done)
}

/// The cost of the steps of one run, or of the last ones.
async fn timings(reader: &Reader, args: &StatusArgs) -> Result<String, Cause> {
    let run = match &args.subject {
        None => None,
        Some(name) => Some(reader.run_id(name).await?),
    };
    let runs = reader.timings(args.last.into(), run).await?;
    Ok(match (run.and(runs.first()), args.json) {
        (Some(run), true) => pretty(run),
        (Some(run), false) => show::timing(run),
        (None, true) => pretty(&json!(runs)),
        (None, false) => show::timings(&runs),
    })
}
