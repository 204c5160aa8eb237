//! The demo of jobs: a skewed raw table of companies is cleaned by two workers, one of which is killed; then the
//! cleaning changes, and another version replaces the first.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::look::look;
use super::place::DemoPlace;
use crate::cli::DemoArgs;
use crate::clients::postgres::{self, PgUrl};
use crate::commands::terminal::{say, say_line};
use crate::commands::transform;
use crate::config::{DatabaseConfig, TransformConfig};
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::sql;
use crate::system::private;
use crate::words::count;

const FILES: [(&str, &str); 3] = [
    ("job.toml", include_str!("companies/job.toml")),
    ("companies_clean.pg.sql", include_str!("companies/companies_clean.pg.sql")),
    ("clean.duckdb.sql", include_str!("companies/clean.duckdb.sql")),
];
/// What the second version does differently.
const CHANGE: (&str, &str) = ("upper(regexp_replace", "lower(regexp_replace");
const ROWS_MIN: u64 = 20_000;
const WORKERS: usize = 2;
/// How long to wait for a worker that can be killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the table and the job, cleans, kills a worker, cleans differently, and shows what to try next.
///
/// # Errors
/// The error, with the state of the database.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    private::make_folders(&dir).map_err(Cause::io(format!("make the folder {}", dir.display())))?;
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let job = write_job(&place.dir)?;
    let rows = args.sizes.records.max(ROWS_MIN);
    let database = place.database()?;
    let config = TransformConfig::of_demo(database.clone(), &job, &place.database_url);
    let server = Server::open(&database.url).await?;
    let shown = async {
        say_line!("1. A raw table, companies_raw: {} rows on companies, most of them in a few ZIP codes.", count(rows));
        make_rows(&server.url, &database, rows).await?;
        say_line!("\n2. The job in {}: {WORKERS} workers clean it, a partition at a time; one of them is killed.", job.display());
        let killed = tokio::spawn(kill_one(server.url.clone(), database.clone()));
        transform::run_workers(&config, &server, WORKERS, report).await?;
        match killed.await {
            Ok(Some(pid)) => say_line!("   Process {pid} was killed in the middle; its partition was done by another.\n"),
            _ => say_line!("   (They were done before one of them could be killed.)\n"),
        }
        say_line!("3. The cleaning changes (names in small letters): another version is built beside the first, and takes its place.");
        change(&job)?;
        transform::run_workers(&config, &server, WORKERS, report).await?;
        say_line!("\n4. In PostgreSQL now:");
        let headings = ["ZIP code", ">companies", "the largest of them"];
        say(&look(&server.url, &database.schema, sql::DEMO_CLEAN, &headings).await?);
        Ok::<_, Failure>(())
    }
    .await;
    server.close().await;
    shown?;
    next_steps(&place, &job);
    Ok(Exit::Done)
}

fn write_job(dir: &Path) -> Result<PathBuf, Cause> {
    let job = dir.join("companies");
    private::make_folders(&job).map_err(Cause::io(format!("make the folder {}", job.display())))?;
    for (name, text) in FILES {
        let path = job.join(name);
        fs::write(&path, text).map_err(Cause::io(format!("write {}", path.display())))?;
    }
    Ok(job)
}

fn change(job: &Path) -> Result<(), Cause> {
    let path = job.join("clean.duckdb.sql");
    let what = || format!("change {}", path.display());
    let text = fs::read_to_string(&path).map_err(Cause::io(what()))?;
    fs::write(&path, text.replace(CHANGE.0, CHANGE.1)).map_err(Cause::io(what()))
}

async fn make_rows(url: &PgUrl, database: &DatabaseConfig, rows: u64) -> Result<(), Cause> {
    let connection = postgres::connect(url, "demo").await?;
    let rows = rows.to_string();
    let text = sql::render(sql::DEMO_COMPANIES, &[("schema", &database.schema), ("rows", &rows)]);
    connection.batch_execute(&text).await.map_err(|e| postgres::classify(e, "make the raw table"))?;
    // Outside the transaction in which the rows were made.
    let text = sql::render(sql::DEMO_COMPANIES_LOOK, &[("schema", &database.schema)]);
    connection.batch_execute(&text).await.map_err(|e| postgres::classify(e, "make the raw table"))?;
    connection.close().await;
    Ok(())
}

/// Kills a worker that has a claim, as if its machine were switched off; returns its process id.
async fn kill_one(url: PgUrl, database: DatabaseConfig) -> Option<i32> {
    let connection = postgres::connect(&url, "demo").await.ok()?;
    let text = sql::render(sql::DEMO_WORKER, &[("ledger", &database.ledger_schema)]);
    let start = std::time::Instant::now();
    while start.elapsed() < PATIENCE {
        // Before the job is planned, there are no such tables.
        if let Ok(Some(row)) = connection.query_opt(&text, &[]).await
            && let Ok(pid) = row.try_get::<_, i32>(0)
            && let Some(process) = rustix::process::Pid::from_raw(pid)
        {
            rustix::process::kill_process(process, rustix::process::Signal::KILL).ok()?;
            return Some(pid);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

fn next_steps(place: &DemoPlace, job: &Path) {
    let (tool, job, database) = (DemoPlace::tool(), job.display(), &place.database_url);
    say_line!("\n5. What to try next:");
    for (action, about) in [
        ("status", "every version; slowest, largest and poison partitions"),
        ("work --dry-run", "what would come out, and nothing is written"),
        ("drop", "the first version goes"),
    ] {
        let (action, more) = action.split_once(' ').unwrap_or((action, ""));
        say_line!(
            "   {}\n      ({about})",
            format!("{tool} transform {action} {job} --database-url {database} {more}").trim_end()
        );
    }
    place.say_how_to_remove();
}
