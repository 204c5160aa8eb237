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
use crate::transform::work::{self, WorkEnd};

/// How long giving claims back may take: a supervisor that stops the process does not wait longer.
const FAREWELL: Duration = Duration::from_secs(8);

/// Works until nothing is left, or until it is told to stop; then its claims are given back at once.
pub async fn run(config: &TransformConfig, job: &Job, server: &Server) -> Result<Exit, Failure> {
    let worker = Uuid::now_v7();
    let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
    let resident = work::watch(config, job);
    let end = tokio::select! {
        end = work::work(config, &server.url, job, worker, &resident) => end?,
        () = resident.passed() => {
            work::pass(config, &server.url, worker, &resident).await?;
            return Err(anew().into());
        }
        () = interrupt.arrives() => {
            let left = tokio::time::timeout(FAREWELL, work::leave(config, &server.url, worker)).await;
            if !matches!(left, Ok(Ok(()))) {
                tracing::warn!("its claims could not be given back; they go to others when the lease runs out");
            }
            say(&show::stopped(job, matches!(left, Ok(Ok(())))));
            return Ok(Exit::Interrupted);
        }
    };
    say(&show::end(job, &end));
    Ok(exit(&end))
}

/// Starts this process anew, which is the only way to give all of its memory back; returns only if that is not possible.
fn anew() -> Cause {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Cause::io("find this program")(error),
    };
    Cause::io("start the worker anew")(Command::new(program).args(std::env::args_os().skip(1)).exec())
}

/// The exit code for the way a worker ended.
pub fn exit(end: &WorkEnd) -> Exit {
    match end {
        WorkEnd::InPlace { .. } => Exit::Done,
        WorkEnd::Poison { .. } | WorkEnd::Changed { .. } => Exit::SomeFailed,
        WorkEnd::Paused => Exit::Locked,
    }
}
