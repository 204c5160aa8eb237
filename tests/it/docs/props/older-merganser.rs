//! The program with an earlier, wrong rule in its parser, for docs/session.md: it took the `sequence` of a motion for
//! unique within a case, which is not true in the source. Everything else is today's.
//!
//! It has only the command `run`.

use std::process::ExitCode;

use merganser::cli::Command;
use merganser::cli::environment;
use merganser::commands::run;
use merganser::config::RunConfig;
use merganser::dataset::{Dataset, Table};
use merganser::log::Report;

fn main() -> ExitCode {
    let cli = match environment::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let Command::Run(args) = &cli.command else {
        eprintln!("error: older-merganser knows `run` only\nNext: merganser has all commands");
        return ExitCode::from(2);
    };
    let report = Report::start(&cli.output, false);
    let config = RunConfig::from_run(args).map(|mut config| {
        config.target.dataset = older(config.target.dataset);
        config
    });
    run::process(config, &report).into()
}

/// The dataset with the wrong rule. What is allocated here is needed until the process ends.
fn older(dataset: &Dataset) -> &'static Dataset {
    let rule = |table: &Table| match table.name {
        "oca_motions" => Table { unique: &["sequence"], ..*table },
        _ => *table,
    };
    let tables = dataset.tables.iter().map(rule).collect::<Vec<_>>().leak();
    Box::leak(Box::new(Dataset { tables, ..*dataset }))
}
