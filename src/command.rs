//! What each command does with its arguments, and how its result is shown.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use clap::CommandFactory;
use serde_json::json;

use crate::cli::{Adopt, Check, Cli, Command, Failures, Purge, Sample, Status};
use crate::clients::postgres;
use crate::config::{self, DatabaseConfig, RunConfig};
use crate::datasets::oca::sample::{SampleOptions, write_sample};
use crate::error::{Cause, Exit, Failure};
use crate::inspect::{FailureFilter, Reader};
use crate::report::{self, Report};
use crate::run::Server;
use crate::{adopt, demo, preflight, private, purge, run, show, summary};

/// Carries a command out; errors are shown.
pub fn run(cli: Cli) -> Exit {
    // The sample is for others to see; all else holds names and addresses.
    if !matches!(cli.command, Command::Sample(_) | Command::Completions { .. }) {
        private::by_default();
    }
    let report = Report::start(&cli.output, matches!(cli.command, Command::Demo(_)));
    let result = match cli.command {
        Command::Run(args) => {
            warn_of_reprocessing(args.reprocess.as_deref());
            return process(RunConfig::from_run(&args), &report);
        }
        Command::Reprocess(args) => return process(RunConfig::from_reprocess(&args), &report),
        Command::Retry(args) => return process(RunConfig::from_retry(&args), &report),
        Command::Status(args) => start(status(args)),
        Command::Failures(args) => start(failures(args)),
        Command::Check(args) => start(check(*args)),
        Command::Adopt(args) => start(adopt_dataset(*args, &report)),
        Command::Purge(args) => start(purge_dataset(*args, &report)),
        Command::Demo(args) => start(demo::demo(args, &report)),
        Command::Sample(args) => sample(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "merganser", &mut script);
            say(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
    };
    end(result, &report)
}

/// The exit code; an error is shown.
fn end(result: Result<Exit, Failure>, report: &Report) -> Exit {
    result.unwrap_or_else(|failure| {
        show(&failure, report);
        failure.exit()
    })
}

/// Writes a result to standard output. A reader that has gone (`| head`) has seen enough.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// A failure, for a person or as one event.
fn show(failure: &Failure, report: &Report) {
    if report.is_json() {
        tracing::error!(
            run_id = failure.run_id.map(|id| id.to_string()),
            step = failure.step,
            exit_code = failure.exit() as u8,
            database = failure.database_sentence(),
            hint = failure.cause.hint(),
            causes = failure.chain().join(": "),
            "{}",
            failure.cause
        );
    } else {
        eprint!("{}", failure.render());
    }
}

fn start(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Cause::io("start the runtime"))?;
    let result = runtime.block_on(async {
        let result = work.await;
        postgres::farewell().await;
        result
    });
    // A blocking task of an interrupted run is not waited for.
    runtime.shutdown_background();
    result
}

/// A variable that was set once and forgotten would keep what is new out, week after week.
fn warn_of_reprocessing(glob: Option<&str>) {
    if let Some(glob) = glob {
        tracing::warn!(
            "--reprocess (REPROCESS_GLOB) is set: only files of the archive like {glob} are taken, nothing new"
        );
    }
}

/// A run of any kind; errors are shown.
pub fn process(config: Result<RunConfig, Cause>, report: &Report) -> Exit {
    let run = |config| {
        start(async {
            let done = run::run(config, report).await?;
            report.finished(&done);
            say(&summary::render(&done));
            Ok(done.exit())
        })
    };
    end(config.map_err(Failure::from).and_then(run), report)
}

async fn status(args: Status) -> Result<Exit, Failure> {
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
            return Ok(if args.json { pretty(&json!(runs)) } else { show::runs(&runs, open) });
        };
        if let Some(run) = reader.run(subject).await? {
            return Ok(if args.json { pretty(&run) } else { show::run(&run) });
        }
        let files = reader.file(subject).await?;
        if !files.is_empty() {
            return Ok(if args.json { pretty(&json!(files)) } else { show::file(&files) });
        }
        let origins = reader.origin(subject).await?;
        if !origins.is_empty() {
            return Ok(if args.json { pretty(&json!(origins)) } else { show::origin(&origins) });
        }
        let filter =
            FailureFilter { record_id: Some(subject.clone()), settled: true, ..FailureFilter::default() };
        let failures = reader.failures(&filter).await?;
        if !failures.is_empty() {
            return Ok(if args.json { pretty(&json!(failures)) } else { show::failures(&failures) });
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

/// What the steps of one run, or of the last ones, cost.
async fn timings(reader: &Reader, args: &Status) -> Result<String, Cause> {
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

async fn failures(args: Failures) -> Result<Exit, Failure> {
    let config = DatabaseConfig::new(&args.database)?;
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
            dataset: args.dataset.map(|name| config::dataset(name).name.to_owned()),
            record: args.show,
            record_id: None,
            settled: args.all || args.run.is_some() || args.file.is_some(),
        };
        let rows = reader.failures(&filter).await?;
        Ok::<_, Cause>(match (args.show, rows.first()) {
            _ if args.json => pretty(&json!(rows)),
            _ if args.csv => show::failures_csv(&rows),
            (Some(id), None) => {
                return Err(Cause::Usage {
                    message: format!("the ledger knows no failed record {id}"),
                    hint: Some("merganser failures --all lists them".into()),
                });
            }
            (Some(_), Some(row)) => show::failure(row),
            (None, _) => show::failures(&rows),
        })
    }
    .await;
    server.close().await;
    say(&shown?);
    Ok(Exit::Done)
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

async fn check(args: Check) -> Result<Exit, Failure> {
    let config = RunConfig::from_run(&args.run);
    let dataset = config::dataset(args.run.dataset).name;
    let checked = preflight::check(dataset, config, Duration::from_secs(args.timeout)).await;
    say(&if args.json { pretty(&json!(checked)) } else { checked.render() });
    Ok(checked.exit())
}

async fn adopt_dataset(args: Adopt, report: &Report) -> Result<Exit, Failure> {
    let options = adopt::Options { fix: args.fix, until: args.until };
    let adopted = adopt::adopt(RunConfig::from_adopt(&args)?, options, report).await?;
    say(&adopted.render(config::dataset(args.dataset).name));
    Ok(Exit::Done)
}

async fn purge_dataset(args: Purge, report: &Report) -> Result<Exit, Failure> {
    let purged = purge::purge(RunConfig::from_purge(&args)?, report).await?;
    let went = if purged.dry_run { "would go" } else { "taken out" };
    for (table, rows) in &purged.rows {
        println!("{table}: {rows} row(s) of deleted cases {went}");
    }
    if purged.objects > 0 {
        println!("private/runs: {} object(s) of earlier runs, as cases were then, {went}", purged.objects);
    }
    if !purged.foreign.is_empty() {
        let objects: usize = purged.foreign.values().sum();
        println!(
            "private/runs: {objects} object(s) stay, of {} run(s) that this ledger does not know for this schema; remove \
             them when no such run is under way:",
            purged.foreign.len()
        );
        for folder in purged.foreign.keys() {
            println!("  {folder}");
        }
    }
    if purged.rows.is_empty() {
        println!("Nothing was left of deleted cases in tables and ledger.");
    }
    if purged.dry_run {
        println!("A dry run, rolled back. The database is unchanged.");
    } else {
        println!("Verified: nothing of a deleted case is left in the tables, in staging or in the ledger.");
    }
    if purged.published {
        println!("The public files are written anew.");
    }
    Ok(Exit::Done)
}

fn sample(args: Sample) -> Result<Exit, Failure> {
    let options = SampleOptions {
        cases: args.cases,
        out: args.out,
        seed: args.seed,
        run_date: args.run_date.unwrap_or_else(|| jiff::Zoned::now().date()),
        initial: args.initial,
        level: args.level,
        deletes: args.deletes,
        malformed: args.malformed,
    };
    let sample = write_sample(&options).map_err(Cause::from)?;
    say(&format!("{}\n", sample.path.display()));
    tracing::info!(
        cases = sample.cases,
        deletes = sample.deletes,
        malformed = sample.malformed,
        xml_bytes = sample.xml_bytes,
        zip_bytes = sample.zip_bytes,
        "{} cases, {} deletes, {} malformed; {} of XML, {} zipped",
        report::count(sample.cases),
        report::count(sample.deletes),
        report::count(sample.malformed),
        report::size(sample.xml_bytes),
        report::size(sample.zip_bytes)
    );
    Ok(Exit::Done)
}
