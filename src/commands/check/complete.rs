//! `merganser check DATASET --complete`: is every node of every history there? A history whose source could not be
//! checked is not proven, whatever is stored of it.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::CheckArgs;
use crate::commands::terminal::{pretty, say};
use crate::config::RunConfig;
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::run::walk::{self, HistoryProof};

/// Proves that they are complete, or shows what is missing.
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
        return Err(Cause::usage(format!("--complete checks only histories, and {dataset} has none")).into());
    };
    let is_complete = !proofs.is_empty() && proofs.iter().all(HistoryProof::is_complete);
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
    let histories = proofs.iter().map(|proof| {
        json!({
            "name": proof.name,
            "found": proof.found,
            "faults": proof.faults,
            "not_looked_at": proof.unseen,
        })
    });
    pretty(&json!({ "complete": is_complete, "histories": histories.collect::<Vec<_>>() }))
}

fn render(proofs: &[HistoryProof], is_complete: bool) -> String {
    let mut text = String::new();
    for proof in proofs {
        let state = match (proof.is_complete(), proof.faults.is_empty()) {
            (true, _) => "ok",
            (false, true) => "SKIP",
            (false, false) => "FAIL",
        };
        let _ = writeln!(text, "{state:<4}  {}: {}", proof.name, proof.found);
        if let Some(why) = &proof.unseen {
            let _ = writeln!(text, "      not checked: {why}");
        }
        for fault in &proof.faults {
            let _ = writeln!(text, "      {fault}");
        }
    }
    let unseen = proofs.iter().filter(|proof| proof.unseen.is_some()).count();
    let is_faultless = proofs.iter().all(|proof| proof.faults.is_empty());
    let is_faulty_if_seen = proofs.iter().any(|proof| !proof.faults.is_empty() && proof.unseen.is_none());
    text += match (is_complete, proofs.is_empty(), is_faultless) {
        (true, ..) => "Complete: every head and every parent is there, and no mark is wrong.",
        (false, true, _) => "There is no history to check.",
        (false, false, true) => "Not proven: everything that could be checked is there.",
        (false, false, false) if is_faulty_if_seen => "Incomplete; the next run takes what is missing.",
        (false, false, false) => {
            "Incomplete; put right what is reported for each that could not be checked, then run again."
        }
    };
    if unseen > 0 {
        let _ = write!(text, " {unseen} of {} histories could not be checked.", proofs.len());
    }
    text.push('\n');
    text
}
