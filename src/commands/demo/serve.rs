//! The demo of the server: a city's data points, loaded and served until it is told to stop.

use std::time::Duration;

use super::place::DemoPlace;
use crate::cli::DemoArgs;
use crate::clients::source::SourceUrl;
use crate::commands::terminal::say_line;
use crate::commands::{run, serve, summary};
use crate::config::{RunConfig, ServeConfig};
use crate::datasets::datapoints::DATAPOINTS;
use crate::datasets::datapoints::sample::{PointsArgs, write_points};
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::serve::PoolLimits;
use crate::words::count;

/// How long a question may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Makes points, loads them, says which address to open, and serves.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    let sample = PointsArgs {
        rows: args.sizes.points,
        out: dir.join("points"),
        places: 33_791,
        days: 60,
        from: jiff::civil::date(2026, 10, 1),
        seed: 1,
        plain: false,
    };
    say_line!("1. A sample: sixty days of made-up counts in a city as dense as Amsterdam.");
    let written = write_points(&sample).map_err(SampleFault::from).map_err(Cause::from)?;
    say_line!(
        "   {} ({} data points, {} postcodes)",
        sample.out.display(),
        count(written.rows),
        count(written.places)
    );
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let source = SourceUrl::Store(format!("dir:{}", sample.out.display()).parse().map_err(Cause::from)?);
    let database = place.database()?;
    let mut load = RunConfig::plain(&DATAPOINTS, source, place.store()?, database.clone());
    load.processing.duckdb.memory_mib = 128;
    let server = Server::open(&database.url).await?;
    say_line!("\n2. The run: select, fetch, parse, check, enrich, export, upload, load, promote, publish.");
    let served = async {
        let done = run::run(load, report).await?;
        say_line!("\n{}", summary::render(&done));
        say_line!(
            "3. Open this address with a browser; a postcode to begin with: {}. Ctrl-C ends the demo.",
            written.example
        );
        let limits = PoolLimits { connections: 4, waiting: 64, limit: LIMIT };
        let listen = args.listen;
        let (dates_most, min_counts, zones) = (3_660, Vec::new(), None);
        let config = ServeConfig { database, listen, limits, dates_most, min_counts, zones };
        Ok::<_, Failure>(serve::listen(&config, &server.url).await?)
    }
    .await;
    server.close().await;
    served?;
    let (tool, database) = (DemoPlace::tool(), &place.database_url);
    say_line!("\n4. What to try next:");
    say_line!("   {tool} serve --database-url {database}");
    say_line!("      (the same again, without loading)");
    say_line!("   {tool} status last --database-url {database}");
    place.say_how_to_remove();
    Ok(Exit::Done)
}
