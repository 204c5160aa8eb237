//! The demo of the court extract: a year of cases and a weekly update, and a map of them.

use std::path::Path;

use super::look::look;
use super::place::DemoPlace;
use crate::cli::DemoArgs;
use crate::clients::source::SourceUrl;
use crate::commands::map;
use crate::commands::run;
use crate::commands::summary;
use crate::commands::summary::Summary;
use crate::commands::terminal::say_line;
use crate::config::{DatabaseConfig, MapConfig, MapFile, RunConfig};
use crate::datasets::oca::OCA;
use crate::datasets::oca::options::of_level;
use crate::datasets::oca::sample::{SampleOptions, write_sample};
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::sql;
use crate::words::count;

const INITIAL_RUN_DATE: jiff::civil::Date = jiff::civil::date(2026, 11, 7);
const WEEKLY_RUN_DATE: jiff::civil::Date = jiff::civil::date(2026, 11, 14);

/// Makes two extracts, loads them, and shows the result and what to try next.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    let source = dir.join("source");
    say_line!("1. A sample: one year of made-up court cases and a weekly update, three of them broken.");
    let weekly = (args.sizes.cases / 10).max(10);
    for (cases, run_date, initial, deletes, malformed) in [
        (args.sizes.cases, INITIAL_RUN_DATE, Some(2026), 0, 0),
        (weekly, WEEKLY_RUN_DATE, None, weekly / 20, 3),
    ] {
        let options = SampleOptions {
            cases,
            out: source.clone(),
            seed: 1,
            run_date,
            initial,
            level: 1,
            deletes,
            malformed,
        };
        let sample = write_sample(&options).map_err(SampleFault::from).map_err(Cause::from)?;
        say_line!("   {} ({} cases)", sample.path.display(), count(sample.cases));
    }
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let run_config = run_config(&place)?;
    say_line!("\n2. The run: select, fetch, parse, check, enrich, export, upload, load, promote, publish.");
    // One server for the run and the look at its result.
    let server = Server::open(&run_config.target.database.url).await?;
    let map_config = map_config(&run_config.target.database, &place.dir);
    let result = run_and_show(run_config, report, &server).await;
    let drawn = match (&result, map_config) {
        (Ok(_), Some(config)) => map::draw(&config, &server.url).await.map(Some),
        _ => Ok(None),
    };
    server.close().await;
    let done = result?;
    if let Some(map) = drawn? {
        say_line!("4. On a map; open it with a browser:\n   {}", map.trim_end().replace('\n', "\n   "));
    }
    next_steps(&place, done.has_failures());
    Ok(Exit::Done)
}

async fn run_and_show(config: RunConfig, report: &Report, server: &Server) -> Result<Summary, Failure> {
    let schema = config.target.database.schema.clone();
    let done = run::run(config, report).await?;
    say_line!("\n{}", summary::render(&done));
    say_line!("3. In PostgreSQL now:");
    let headings = ["court", ">cases", ">judgments", ">largest claim ($)"];
    say_line!("{}", look(&server.url, &schema, sql::DEMO, &headings).await?);
    Ok(done)
}

fn run_config(place: &DemoPlace) -> Result<RunConfig, Cause> {
    let source = SourceUrl::Store(format!("dir:{}", place.dir.join("source").display()).parse()?);
    let mut config = RunConfig::plain(&OCA, source, place.store()?, place.database()?);
    config.processing.duckdb.memory_mib = 128;
    config.processing.options = of_level(1);
    Ok(config)
}

/// A page with the map of what was loaded, in the demo's folder.
fn map_config(database: &DatabaseConfig, dir: &Path) -> Option<MapConfig> {
    let map = OCA.map?;
    Some(MapConfig {
        database: database.clone(),
        dataset: &OCA,
        map,
        division: map.divisions.first()?,
        measure: map.measures.first()?,
        since: None,
        until: None,
        out: dir.join("map.html"),
        file: MapFile::Page,
        note: Some("Made-up data of the demo: these cases never were."),
    })
}

fn next_steps(place: &DemoPlace, has_failures: bool) {
    let tool = DemoPlace::tool();
    let (dir, database, places) = (place.dir.display(), &place.database_url, place.options());
    say_line!("\n5. What to try next:");
    say_line!("   ls {dir}/store/public");
    say_line!("   {tool} status last --database-url {database}");
    if has_failures {
        say_line!("   {tool} failures --database-url {database}");
    }
    say_line!("   {tool} run oca --source dir:{dir}/source {places}");
    say_line!("      (nothing new; make some with the next line and run again, first with --dry-run)");
    say_line!(
        "   {tool} sample oca --cases 50000 --initial 2025 --run-date {INITIAL_RUN_DATE} --out {dir}/source"
    );
    say_line!("   {tool} reprocess oca '*Initial*' --force {places}");
    say_line!("   {tool} --help");
    place.say_how_to_remove();
}
