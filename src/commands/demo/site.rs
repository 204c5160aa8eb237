//! The demo of the site: made-up sheets and histories are loaded, metrics are computed, and pages are built that need
//! no server.

use std::fs;
use std::path::PathBuf;

use super::metrics::{PROJECTS, loaded, made};
use super::place::DemoPlace;
use crate::cli::{BuildArgs, DatabaseArgs, DemoArgs, StoreArgs};
use crate::commands::build;
use crate::commands::terminal::say_line;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;

/// The configuration of the demo's site.
const SITE: &str = "title = \"A made-up catalog\"\nbase_url = \"https://example.org/catalog\"\nas_of = \"2025-10\"\n\n\
    [catalog]\nsource = \"dir:curated\"\n\n[site]\nout = \"public_html\"\n";

/// Makes sheets and histories, builds a site from them, and prints which file to open.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    say_line!("1. Sheets of {PROJECTS} made-up projects, and what a site is made of.");
    let sheets = dir.join("curated");
    made(&sheets)?;
    let file = dir.join("site.toml");
    fs::write(&file, SITE).map_err(Cause::io(format!("write {}", file.display())))?;
    say_line!("   {}", file.display());
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let server = Server::open(&place.database()?.url).await?;
    let built = async {
        loaded(&place, &server, &sheets, report).await?;
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

fn build_args(place: &DemoPlace, file: PathBuf, explain: bool) -> BuildArgs {
    BuildArgs {
        file,
        explain,
        dry_run: false,
        check: false,
        write_templates: None,
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
    place.say_how_to_remove();
}
