//! The demo of the graph and the metrics: made-up sheets and histories, what is computed from them, and the graph as a
//! file for other programs.

use std::path::Path;

use super::look::look;
use super::place::DemoPlace;
use crate::cli::DemoArgs;
use crate::clients::postgres;
use crate::clients::source::SourceUrl;
use crate::commands::terminal::say_line;
use crate::commands::{run, summary};
use crate::config::RunConfig;
use crate::datasets::catalog::CATALOG;
use crate::datasets::catalog::sample::{SheetsSample, write_sheets};
use crate::datasets::metrics::METRICS;
use crate::datasets::metrics::options::MetricsOptions;
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::sql;
use crate::words::count;

pub(super) const PROJECTS: u32 = 60;
/// The last month in which the made-up histories have commits.
const AS_OF: &str = "2025-10";
const RANKS: [&str; 8] =
    ["project", ">rank", ">commits", ">authors", ">newcomers", ">bus factor", ">retention", ">growth"];

/// Makes sheets and histories, computes ranks and metrics, and shows some of them.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    say_line!("1. Sheets of {PROJECTS} made-up projects.");
    let sheets = dir.join("curated");
    made(&sheets)?;
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let server = Server::open(&place.database()?.url).await?;
    let shown = async {
        loaded(&place, &server, &sheets, report).await?;
        say_line!("3. The run: a graph of projects, groups, backers and people, its ranks, and metrics up to {AS_OF}.");
        let done = run::run(config(&place)?, report).await?;
        say_line!("\n{}", summary::render(&done));
        say_line!("4. The projects with the highest rank, and their metrics of {AS_OF}:");
        let url = &server.url;
        let schema = &place.database()?.schema;
        say_line!("{}", look(url, schema, sql::DEMO_RANKS, &RANKS).await?);
        say_line!("5. Projects that are alike, by what both are joined to:");
        let headings = ["project", "other", ">shared", ">similarity"];
        say_line!("{}", look(url, schema, sql::DEMO_SIMILAR, &headings).await?);
        Ok::<_, Failure>(())
    }
    .await;
    server.close().await;
    shown?;
    next_steps(&place);
    Ok(Exit::Done)
}

/// Makes the sheets, and prints where they are.
pub(super) fn made(sheets: &Path) -> Result<(), Cause> {
    let sample = SheetsSample { projects: PROJECTS, errors: 0, seed: 1, out: sheets.to_owned() };
    let written = write_sheets(&sample).map_err(SampleFault::from)?;
    say_line!("   {} ({} rows)", sheets.display(), count(written.rows));
    Ok(())
}

/// Loads the sheets, and makes histories of their projects.
pub(super) async fn loaded(
    place: &DemoPlace,
    server: &Server,
    sheets: &Path,
    report: &Report,
) -> Result<(), Failure> {
    let source = SourceUrl::Store(format!("dir:{}", sheets.display()).parse().map_err(Cause::from)?);
    let mut load = RunConfig::plain(&CATALOG, source, place.store()?, place.database()?);
    load.processing.duckdb.memory_mib = 128;
    say_line!("\n2. The sheets into the database, and histories of commits for the projects, made up there.");
    let done = run::run(load, report).await?;
    say_line!("\n{}", summary::render(&done));
    let connection = postgres::connect(&server.url, "demo").await.map_err(Cause::from)?;
    let text = sql::render(sql::DEMO_HISTORIES, &[("schema", &place.database()?.schema)]);
    let made = connection.batch_execute(&text).await;
    made.map_err(|error| Cause::from(postgres::classify(error, "make up histories")))?;
    connection.close().await;
    Ok(())
}

fn config(place: &DemoPlace) -> Result<RunConfig, Cause> {
    let month = MetricsOptions { as_of: Some(AS_OF.to_owned()) };
    let today = jiff::Zoned::now().date();
    let options = month.read(today).map_err(Cause::usage)?;
    let mut config = RunConfig::of_tables(&METRICS, options, place.store()?, place.database()?)?;
    config.processing.duckdb.memory_mib = 128;
    Ok(config)
}

fn next_steps(place: &DemoPlace) {
    let (tool, dir, database) = (DemoPlace::tool(), place.dir.display(), &place.database_url);
    say_line!("6. What to try next:");
    say_line!("   {tool} graph export --format graphml --out {dir}/graph.graphml --database-url {database}");
    say_line!("      (Gephi opens it; jsonl is for graph databases)");
    say_line!("   {tool} run metrics --as-of {AS_OF} {}", place.options());
    say_line!("      (nothing new: the tables that it reads are the same)");
    say_line!("   {tool} run metrics --as-of 2025-09 {}", place.options());
    say_line!("   ls {dir}/store/public/metrics");
    place.say_how_to_remove();
}
