//! The demo of hand-kept sheets: sheets with errors, what is found in them, and the corrected sheets.

use std::path::Path;

use super::place::DemoPlace;
use crate::cli::DemoArgs;
use crate::clients::source::SourceUrl;
use crate::commands::terminal::say_line;
use crate::commands::{run, show, summary};
use crate::config::{FailureBudget, RunConfig};
use crate::datasets::catalog::CATALOG;
use crate::datasets::catalog::sample::{SheetsSample, write_sheets};
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::ledger::inspect::{FailureFilter, Reader};
use crate::log::Report;
use crate::run::server::Server;
use crate::words::count;

const PROJECTS: u32 = 60;
/// One error of each kind.
const ERRORS: u32 = 11;
/// The longest line that is shown.
const LINE: usize = 160;

/// Makes sheets with errors, loads them, shows what was found, and loads them again without errors.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    let sheets = dir.join("sheets");
    say_line!("1. A sample: eight sheets as people keep them, with an error of each kind.");
    write(&sheets, ERRORS)?;
    say_line!("   {} (where the errors are: planted.csv)", sheets.display());
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let config = || run_config(&place, &sheets);
    // One server for the runs and the look at their result.
    let server = Server::open(&place.database()?.url).await?;
    let shown = async {
        say_line!(
            "\n2. The run: what is good is loaded. Without --max-failures, so many errors would stop it."
        );
        let done = run::run(config()?, report).await?;
        say_line!("\n{}", summary::render(&done));
        say_line!("3. What is sent back to the people who keep the sheets (merganser failures --csv):");
        let said = failures(&server, &place).await?;
        say_line!("{}", said.lines().map(shown_line).collect::<String>());
        write(&sheets, 0)?;
        say_line!("4. They have put it right, and the same run takes all sheets again:");
        let done = run::run(config()?, report).await?;
        say_line!("\n{}", summary::render(&done));
        Ok::<_, Failure>(())
    }
    .await;
    server.close().await;
    shown?;
    next_steps(&place, &sheets);
    Ok(Exit::Done)
}

fn write(sheets: &Path, errors: u32) -> Result<(), Cause> {
    let sample = SheetsSample { projects: PROJECTS, errors, seed: 1, out: sheets.to_owned() };
    let written = write_sheets(&sample).map_err(SampleFault::from)?;
    if errors > 0 {
        say_line!("   {} rows, {} errors", count(written.rows), count(written.planted));
    }
    Ok(())
}

fn run_config(place: &DemoPlace, sheets: &Path) -> Result<RunConfig, Cause> {
    let source = SourceUrl::Store(format!("dir:{}", sheets.display()).parse()?);
    let mut config = RunConfig::plain(&CATALOG, source, place.store()?, place.database()?);
    config.processing.duckdb.memory_mib = 128;
    config.processing.max_failures = FailureBudget { percent: 100.0, records: 0 };
    Ok(config)
}

/// The unresolved failed records, as CSV.
async fn failures(server: &Server, place: &DemoPlace) -> Result<String, Cause> {
    let reader = Reader::open(&server.url, &place.database()?.ledger_schema).await?;
    let filter = FailureFilter { dataset: Some(CATALOG.name.to_owned()), ..FailureFilter::default() };
    Ok(show::sheets_csv(&reader.failures(&filter).await?))
}

fn shown_line(line: &str) -> String {
    let end = line.char_indices().nth(LINE).map_or(line.len(), |(end, _)| end);
    let more = if end < line.len() { "…" } else { "" };
    format!("   {}{more}\n", &line[..end])
}

fn next_steps(place: &DemoPlace, sheets: &Path) {
    let tool = DemoPlace::tool();
    let (dir, database, options) = (place.dir.display(), &place.database_url, place.options());
    let sheets = sheets.display();
    say_line!("5. What to try next:");
    say_line!("   ls {dir}/store/public/catalog");
    say_line!("   {tool} failures --csv --dataset catalog --all --database-url {database}");
    say_line!("   {tool} run catalog --source dir:{sheets} {options}");
    say_line!(
        "      (nothing new; break a row in {sheets}/projects.csv and run again, first with --dry-run)"
    );
    say_line!("   {tool} undo last {options}");
    say_line!("   {tool} --help");
    place.say_how_to_remove();
}
