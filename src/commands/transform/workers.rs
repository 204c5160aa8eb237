//! `merganser transform run`: plans a job and starts workers on this machine, each a process of its own.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use super::{say_if_changed, show, work};
use crate::commands::terminal::say;
use crate::config::TransformConfig;
use crate::error::{Cause, Database, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::system::signals::Interrupt;
use crate::system::workspace::Workspace;
use crate::transform::job::Job;
use crate::transform::plan::{self, PlanOptions};
use crate::transform::session::JobSession;
use crate::transform::status::status;
use crate::transform::versions::{Version, newest};
use crate::transform::work::{WorkEnd, failure, given_up, past_outages};

/// How often a dead worker is started again; its partitions become poison before that.
const RESTARTS: usize = 40;
const LOOK: Duration = Duration::from_millis(500);

/// A worker's process.
struct WorkerProcess {
    child: Child,
    /// Its exit code, once it has one.
    code: Option<i32>,
}

/// Plans, starts the workers, and waits for them. One that dies is started again.
pub async fn run(
    config: &TransformConfig,
    job: &Job,
    server: &Server,
    number: usize,
    report: &Report,
) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
    // A plan that broke off has changed nothing, and is begun again.
    let version = past_outages(false, async || {
        let session = JobSession::open_ledger(&server.url, &config.database).await?;
        let looking = JobSession::open(&server.url, &config.database, "transform").await?;
        let workspace = Workspace::create(&config.worker.work_dir)?;
        let options = PlanOptions::new(config, &looking, workspace.path());
        let (version, is_new) = plan::ensure(&session, job, &options).await?;
        say(&show::plan(job, &version, is_new));
        say_if_changed(&session, job, &version).await;
        Ok(version)
    })
    .await?;
    // From here on workers commit partitions, whatever becomes of this process.
    let in_place = version.is_in_place;
    let looking = VersionLook { config, job, server, version: &version, session: None };
    match oversee(looking, number, (report, &mut interrupt)).await {
        Ok(Some(exit)) => Ok(exit),
        Ok(None) => {
            let database = Database::GivenUp { in_place };
            Err(Failure { database, ..failure(given_up(job, &version), in_place) })
        }
        Err(cause) => Err(failure(cause, in_place)),
    }
}

/// Starts the workers and waits for them. `None`: the version is not made any more.
async fn oversee(
    mut looking: VersionLook<'_>,
    number: usize,
    (report, interrupt): (&Report, &mut Interrupt),
) -> Result<Option<Exit>, Cause> {
    let VersionLook { config, job, .. } = looking;
    let mut workers = Vec::new();
    for _ in 0..number {
        workers.push(WorkerProcess { child: start(config, number)?, code: None });
    }
    let bar = report.records_bar(&job.name, 0);
    let mut restarts = 0;
    while workers.iter().any(|worker| worker.code.is_none()) {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = interrupt.arrives() => {
                bar.finish_and_clear();
                let given_back = stop(&mut workers).await;
                say(&show::stopped(job, given_back, config.in_place));
                return Ok(Some(Exit::Interrupted));
            }
        }
        for worker in workers.iter_mut().filter(|worker| worker.code.is_none()) {
            let Some(ended) = worker.child.try_wait().map_err(Cause::io("wait for a worker"))? else {
                continue;
            };
            match ended.code() {
                Some(code) => worker.code = Some(code),
                None if restarts < RESTARTS => {
                    restarts += 1;
                    tracing::warn!("a worker was killed ({ended}), and is started again");
                    worker.child = start(config, number)?;
                }
                None => worker.code = Some(Exit::Failed as i32),
            }
        }
        if std::io::stderr().is_terminal()
            && let Ok(Some((_, found))) = looking.look().await
        {
            let figure = |value: &Value| value.as_f64().unwrap_or(0.0) as u64;
            bar.set_length(figure(&found["rows"]["planned"]));
            bar.set_position(figure(&found["rows"]["in"]) + figure(&found["rows"]["failed"]));
            let left = found["eta_s"].as_f64().map(|eta| Duration::from_secs_f64(eta.max(0.0)));
            bar.set_message(left.map(crate::words::duration).unwrap_or_default());
        }
    }
    bar.finish_and_clear();
    // This process waits for the server as long as the workers do.
    let found = past_outages(true, async || looking.look().await).await?;
    Ok(found.map(|(version, found)| end(job, &version, &found, &workers)))
}

/// Finds out how far the version is.
struct VersionLook<'a> {
    config: &'a TransformConfig,
    job: &'a Job,
    server: &'a Server,
    /// As it was when the workers began.
    version: &'a Version,
    /// Kept for the next look, and made again if it is lost.
    session: Option<JobSession>,
}

impl VersionLook<'_> {
    /// `None`: the version is not made any more, nor in place.
    async fn look(&mut self) -> Result<Option<(Version, Value)>, Cause> {
        let session = match self.session.take().filter(|session| !session.connection.is_closed()) {
            Some(session) => session,
            None => JobSession::open(&self.server.url, &self.config.database, "transform").await?,
        };
        let newest = newest(&session, &self.job.name).await?;
        let found = match newest.filter(|newest| newest.version_id == self.version.version_id) {
            Some(version) => {
                let found = status(&session, &version).await?;
                Some((version, found))
            }
            None => None,
        };
        self.session = Some(session);
        Ok(found)
    }
}

/// The result of all workers together.
fn end(job: &Job, version: &Version, found: &Value, workers: &[WorkerProcess]) -> Exit {
    say(&show::status(job, version, found));
    let poison: i64 = ["partitions", "ranges"].iter().filter_map(|of| found[*of]["poison"].as_i64()).sum();
    let ended = match version.state.as_str() {
        "swapped" => WorkEnd::InPlace { old: version.old_table.clone() },
        "paused" => WorkEnd::Paused,
        _ if poison > 0 => WorkEnd::Poison { groups: poison, in_place: version.is_in_place },
        _ if found["error"].is_string() => WorkEnd::Changed {
            words: found["error"].as_str().unwrap_or_default().to_owned(),
            in_place: version.is_in_place,
        },
        // A worker has reported the reason.
        _ => {
            let codes = workers.iter().filter_map(|worker| worker.code);
            let some_failed = codes.clone().any(|code| code == Exit::SomeFailed as i32);
            return if some_failed { Exit::SomeFailed } else { Exit::Failed };
        }
    };
    say(&show::end(job, &ended));
    work::exit(&ended)
}

/// Starts a worker. The address of the database, which may hold a password, is passed in the environment.
fn start(config: &TransformConfig, number: usize) -> Result<Child, Cause> {
    let program = std::env::current_exe().map_err(Cause::io("find this program"))?;
    let worker = &config.worker;
    let mut command = Command::new(program);
    command.args(["transform", "work"]).arg(&config.job);
    command.args(["--lease", &worker.lease.as_secs().to_string()]);
    command.args(["--memory", &(worker.memory_mib / number as u64).to_string()]);
    command.args(["--swap-wait", &worker.swap_wait.as_secs().to_string()]);
    command.arg("--work-dir").arg(&worker.work_dir);
    if let Some(limit) = worker.throttle {
        command.args(["--throttle", &limit.as_secs().to_string()]);
    }
    if let Some(store) = &config.buckets.store {
        command.args(["--store", &store.to_string()]);
    }
    if config.in_place {
        command.arg("--in-place");
    }
    command.args(["--schema", &config.database.schema, "--ledger-schema", &config.database.ledger_schema]);
    command.arg("--quiet").env("DATABASE_URL", &config.said.0);
    // A worker prints its end on standard output, but the end of all is printed once, here.
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command.kill_on_drop(true);
    command.spawn().map_err(Cause::io("start a worker"))
}

/// Tells all workers to give their claims back, and waits for them; did all of them end?
async fn stop(workers: &mut [WorkerProcess]) -> bool {
    for worker in workers.iter().filter(|worker| worker.code.is_none()) {
        let id = worker.child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32));
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
    }
    let mut all_ended = true;
    for worker in workers.iter_mut() {
        all_ended &= tokio::time::timeout(Duration::from_secs(15), worker.child.wait()).await.is_ok();
    }
    all_ended
}
