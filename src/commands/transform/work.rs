//! `merganser transform work`: one worker.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use uuid::Uuid;

use super::show;
use crate::commands::terminal::say;
use crate::config::TransformConfig;
use crate::error::{Cause, Exit, Failure};
use crate::run::server::Server;
use crate::system::signals::Interrupt;
use crate::transform::job::Job;
use crate::transform::work::{self, Outgrown, WorkEnd, WorkerShare};

/// Tells a process which worker it replaces.
const OUTGROWN: &str = "MERGANSER_TRANSFORM_OUTGROWN";
/// How long giving claims back may take: a supervisor that stops the process does not wait longer.
const FAREWELL: Duration = Duration::from_secs(8);

/// Works until nothing is left, or until it is told to stop; then its claims are given back at once.
pub async fn run(config: &TransformConfig, job: &Job, server: &Server) -> Result<Exit, Failure> {
    let worker = Uuid::now_v7();
    let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
    let share = WorkerShare::watch(config, job);
    let working = async {
        if let Some(outgrown) = std::env::var(OUTGROWN).ok().as_deref().and_then(Outgrown::parse) {
            work::replace(config, &server.url, &outgrown).await?;
        }
        work::work(config, &server.url, job, worker, &share).await
    };
    let end = tokio::select! {
        end = working => end?,
        () = share.passed() => {
            let outgrown = share.outgrown(worker);
            return Err(outgrown.failure(anew(&outgrown)));
        }
        () = interrupt.arrives() => {
            let left = tokio::time::timeout(FAREWELL, work::leave(config, &server.url, worker)).await;
            if !matches!(left, Ok(Ok(()))) {
                tracing::warn!("its claims could not be given back; they go to others when the lease runs out");
            }
            say(&show::stopped(job, matches!(left, Ok(Ok(()))), config.in_place));
            return Ok(Exit::Interrupted);
        }
    };
    say(&show::end(job, &end));
    Ok(exit(&end))
}

/// Starts this process again, which is the only way to give back all of its memory at once; returns only if that fails.
fn anew(outgrown: &Outgrown) -> Cause {
    // The file may have been replaced by a newer program in the meantime; this is the one that runs.
    let program = std::env::current_exe().ok().filter(|program| program.exists());
    let program = program.unwrap_or_else(|| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(OUTGROWN, outgrown.text());
    Cause::io("start the worker anew")(command.exec())
}

/// The exit code for the way a worker ended.
pub fn exit(end: &WorkEnd) -> Exit {
    match end {
        WorkEnd::InPlace { .. } => Exit::Done,
        WorkEnd::Poison { .. } | WorkEnd::Changed { .. } => Exit::SomeFailed,
        WorkEnd::Paused => Exit::Locked,
    }
}
