//! A revision that was loaded by mistake is undone, slice by slice.

use std::sync::Arc;

use merganser::datasets::nass::columns::position;

use super::world::{World, records};
use crate::support::quickstats::Kind;

async fn rows(world: &World) -> String {
    world.pipeline.one("select md5(string_agg(t::text, ' ' order by record_id)) from nass_facts as t").await
}

async fn origins(world: &World) -> Vec<String> {
    let query = "select concat_ws(' ', slice, part_id, loaded_at) from etl.slice_origins order by 1";
    world.pipeline.column(query).await
}

async fn last(world: &World) -> String {
    world.pipeline.one("select run_id::text from etl.runs order by started_at desc limit 1").await
}

#[tokio::test]
async fn slices_come_back_and_other_slices_are_not_touched() {
    let world = World::new("nass undo", records(2013..=2015, 600), 2_000).await;
    world.run("2014", "2015", &[]).await.exits(0);
    let (before, origins_before) = (rows(&world).await, origins(&world).await);
    world.server.change(|api| {
        let mut records = (*api.records).clone();
        let year = position("year").unwrap();
        let row = (0..records.len()).find(|row| records.field(*row, year) == "2015").unwrap();
        records.set(row, position("Value").unwrap(), "77,777");
        records.remove(row + 1);
        api.records = Arc::new(records);
    });
    world.run("2015", "2015", &["--max-age", "0"]).await.exits(0);
    let run = last(&world).await;
    let (after, origins_after) = (rows(&world).await, origins(&world).await);
    assert!(before != after && origins_before != origins_after);
    // A run of another year does not matter.
    world.run("2013", "2013", &[]).await.exits(0);
    let other = last(&world).await;
    let undone = world.pipeline.other(&["undo", &run]).await.exits(0);
    let undone = undone.says("2 facts restored, 0 facts removed");
    drop(undone);
    // An undo publishes in all forms of the dataset, as a run does.
    let manifest = world.pipeline.objects()["public/nass/manifest.json"].clone();
    assert!(String::from_utf8(manifest).unwrap().contains("nass_facts-2015.parquet"));
    assert!(world.pipeline.objects().contains_key("public/nass/nass_facts-2015.parquet"));
    let undo = last(&world).await;
    world.pipeline.other(&["undo", &other, "--allow", "drop"]).await.exits(0).says("removed");
    assert_eq!(rows(&world).await, before);
    assert_eq!(origins(&world).await, origins_before);
    world.pipeline.other(&["undo", &undo]).await.exits(0);
    assert_eq!(rows(&world).await, after);
    assert_eq!(origins(&world).await, origins_after);
    // The undone answers are in the archive but are not taken from there: the service is asked again.
    world.pipeline.other(&["undo", &run]).await.exits(0);
    assert_eq!(rows(&world).await, before);
    world.server.forget();
    world.run("2014", "2015", &[]).await.exits(0).says("was undone");
    assert!(world.server.calls(Kind::Data) > 0, "{:?}", world.server.log());
    // The service's present answer is loaded, which prevents an undo of the run before.
    let first = "select run_id::text from etl.runs where kind = 'run' order by started_at limit 1";
    let first = world.pipeline.one(first).await;
    world.run("2015", "2015", &["--max-age", "0"]).await.exits(0);
    world.holds(2014..=2015).await;
    world.pipeline.other(&["undo", &first, "--allow", "drop"]).await.exits(1).says(&last(&world).await);
}
