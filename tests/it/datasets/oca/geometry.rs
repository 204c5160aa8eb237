//! PostGIS that comes after the addresses were located: their geometry is filled in, whichever way its column was added.

use super::geocode::{pipeline, week};
use crate::support::geocoder::{GeocoderServer, Mode};
use crate::support::pipeline::Pipeline;

const PLACES: &str = "select concat_ws('|', count(lat), count(geom)) from oca_addresses";
/// As a program may do that writes the places itself.
const EMPTIED: &str = "update oca_addresses set geom = null";

/// Five addresses that were located before there was PostGIS.
async fn located_without_postgis(server: &GeocoderServer) -> Pipeline {
    let pipeline = pipeline(server).await;
    pipeline.execute("drop extension postgis cascade").await;
    pipeline.put(week("2024-05-06", 1, 5));
    pipeline.run().await.exits(0);
    pipeline.other(&["check", "oca"]).await.exits(0).says("\nok    geocode ");
    pipeline.execute("create extension postgis").await;
    pipeline
}

#[tokio::test(flavor = "multi_thread")]
async fn adopt_fills_in_the_geometry_that_it_adds() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = located_without_postgis(&server).await;
    let shown = pipeline.other(&["adopt", "oca"]).await.exits(0);
    shown.says("oca_addresses column geom").says("Runs work without a column");
    let dry = pipeline.other(&["adopt", "oca", "--fix", "--dry-run"]).await.exits(0);
    dry.says("5 rows of oca_addresses with lat and lon and without geom");
    let fixed = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    fixed.says("Completed: 5 rows of oca_addresses with lat and lon and without geom");
    assert_eq!(pipeline.one(PLACES).await, "5|5");
    pipeline.other(&["check", "oca"]).await.exits(0).says("\nok    geocode ");
    let again = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    assert!(!again.stdout.contains("Completed"), "{}", again.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_and_the_next_run_fill_in_what_is_missing() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = located_without_postgis(&server).await;
    pipeline.execute("alter table oca_addresses add column geom geometry(point, 4326)").await;
    let warned = pipeline.other(&["check", "oca"]).await.exits(0).says("\nwarn  geocode ");
    let warned = warned.says("5 rows of oca_addresses with lat and lon and without geom");
    warned.says("merganser backfill oca geocode completes them");
    let asked = server.requests();
    let backfill = ["backfill", "oca", "geocode"];
    let dry = pipeline.other(&[&backfill[..], &["--dry-run"]].concat()).await.exits(0);
    dry.says("5 rows with lat and lon and without geom would be completed")
        .says("The database is unchanged.");
    assert_eq!(pipeline.one(PLACES).await, "5|0");
    let filled = pipeline.other(&backfill).await.exits(0).says("0 of 0 open address");
    let filled = filled.says("oca_addresses: 5 rows with lat and lon and without geom completed");
    filled.says("The public files are written again.");
    assert_eq!(pipeline.one(PLACES).await, "5|5");
    let again = pipeline.other(&backfill).await.exits(0);
    assert!(!again.stdout.contains("completed") && !again.stdout.contains("public"), "{}", again.stdout);
    pipeline.execute(EMPTIED).await;
    pipeline.put(week("2024-05-13", 6, 1));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one(PLACES).await, "6|6");
    assert_eq!(server.requests(), asked + 1, "nobody is asked for a geometry");
}
