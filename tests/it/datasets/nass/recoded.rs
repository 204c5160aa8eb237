//! Records that were revised so that earlier answers, or what was learnt from them, no longer fit; and archives with a gap.

use std::path::PathBuf;
use std::sync::Arc;

use merganser::datasets::nass::columns::position;
use merganser::datasets::nass::quickstats::records::StatRecords;

use super::world::{World, holds, records};
use crate::support::quickstats::Kind;

/// Gives other cells to the first records that have these.
fn recode(records: &mut StatRecords, many: usize, from: &[(&str, &str)], to: &[(&str, &str)]) {
    let at = |name: &str| position(name).unwrap();
    let is_it = |row: &usize| from.iter().all(|(name, text)| records.field(*row, at(name)) == *text);
    let rows: Vec<_> = (0..records.len()).filter(is_it).take(many).collect();
    assert_eq!(rows.len(), many);
    for row in rows {
        to.iter().for_each(|(name, text)| records.set(row, at(name), text));
    }
}

/// The parts in the archive.
fn parts(world: &World) -> Vec<PathBuf> {
    let folder = world.pipeline.folder().join("store/private/nass");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Some records get the code of a county, or of a state, that no earlier request has named. Everything is requested anew, in
/// the slices of before.
#[tokio::test]
async fn records_that_get_a_code_of_their_own_are_all_there() {
    let year = || records(2014..=2014, 900);
    for (name, to) in [("county", [("county_code", "991")]), ("state", [("state_alpha", "ZZ")])] {
        let world = World::new(&format!("nass recoded {name}"), year(), 700).await;
        let limit = ["--api-limit", "700"];
        world.run("2014", "2014", &limit).await.exits(0);
        let mut recoded = year();
        recode(&mut recoded, 5, &[("state_alpha", "VA"), ("county_code", "009")], &to);
        world.server.change(|api| api.records = Arc::new(recoded.clone()));
        world.run("2014", "2014", &[&limit[..], &["--max-age", "0"]].concat()).await.exits(0);
        world.holds(2014..=2014).await;
        // Beside them, another one is added.
        recode(&mut recoded, 5, &[("state_alpha", "TX"), ("county_code", "009")], &[("county_code", "993")]);
        let mut fields = recoded.fields(0);
        fields[position("class_desc").unwrap()] = "ONE MORE";
        let fields = fields.map(str::to_owned);
        recoded.push(&std::array::from_fn(|at| fields[at].as_str()));
        world.server.change(|api| api.records = Arc::new(recoded));
        world.run("2014", "2014", &[&limit[..], &["--max-age", "0"]].concat()).await.exits(0);
        world.holds(2014..=2014).await;
        world.server.forget();
        world.run("2014", "2014", &limit).await.exits(0);
        assert_eq!(world.server.calls(Kind::Data), 0);
        world.holds(2014..=2014).await;
    }
}

/// A county grows over the limit of one answer, while its state has as many records as before.
#[tokio::test]
async fn a_slice_that_has_grown_over_the_limit_is_split() {
    let year = || records(2014..=2014, 900);
    let world = World::new("nass grown", year(), 300).await;
    let limit = ["--api-limit", "300", "--max-age", "0"];
    world.run("2014", "2014", &limit).await.exits(0);
    let mut grown = year();
    for code in ["007", "011", "031", "047", "049", "051", "053"] {
        recode(&mut grown, 45, &[("state_alpha", "VA"), ("county_code", code)], &[("county_code", "009")]);
    }
    world.server.change(|api| api.records = Arc::new(grown));
    world.run("2014", "2014", &limit).await.exits(0);
    world.holds(2014..=2014).await;
    assert!(world.server.log().len() < 300, "{}", world.server.log().len());
}

/// A record of a narrower question is gone, and the wider answer has as many as before: what the archive has of it does not count.
#[tokio::test]
async fn a_wider_answer_that_does_not_have_what_is_counted_is_not_taken() {
    let all = || records(2014..=2015, 100);
    let world = World::new("nass outdated", all(), 2_000).await;
    world.run("2014", "2015", &["--table", "wide"]).await.exits(0);
    let mut revised = all();
    recode(&mut revised, 1, &[("commodity_desc", "CORN"), ("year", "2014")], &[("commodity_desc", "OATS")]);
    world.server.change(|api| api.records = Arc::new(revised.clone()));
    let corn = ["--filter", "commodity_desc=CORN"];
    world.server.forget();
    let planned = world.run("2014", "2015", &[&corn[..], &["--dry-run"]].concat()).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0, "{}", planned.stderr);
    let ran = world.run("2014", "2015", &corn).await.exits(0);
    assert!(ran.stderr.contains("requested again"), "{}", ran.stderr);
    assert_eq!(world.server.calls(Kind::Data), 1);
    let is_corn = |fields: &[&str]| fields[position("commodity_desc").unwrap()] == "CORN";
    let rows = (0..revised.len()).map(|row| revised.fields(row)).filter(|fields| is_corn(fields));
    holds(&world.pipeline, rows).await;
    world.server.forget();
    world.run("2014", "2015", &corn).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 0);
    // Nor is a wider question answered from it, although the count of that is the same.
    world.run("2014", "2015", &[]).await.exits(0);
    world.holds(2014..=2015).await;
}

/// A record moves to another state, which the archive knows from a narrower question about the first state alone. The wider question
/// was split into parts that all hold both states and have as many records as before.
#[tokio::test]
async fn answers_in_parts_that_a_newer_narrower_one_disproves_are_not_taken() {
    let all = || records(2013..=2015, 300);
    let world = World::new("nass disproved parts", all(), 2_000).await;
    let limit = ["--api-limit", "2000"];
    world.run("2013", "2015", &limit).await.exits(0);
    let mut revised = all();
    recode(&mut revised, 1, &[("state_alpha", "VA"), ("year", "2014")], &[("state_alpha", "TX")]);
    world.server.change(|api| api.records = Arc::new(revised.clone()));
    world.run("2013", "2015", &[&limit[..], &["--filter", "state_alpha=VA"]].concat()).await.exits(0);
    world.server.forget();
    let ran = world.run("2013", "2015", &limit).await.exits(0);
    assert!(ran.stderr.contains("requested again"), "{}", ran.stderr);
    assert_eq!(world.server.calls(Kind::Data), 1);
    world.holds(2013..=2015).await;
    // What agrees is not read for that again.
    assert!(ran.stderr.contains("is compared with 1 newer answer"), "{}", ran.stderr);
    world.server.forget();
    let ran = world.run("2013", "2015", &limit).await.exits(0);
    assert!(!ran.stderr.contains("is compared with"), "{}", ran.stderr);
    assert_eq!(world.server.calls(Kind::Data), 0);
    world.holds(2013..=2015).await;
}

/// What somebody has removed from the archive, or what was cut short there, is requested again.
#[tokio::test]
async fn what_the_archive_does_not_have_any_more_is_requested_again() {
    let world = World::new("nass archive gap", records(2014..=2014, 900), 700).await;
    let limit = ["--api-limit", "700"];
    world.run("2014", "2014", &limit).await.exits(0);
    let all = parts(&world);
    std::fs::remove_file(&all[0]).unwrap();
    let bytes = std::fs::read(&all[1]).unwrap();
    std::fs::write(&all[1], &bytes[..bytes.len() / 2]).unwrap();
    world.server.forget();
    world.run("2014", "2014", &[&limit[..], &["--table", "other"]].concat()).await.exits(0);
    assert_eq!(world.server.calls(Kind::Data), 2);
    let differ = "select count(*) from (table other except table nass_facts) as t";
    assert_eq!(world.pipeline.one(differ).await, "0");
}

/// A service that contradicts itself stops a run. The next one asks it again, and does not repeat what it was told.
#[tokio::test]
async fn a_plan_that_was_refused_is_not_followed_again() {
    let world = World::new("nass refused gather", records(2014..=2014, 300), 10).await;
    let limit = ["--api-limit", "10"];
    let ran = world.run("2014", "2014", &limit).await.exits(1);
    assert!(ran.stderr.contains("cannot be split further"), "{}", ran.stderr);
    world.server.change(|api| api.records = Arc::new(records(2014..=2014, 6)));
    world.run("2014", "2014", &limit).await.exits(0);
    world.holds(2014..=2014).await;
}
