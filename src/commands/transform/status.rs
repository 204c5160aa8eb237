//! `merganser transform status`: how far a job is.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::show;
use crate::cli::JobStatusArgs;
use crate::commands::terminal::{pretty, say};
use crate::config::TransformConfig;
use crate::error::{Cause, Exit, Failure};
use crate::ledger;
use crate::run::server::Server;
use crate::transform::job::Job;
use crate::transform::session::JobSession;
use crate::transform::status::{newest, status};
use crate::transform::versions::VersionTable;

/// Shows it once, or again every second as long as workers are active.
pub async fn run(
    config: &TransformConfig,
    job: &Job,
    server: &Server,
    args: &JobStatusArgs,
) -> Result<Exit, Failure> {
    let session = JobSession::open(&server.url, &config.database, "status").await?;
    ledger::is_usable(&session.connection, &config.database.ledger_schema).await?;
    let mut is_said = false;
    loop {
        let version = match newest(&session, job).await {
            // `--watch` may be started before the plan.
            Err(Cause::Refused { message, .. }) if args.watch => {
                if !is_said {
                    tracing::info!("{message} yet: waiting for it");
                    is_said = true;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            version => version?,
        };
        let mut found = status(&session, &version).await?;
        if let Some(lost) = VersionTable::look(&session, version.version_id).await?.lost(job, &version) {
            found["error"] = lost.to_string().into();
        }
        let text = match (args.json, args.watch) {
            // One object per line, for a program that reads them as they come.
            (true, true) => format!("{found}\n"),
            (true, false) => pretty(&found),
            (false, _) => show::status(job, &version, &found),
        };
        if args.watch && !args.json && std::io::stdout().is_terminal() {
            // Moves the cursor home and clears the screen.
            say("\x1b[H\x1b[J");
        }
        say(&text);
        let goes_on =
            ["running", "planned", "stopped"].contains(&found["state"].as_str().unwrap_or_default());
        if !args.watch || !goes_on {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
