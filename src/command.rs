//! What each command does with its arguments, and how its result is shown.

use std::future::Future;

use clap::CommandFactory;

use crate::cli::{Cli, Command, Sample};
use crate::config::RunConfig;
use crate::datasets::oca::sample::{SampleOptions, write_sample};
use crate::error::{Cause, Exit, Failure};
use crate::report::{self, Report};
use crate::{demo, run, summary};

/// Carries a command out; errors are shown.
pub fn run(cli: Cli) -> Exit {
    let report = Report::start(&cli.output);
    let result = match cli.command {
        Command::Run(args) => process(RunConfig::from_run(&args), &report),
        Command::Reprocess(args) => process(RunConfig::from_reprocess(&args), &report),
        Command::Retry(args) => process(RunConfig::from_retry(&args), &report),
        Command::Demo(args) => start(demo::demo(args, &report)),
        Command::Sample(args) => sample(args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "merganser", &mut std::io::stdout());
            Ok(Exit::Done)
        }
    };
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            show(&failure, &report);
            failure.exit()
        }
    }
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
    let result = runtime.block_on(work);
    // A blocking task of an interrupted run is not waited for.
    runtime.shutdown_background();
    result
}

/// A run of any kind.
fn process(config: Result<RunConfig, Cause>, report: &Report) -> Result<Exit, Failure> {
    let config = config?;
    start(async {
        let done = run::run(config, report).await?;
        report.finished(&done);
        print!("{}", summary::render(&done));
        Ok(done.exit())
    })
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
    println!("{}", sample.path.display());
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
