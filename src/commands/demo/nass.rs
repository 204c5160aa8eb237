//! The demo of crop statistics: a local Quick Stats, three years from it, one of them again after a revision, and a map
//! of counties.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::look::look;
use super::place::DemoPlace;
use super::quickstats::{Holdings, LocalServer, read_bulk, router};
use crate::cli::DemoArgs;
use crate::clients::postgres;
use crate::commands::summary::Summary;
use crate::commands::terminal::say_line;
use crate::commands::{map, run, summary};
use crate::config::{ApiSecret, MapConfig, MapFile, RunConfig};
use crate::datasets::nass::NASS;
use crate::datasets::nass::options::of_service;
use crate::datasets::nass::quickstats::records::StatRecords;
use crate::datasets::nass::quickstats::{API_LIMIT, QuickStats};
use crate::datasets::nass::sample::{RecordsSample, write_records};
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::sql;
use crate::words::count;

const FIRST_YEAR: i16 = 2022;
const LAST_YEAR: i16 = 2024;
/// The days in the names of the bulk files: before and after the revision.
const DAYS: [jiff::civil::Date; 2] = [jiff::civil::date(2026, 11, 6), jiff::civil::date(2026, 11, 13)];
/// The smallest limit of an answer: some records of one place cannot be split any further.
const SMALLEST_LIMIT: u64 = 500;
/// The sample has as many records as this many full answers: enough that years and states must be split.
const ANSWERS: u64 = 12;
/// The key that the local server accepts.
const KEY: &str = "demo";

/// Serves a sample, loads it, loads a year of it again, and shows what is there now and what to try next.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    let limit = (args.sizes.records / ANSWERS).clamp(SMALLEST_LIMIT, API_LIMIT as u64);
    say_line!("1. A sample: three years of made-up records, one of a census, and the same after a revision.");
    let [records, revised] = samples(&dir, args.sizes.records)?;
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let service = Service::start(records, limit)?;
    say_line!(
        "   A Quick Stats of this machine gives them out at {}, {} records at a time.",
        service.url(),
        count(limit)
    );
    let config = |years, max_age| run_config(&place, &service, years, max_age);
    let (all, again) = (config((FIRST_YEAR, LAST_YEAR), 30)?, config((LAST_YEAR, LAST_YEAR), 0)?);
    // One server for the runs and the look at their result.
    let server = Server::open(&all.target.database.url).await?;
    let shown = async {
        say_line!(
            "\n2. The run over {FIRST_YEAR} to {LAST_YEAR}: count, split and fetch, then as for every dataset."
        );
        run_and_show(all, report, &server).await?;
        say_line!("3. Quick Stats revises its figures; {LAST_YEAR} is asked for anew (--max-age 0) and replaced.");
        service.revise(revised);
        run_and_show(again, report, &server).await?;
        say_line!(
            "4. In PostgreSQL now, the counties with the highest yields of corn (bushels an acre; (D) is withheld):"
        );
        let years: Vec<_> = (FIRST_YEAR..=LAST_YEAR).map(|year| format!(">{year}")).collect();
        let headings = Vec::from_iter(["county", "state"].into_iter().chain(years.iter().map(String::as_str)));
        let (url, schema) = (&server.url, &place.database()?.schema);
        say_line!("{}", look(url, schema, sql::DEMO_YIELDS, &headings).await?);
        let drawn = map::draw(&map_config(&place)?, &server.url).await?;
        say_line!("5. On a map; open it with a browser:\n   {}", drawn.trim_end().replace('\n', "\n   "));
        Ok::<_, Failure>(())
    }
    .await;
    server.close().await;
    shown?;
    next_steps(&place);
    Ok(Exit::Done)
}

/// The records as they were and as they are after a revision, each also as bulk files in a folder.
fn samples(dir: &Path, records: u64) -> Result<[StatRecords; 2], Cause> {
    let sample = |revision: u16| -> Result<StatRecords, Cause> {
        let out = bulk(dir).join(if revision == 0 { "before" } else { "revised" });
        let options = RecordsSample {
            records,
            seed: 1,
            years: (FIRST_YEAR, LAST_YEAR),
            revision,
            day: DAYS[usize::from(revision)],
            out,
        };
        write_records(&options).map_err(SampleFault::from)?;
        say_line!("   {} ({} records)", options.out.display(), count(records));
        read_bulk(&options.out).map_err(|error| Cause::io("read the sample")(io::Error::other(error)))
    };
    Ok([sample(0)?, sample(1)?])
}

/// Where the bulk files are, a folder for each state of the records.
fn bulk(dir: &Path) -> PathBuf {
    dir.join("quickstats")
}

/// A local Quick Stats that runs as long as this exists.
struct Service {
    server: LocalServer,
    holdings: Arc<Holdings>,
    limit: u64,
}

impl Service {
    fn start(records: StatRecords, limit: u64) -> Result<Self, Cause> {
        let mut api = QuickStats::new(records);
        api.key = Some(KEY.to_owned());
        api.limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let holdings = Holdings::new(api, None, None);
        let server = LocalServer::start(router(holdings.clone()))
            .map_err(Cause::io("serve on the loopback address"))?;
        Ok(Self { server, holdings, limit })
    }

    fn url(&self) -> String {
        format!("{}/api", self.server.url())
    }

    fn revise(&self, records: StatRecords) {
        self.holdings.api().records = Arc::new(records);
    }
}

fn run_config(
    place: &DemoPlace,
    service: &Service,
    years: (i16, i16),
    max_age: u32,
) -> Result<RunConfig, Cause> {
    let options = of_service(years, &service.url(), service.limit, max_age);
    let secret = ApiSecret::local(KEY);
    let mut config = RunConfig::plainly_asked(&NASS, (options, secret), place.store()?, place.database()?)?;
    config.processing.duckdb.memory_mib = 128;
    Ok(config)
}

async fn run_and_show(config: RunConfig, report: &Report, server: &Server) -> Result<(), Failure> {
    let ledger = config.target.database.ledger_schema.clone();
    let done = run::run(config, report).await?;
    say_line!("\n{}", summary::render(&done));
    say_line!("{}", changed(server, &ledger, &done).await?);
    Ok(())
}

/// What a run asked and changed, from the ledger.
async fn changed(server: &Server, ledger: &str, done: &Summary) -> Result<String, Cause> {
    let failed = |e| postgres::classify(e, "look at the ledger");
    let connection = postgres::connect(&server.url, "demo").await?;
    let run_id = done.run_id.to_string();
    let query = sql::render(sql::DEMO_CHANGED, &[("ledger", ledger), ("run_id", &run_id)]);
    let row = connection.query_one(&query, &[]).await.map_err(failed)?;
    let number = |at: usize| row.try_get::<_, i64>(at).map(|number| count(number as u64)).map_err(failed);
    let requests = done.plan.as_ref().map_or(0, |plan| plan.requests);
    Ok(format!(
        "   The ledger: {} answers with {} records, for {} requests in all. Before, {} rows were there: {} were \
         replaced and\n   \
         {} deleted; {} came, and {} are there.\n",
        number(0)?,
        number(1)?,
        count(requests),
        number(2)?,
        number(4)?,
        number(5)?,
        number(3)?,
        number(6)?
    ))
}

/// The yields of corn in the newest year, in the demo's folder.
fn map_config(place: &DemoPlace) -> Result<MapConfig, Cause> {
    let missing = || Cause::usage("there is no map of it");
    let map = NASS.map.ok_or_else(missing)?;
    Ok(MapConfig {
        database: place.database()?,
        dataset: &NASS,
        map,
        division: map.divisions.first().ok_or_else(missing)?,
        measure: map.measures.first().ok_or_else(missing)?,
        since: Some(jiff::civil::date(LAST_YEAR, 1, 1)),
        until: Some(jiff::civil::date(LAST_YEAR, 12, 31)),
        out: place.dir.join("corn.svg"),
        file: MapFile::Picture,
        note: Some("Made-up data of the demo: this corn never grew."),
    })
}

fn next_steps(place: &DemoPlace) {
    let tool = DemoPlace::tool();
    let (dir, database, options) = (place.dir.display(), &place.database_url, place.options());
    let bulk = bulk(&place.dir);
    say_line!("\n6. What to try next:");
    say_line!("   ls {dir}/store/public/nass");
    say_line!("   {tool} status last --database-url {database}");
    say_line!(
        "   {tool} map nass --by county --measure cattle --out {dir}/cattle.html --database-url {database}"
    );
    say_line!("   {tool} reprocess nass '{LAST_YEAR}-*' --force {options}");
    say_line!("      (the answers are in the archive: no request is made)");
    say_line!(
        "   {tool} run nass --from {FIRST_YEAR} --to {LAST_YEAR} --via bulk --bulk-url dir:{}/revised --table from_bulk {options}",
        bulk.display()
    );
    say_line!("      (the same records from bulk files, into a table of their own)");
    say_line!("   export NASS_API_KEY=…");
    say_line!(
        "   {tool} run nass --from {LAST_YEAR} --filter commodity_desc=CORN --agg-level COUNTY --table real_corn {options}"
    );
    say_line!(
        "      (real ones; https://quickstats.nass.usda.gov/api sends a key by e-mail, free of charge)"
    );
    say_line!("   {tool} --help");
    place.say_how_to_remove();
}
