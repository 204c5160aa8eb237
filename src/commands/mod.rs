//! What each command does with its arguments, and how its result is shown.

pub mod adopt;
pub mod backfill;
pub mod build;
pub mod check;
mod deliver;
pub mod demo;
mod failures;
mod graph;
pub mod map;
pub mod metrics;
mod notify;
pub mod purge;
pub mod reference;
pub mod run;
mod sample;
pub mod serve;
pub mod show;
mod status;
pub mod summary;
mod terminal;
mod told;
mod traces;
mod transform;
pub mod undo;

use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::config::RunConfig;
use crate::error::Exit;
use crate::log::Report;
use crate::system::private;
use terminal::{end, guarded, say, start};

/// Runs a command; shows its error.
pub fn run(cli: Cli) -> Exit {
    // A sample may be seen by others; everything else holds names and addresses.
    if !matches!(cli.command, Command::Sample(_) | Command::Completions { .. }) {
        private::by_default();
    }
    let report = Report::start(&cli.output, matches!(cli.command, Command::Demo(_)));
    guarded(&report, || carry_out(cli.command, &report))
}

fn carry_out(command: Command, report: &Report) -> Exit {
    let result = match command {
        Command::Run(args) => {
            run::warn_of_reprocessing(args.files.reprocess.as_deref());
            return run::process(RunConfig::from_run(&args), report);
        }
        Command::Reprocess(args) => return run::process(RunConfig::from_reprocess(&args), report),
        Command::Retry(args) => return run::process(RunConfig::from_retry(&args), report),
        Command::Status(args) => start(status::status(args)),
        Command::Failures(args) => start(failures::failures(args)),
        Command::Check(args) => start(check::run(*args)),
        Command::Adopt(args) => start(adopt::run(*args, report)),
        Command::Purge(args) => start(purge::run(*args, report)),
        Command::Undo(args) => start(undo::run(*args, report)),
        Command::Reference(args) => start(reference::run(*args, report)),
        Command::Backfill(args) => start(backfill::run(*args, report)),
        Command::Demo(args) => start(demo::demo(args, report)),
        Command::Map(args) => start(map::run(args)),
        Command::Graph(args) => start(graph::run(args)),
        Command::Build(args) => start(build::run(*args, report)),
        Command::Serve(args) => start(serve::run(args)),
        Command::Transform(args) => start(transform::run(*args, report)),
        Command::Sample(args) => start(sample::run(args)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "merganser", &mut script);
            say(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
    };
    end(&result, report)
}
