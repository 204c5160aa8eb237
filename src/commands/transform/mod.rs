//! `merganser transform`: a raw table cleaned in partitions, by any number of workers.

mod dry_run;
mod show;
mod status;
mod test;
mod work;
mod workers;

use crate::cli::{JobArgs, TransformAction, TransformArgs};
use crate::commands::terminal::say;
use crate::config::TransformConfig;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::system::workspace::Workspace;
use crate::transform::buckets::remove_left;
use crate::transform::clean::pandas_major;
use crate::transform::complete::source_changed;
use crate::transform::job::{CleanWith, Job};
use crate::transform::other_jobs;
use crate::transform::plan::{self, PlanOptions};
use crate::transform::session::JobSession;
use crate::transform::status::{DropOutcome, newest, remove, retry, set_state};
use crate::transform::versions::{Again, Version, anew_command, short};
use crate::words::counted;

/// Runs a subcommand.
pub async fn run(args: TransformArgs, report: &Report) -> Result<Exit, Failure> {
    match args.action {
        TransformAction::Plan(args) => {
            let config = TransformConfig::from_plan(&args)?;
            let job = read_to_clean(&config)?;
            with_server(&config, async |server| plan(&config, &job, server).await).await
        }
        TransformAction::Work(args) => {
            let config = TransformConfig::from_work(&args)?;
            let job = read_to_clean(&config)?;
            with_server(&config, async |server| match config.worker.dry_run {
                true => dry_run::run(&config, &job, server).await,
                false => work::run(&config, &job, server).await,
            })
            .await
        }
        TransformAction::Run(args) => {
            let config = TransformConfig::from_work(&args.work)?;
            let job = read_to_clean(&config)?;
            let number = crate::config::workers(&args.workers, config.worker.memory_mib, job.is_python())?;
            with_server(&config, async |server| match config.worker.dry_run {
                true => dry_run::run(&config, &job, server).await,
                false => workers::run(&config, &job, server, number, report).await,
            })
            .await
        }
        TransformAction::Status(args) => {
            let config = TransformConfig::from_job(&args.job)?;
            let job = read(&config)?;
            with_server(&config, async |server| status::run(&config, &job, server, &args).await).await
        }
        TransformAction::Test(args) => {
            let config = TransformConfig::from_test(&args)?;
            let job = read_to_clean(&config)?;
            with_server(&config, async |server| test::run(&config, &job, server).await).await
        }
        TransformAction::Pause(args) => control(&args, Word::Pause).await,
        TransformAction::Resume(args) => control(&args, Word::Resume).await,
        TransformAction::Retry(args) => control(&args, Word::Retry).await,
        TransformAction::Drop(args) => drop_tables(&args).await,
    }
}

/// Plans a job and has workers of this machine do it.
pub async fn run_workers(
    config: &TransformConfig,
    server: &Server,
    number: usize,
    report: &Report,
) -> Result<Exit, Failure> {
    workers::run(config, &read(config)?, server, number, report).await
}

fn read(config: &TransformConfig) -> Result<Job, Cause> {
    let job = Job::read(&config.job, &config.database.schema)?;
    config.database.admit(&job.target.table.schema, "[target] table")?;
    Ok(job)
}

/// The job, with the version of the cleaning program in its hash.
fn read_to_clean(config: &TransformConfig) -> Result<Job, Cause> {
    let job = read(config)?;
    let CleanWith::Python { interpreter, .. } = &job.clean.with else { return Ok(job) };
    let major = pandas_major(interpreter.as_deref(), &job.folder).map_err(|error| Cause::Refused {
        message: error.to_string(),
        hint: Some(
            "plan it where its pandas is installed, whose version is part of the job's; [clean] interpreter \
             names the Python that has it"
                .into(),
        ),
    })?;
    Ok(job.with_pandas(&major))
}

async fn with_server(
    config: &TransformConfig,
    work: impl AsyncFnOnce(&Server) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let server = Server::open(&config.database.url).await?;
    let result = work(&server).await;
    server.close().await;
    result
}

async fn plan(config: &TransformConfig, job: &Job, server: &Server) -> Result<Exit, Failure> {
    let session = JobSession::open_ledger(&server.url, &config.database).await?;
    let looking = JobSession::open(&server.url, &config.database, "transform").await?;
    let workspace = Workspace::create(&config.worker.work_dir)?;
    let mut options = PlanOptions::new(config, &looking, workspace.path());
    if config.anew {
        options.again = Again::Always;
    }
    let (version, is_new) = plan::ensure(&session, job, &options).await?;
    say(&show::plan(job, &version, is_new));
    say_if_changed(&session, job, &version).await;
    if let Err(error) = remove_left(&session, &job.name, &config.buckets.s3, false).await {
        tracing::warn!("buckets of older versions are left in the store: {error}; the next plan tries again");
    }
    Ok(Exit::Done)
}

/// Warns if the source has changed since the version in place was made, because nothing reads it again by itself, or if another job has
/// replaced partitions of it.
async fn say_if_changed(session: &JobSession, job: &Job, version: &Version) {
    if version.is_open() {
        return;
    }
    let command = anew_command(job, version.is_in_place);
    match other_jobs::overwritten(session, version).await {
        Ok(None) => {}
        Ok(Some(words)) => say(&format!("  {words}; {command} replaces them again\n")),
        Err(error) => {
            tracing::warn!("it is not known whether another job has replaced partitions since: {error}");
        }
    }
    match source_changed(session, job, version).await {
        Ok(None) => {}
        Ok(Some(words)) => {
            say(&format!("  {words}, and nothing reads it again by itself: {command} does\n"));
        }
        Err(error) => {
            tracing::warn!("it is not known whether {} has changed since: {error}", job.source.table);
        }
    }
}

/// A person's request for a job.
#[derive(Clone, Copy)]
enum Word {
    Pause,
    Resume,
    Retry,
}

async fn control(args: &JobArgs, word: Word) -> Result<Exit, Failure> {
    let config = TransformConfig::from_job(args)?;
    let job = read(&config)?;
    with_server(&config, async |server| {
        let session = JobSession::open_ledger(&server.url, &config.database).await?;
        let version = newest(&session, &job).await?;
        let name = format!("{}, version {}", job.name, short(&version.hash));
        let said = match word {
            Word::Pause => {
                set_state(&session, &job, &version, "paused").await?;
                format!("{name} is paused: workers end after the groups that they are at.\n")
            }
            Word::Resume => {
                set_state(&session, &job, &version, "open").await?;
                format!("{name} goes on when workers are started.\n")
            }
            Word::Retry => {
                let groups = retry(&session, &version).await?;
                format!("{name}: {} waiting again.\n", counted(groups, "poison group"))
            }
        };
        say(&said);
        Ok(Exit::Done)
    })
    .await
}

async fn drop_tables(args: &JobArgs) -> Result<Exit, Failure> {
    let config = TransformConfig::from_job(args)?;
    let job = read(&config)?;
    with_server(&config, async |server| {
        let session = JobSession::open_ledger(&server.url, &config.database).await?;
        let DropOutcome { mut tables, given_up } = remove(&session, &job).await?;
        let objects = remove_left(&session, &job.name, &config.buckets.s3, true).await?;
        if objects > 0 {
            tables.push(format!("{} of buckets", counted(objects, "object")));
        }
        if let Some((version, status)) = &given_up {
            say(&show::given_up(&job, version, status));
        }
        if !tables.is_empty() {
            say(&format!("Removed: {}.\n", tables.join(", ")));
        } else if given_up.is_none() {
            say(&format!("{}: there was nothing to remove.\n", job.name));
        }
        Ok(Exit::Done)
    })
    .await
}
