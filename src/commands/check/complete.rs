//! `merganser check DATASET --complete`: is every node of every history there that should be?

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::CheckArgs;
use crate::commands::terminal::{pretty, say};
use crate::config::RunConfig;
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::run::walk::{self, HistoryProof};

/// Proves it, or says what is missing.
///
/// # Errors
/// A dataset without histories; a database or a service that cannot be asked.
pub(super) async fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let mut config = RunConfig::from_run(&args.run)?;
    let server = Server::open(&config.target.database.url).await?;
    let proved = prove(&mut config, &server).await;
    server.close().await;
    let Some(proofs) = proved? else {
        let dataset = config.target.dataset.name;
        return Err(Cause::usage(format!("{dataset} has no histories of which --complete could tell")).into());
    };
    let is_complete = !proofs.is_empty() && proofs.iter().all(|proof| proof.faults.is_empty());
    say(&if args.json { as_json(&proofs, is_complete) } else { render(&proofs, is_complete) });
    Ok(if is_complete { Exit::Done } else { Exit::Failed })
}

async fn prove(config: &mut RunConfig, server: &Server) -> Result<Option<Vec<HistoryProof>>, Cause> {
    let place = (&server.url, config.target.database.schema.as_str());
    let walked = config.target.dataset.walked;
    walk::take_list(walked, place, &mut config.from, &mut config.processing.options).await?;
    walk::prove(config, &server.url).await
}

fn as_json(proofs: &[HistoryProof], is_complete: bool) -> String {
    let histories = proofs
        .iter()
        .map(|proof| json!({ "name": proof.name, "found": proof.found, "faults": proof.faults }));
    pretty(&json!({ "complete": is_complete, "histories": histories.collect::<Vec<_>>() }))
}

fn render(proofs: &[HistoryProof], is_complete: bool) -> String {
    let mut text = String::new();
    for proof in proofs {
        let state = if proof.faults.is_empty() { "ok" } else { "FAIL" };
        let _ = writeln!(text, "{state:<4}  {}: {}", proof.name, proof.found);
        for fault in &proof.faults {
            let _ = writeln!(text, "      {fault}");
        }
    }
    let _ = match is_complete {
        true => writeln!(text, "All is there: every head, every parent, and no mark is wrong."),
        false => writeln!(text, "Not all is there; a run asks for what is missing."),
    };
    text
}
