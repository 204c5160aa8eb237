//! Records and the rows that they become, both written by hand: suppressed figures, a combined county, a forecast, a week.

use std::fs;
use std::path::PathBuf;

use merganser::datasets::nass::columns::Fields;
use merganser::datasets::nass::quickstats::records::StatRecords;

use super::world::World;
use crate::support::nass_values::cells;
use crate::support::quickstats::Kind;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/it/fixtures/nass", name].iter().collect()
}

/// By the API and from a bulk file the same rows, with the keys that another program has made of the same columns.
#[tokio::test]
async fn the_golden_records_become_the_golden_rows() {
    let text = fs::read_to_string(fixture("answer.csv")).unwrap();
    let mut records = StatRecords::default();
    for line in text.lines().skip(1) {
        // What is doubled is a quote in a cell.
        let line = line.replace("\"\"GRAIN\"\"", "'GRAIN'");
        let cells: Vec<_> = cells(&line).into_iter().map(|cell| cell.replace('\'', "\"")).collect();
        let fields: Fields<'_> = std::array::from_fn(|at| cells[at].as_str());
        records.push(&fields);
    }
    assert_eq!(records.len(), 6);
    let world = World::new("nass golden", records.clone(), 2_000).await;
    world.write_bulk("crops", "2026-01-02", &records);
    let truth = fixture("").display().to_string();
    let golden = ["--golden", truth.as_str()];
    let url = world.server.bulk_url();
    let bulk = ["--via", "bulk", "--bulk-url", url.as_str(), "--filter", "sector_desc=CROPS"];
    // An answer of today is newer than the file, so the file comes first.
    world.run("2012", "2012", &[&bulk[..], &golden].concat()).await.exits(0);
    world.pipeline.execute("truncate nass_facts").await;
    world.run("2012", "2012", &golden).await.exits(0);
    assert_eq!(world.pipeline.one("select count(*) from nass_facts").await, "6");

    // One cell that is not as in the truth, and nothing is committed.
    let other = world.pipeline.folder().join("truth");
    fs::create_dir(&other).unwrap();
    let rows = fs::read_to_string(fixture("nass_facts.csv")).unwrap();
    fs::write(other.join("nass_facts.csv"), rows.replace("\"104.6\"", "\"104.7\"")).unwrap();
    world.pipeline.execute("truncate nass_facts").await;
    let other = other.display().to_string();
    let ran = world.run("2012", "2012", &["--golden", &other]).await.exits(1);
    let is_told =
        ["differ in 1 row from the truth", "104.7", "104.6"].iter().all(|words| ran.stderr.contains(words));
    assert!(is_told, "{}", ran.stderr);
    assert_eq!(world.pipeline.one("select count(*) from nass_facts").await, "0");
}

/// What the database refused is taken from the archive when it takes it, and the service is not asked.
#[tokio::test]
async fn a_retry_takes_failed_records_from_the_archive() {
    let world = World::new("nass retry", super::world::records(2014..=2014, 100), 2_000).await;
    world.run("2014", "2014", &[]).await.exits(0);
    world.pipeline.execute("create table before as select * from nass_facts; truncate nass_facts").await;
    world
        .pipeline
        .execute("alter table nass_facts add constraint small check (value <> 9 or state_alpha <> 'TX')")
        .await;
    world.run("2014", "2014", &[]).await.exits(3);
    let open = "select count(*) from etl.failed_records where resolved_at is null";
    let failed = world.pipeline.one(open).await;
    assert_ne!(failed, "0");
    world.server.forget();
    world.pipeline.other(&["retry", "nass"]).await.exits(3);
    assert_eq!(world.pipeline.one(open).await, failed, "the constraint is still there");
    world.pipeline.execute("alter table nass_facts drop constraint small").await;
    world.pipeline.other(&["retry", "nass"]).await.exits(0);
    assert_eq!(world.pipeline.one(open).await, "0");
    assert_eq!(world.server.calls(Kind::Count) + world.server.calls(Kind::Data), 0);
    let differs = "select count(*) from ((table nass_facts except all table before)
        union all (table before except all table nass_facts)) as differs";
    assert_eq!(world.pipeline.one(differs).await, "0");
}
