//! The demo of the site: sheets and histories that are made up, loaded, counted, and told in pages that need no server.

use std::fs;
use std::path::PathBuf;

use super::place::DemoPlace;
use crate::cli::{BuildArgs, DatabaseArgs, DemoArgs, StoreArgs};
use crate::clients::postgres;
use crate::clients::source::SourceUrl;
use crate::commands::terminal::say_line;
use crate::commands::{build, run, summary};
use crate::config::RunConfig;
use crate::datasets::catalog::CATALOG;
use crate::datasets::catalog::sample::{SheetsSample, write_sheets};
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::sql;
use crate::words::count;

const PROJECTS: u32 = 60;
/// What the demo's site is made of.
const SITE: &str = "title = \"A made-up catalog\"\nbase_url = \"https://example.org/catalog\"\nas_of = \"2025-10\"\n\n\
    [catalog]\nsource = \"dir:curated\"\n\n[site]\nout = \"public_html\"\n";

/// Makes sheets and histories, builds a site of them, and says which file to open.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    say_line!("1. Sheets of {PROJECTS} made-up projects, and what a site is made of.");
    let sample = SheetsSample { projects: PROJECTS, errors: 0, seed: 1, out: dir.join("curated") };
    let written = write_sheets(&sample).map_err(SampleFault::from).map_err(Cause::from)?;
    say_line!("   {} ({} rows)", sample.out.display(), count(written.rows));
    let file = dir.join("site.toml");
    fs::write(&file, SITE).map_err(Cause::io(format!("write {}", file.display())))?;
    say_line!("   {}", file.display());
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let database = place.database()?;
    let server = Server::open(&database.url).await?;
    let built = async {
        let source = SourceUrl::Store(format!("dir:{}", sample.out.display()).parse().map_err(Cause::from)?);
        let mut load = RunConfig::plain(&CATALOG, source, place.store()?, database.clone());
        load.processing.duckdb.memory_mib = 128;
        say_line!(
            "\n2. The sheets into the database, and histories of commits for the projects, made up there."
        );
        let done = run::run(load, report).await?;
        say_line!("\n{}", summary::render(&done));
        histories(&server, &database.schema).await?;
        say_line!("3. The build: sheets, metrics, site.");
        build::run(build_args(&place, file.clone(), false), report).await?;
        say_line!("\n4. The same once more, with the reasons.");
        build::run(build_args(&place, file, true), report).await
    }
    .await;
    server.close().await;
    built?;
    next_steps(&place);
    Ok(Exit::Done)
}

async fn histories(server: &Server, schema: &str) -> Result<(), Cause> {
    let failed = |error| postgres::classify(error, "make up histories");
    let connection = postgres::connect(&server.url, "demo").await?;
    let text = sql::render(sql::DEMO_HISTORIES, &[("schema", schema)]);
    connection.batch_execute(&text).await.map_err(failed)?;
    connection.close().await;
    Ok(())
}

fn build_args(place: &DemoPlace, file: PathBuf, explain: bool) -> BuildArgs {
    BuildArgs {
        file,
        explain,
        dry_run: false,
        check: false,
        allow: Vec::new(),
        database: DatabaseArgs {
            database_url: Some(place.database_url.clone()),
            schema: "public".into(),
            ledger_schema: "etl".into(),
        },
        store: StoreArgs {
            store: Some(format!("file:{}", place.dir.join("store").display())),
            s3_bucket: None,
            s3_prefix: None,
            s3_encryption: None,
        },
    }
}

fn next_steps(place: &DemoPlace) {
    let (tool, dir, places) = (DemoPlace::tool(), place.dir.display(), place.options());
    say_line!("\n5. Open this file with a browser:\n   {dir}/public_html/index.html\n\n6. What to try next:");
    say_line!("   change a name in {dir}/curated/projects.csv, then");
    say_line!("   {tool} build {dir}/site.toml --explain {places}");
    say_line!("   {tool} build {dir}/site.toml --check {places}");
}
