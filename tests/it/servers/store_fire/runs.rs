//! Whole runs whose source and store are behind the proxy.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Place;
use crate::engine::readers::case;
use crate::support::extract::Extract;
use crate::support::fire::Fault;

const MANIFEST: &str = "public/manifest.json";
const SLOW_DOWN: Fault = Fault::Answer(503, "SlowDown");
const BROKEN: Fault = Fault::Answer(500, "InternalError");

/// A week that adds a case, replaces one and deletes one.
fn next_week() -> Extract {
    let week = Extract::weekly("2024-01-08");
    week.case("new", &case("second", 2)).case("stays", &case("second", 1)).delete("goes")
}

/// A place where a week is in production, and the next weeks wait.
async fn place(hint: &str) -> Place {
    let place = Place::new(hint).await;
    let week = Extract::weekly("2024-01-01");
    place.put(week.case("stays", &case("first", 2)).case("goes", &case("first", 2))).await;
    place.pipeline.run().await.exits(0);
    place.put(next_week()).await;
    for date in ["2024-01-15", "2024-01-22"] {
        place.put(Extract::weekly(date).case(date, &case("later", 1))).await;
    }
    place.fire.heal();
    place
}

#[tokio::test]
async fn when_every_request_goes_wrong_once_the_run_does_not() {
    let calm = place("fire calm").await;
    calm.pipeline.run().await.exits(0);
    let place = place("fire everywhere").await;
    place.fire.strike_each_once(&[
        // Lists come first, and a damaged list is not asked for again.
        SLOW_DOWN,
        BROKEN,
        Fault::FlipBody(20),
        Fault::CutRequest(20),
        Fault::CutBody(20),
        Fault::LoseAnswer,
        Fault::Delay(Duration::from_secs(2)),
    ]);
    let old = place.public().await;
    let started = Instant::now();
    let run = place.pipeline.start(&[]);
    let mut looks = Vec::new();
    while !run.is_finished() {
        looks.push(place.public().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ran = run.await.unwrap().exits(0);
    let new = place.public().await;
    for look in &looks {
        // Each look reads the manifest before the tables. If the manifest is new, so are the tables.
        let is_new = look[MANIFEST] == new[MANIFEST];
        for (key, bytes) in look.iter().filter(|(key, _)| key.ends_with(".csv")) {
            assert!(
                *bytes == new[key] || !is_new && *bytes == old[key],
                "{key} is neither the old nor the new one"
            );
        }
    }
    let mixed = looks.iter().filter(|look| look.values().ne(old.values()) && look.values().ne(new.values()));
    assert!(mixed.count() > 3, "nobody looked while it was published");
    let seen = place.fire.seen();
    let struck: Vec<_> = seen.iter().filter_map(|seen| seen.fault).collect();
    println!("{} of {} requests struck, {:?}", struck.len(), seen.len(), started.elapsed());
    let asked_for: BTreeSet<_> = seen.iter().map(|seen| (&seen.method, &seen.target)).collect();
    assert_eq!(struck.len(), asked_for.len());
    assert!(struck.len() > 30);
    for fault in
        [SLOW_DOWN, Fault::FlipBody(20), Fault::CutRequest(20), Fault::CutBody(20), Fault::LoseAnswer]
    {
        assert!(struck.contains(&fault), "{fault:?} struck nothing");
    }
    assert_eq!(place.pipeline.tables("public").await, calm.pipeline.tables("public").await);
    assert!(place.is_consistent().await);
    for (key, bytes) in calm.public().await {
        assert!(key.ends_with("manifest.json") || place.public().await[&key] == bytes, "{key}");
    }
    assert_eq!(ran.count("records_loaded"), 4);
    assert_eq!(place.unfinished().await, Vec::<String>::new());
}

/// Permanent errors: (method, part of the target, fault, exit code, words of the message).
const FOR_GOOD: [(&str, &str, Fault, i32, &str); 9] = [
    ("GET", "list-type=2", SLOW_DOWN, 1, "list s3://"),
    ("GET", "list-type=2", Fault::ShortBody(150), 1, "the answer is cut"),
    ("GET", "weekly/LandlordTenant", BROKEN, 1, "InternalError"),
    ("GET", "weekly/LandlordTenant", Fault::FlipBody(150), 1, "what arrived is not what was sent"),
    ("GET", "weekly/LandlordTenant", Fault::ShortBody(150), 1, "what arrived is not what was sent"),
    ("PUT", "private/LandlordTenant", SLOW_DOWN, 1, "SlowDown"),
    ("PUT", "oca_parties.csv", Fault::FlipRequest(20), 1, "what arrived is not what was sent"),
    ("PUT", "private/runs", Fault::CutRequest(20), 1, "upload s3://"),
    ("PUT", "public/oca_warrants.csv", SLOW_DOWN, 4, "The data is committed"),
];

#[tokio::test]
async fn what_goes_wrong_for_good_is_said_in_time_and_the_next_run_is_as_if_nothing_had_been() {
    let calm = place("fire calm").await;
    let before = calm.pipeline.tables("public").await;
    calm.pipeline.run().await.exits(0);
    let after = calm.pipeline.tables("public").await;
    join_all(FOR_GOOD.map(|(method, part, fault, code, words)| {
        let (before, after) = (&before, &after);
        async move {
            let place = place("fire for good").await;
            place.fire.strike(method, part, fault, 999);
            let started = Instant::now();
            let ran = place.pipeline.run().await.exits(code).says(words);
            let took = started.elapsed();
            let attempts = place.fire.seen().iter().filter(|seen| seen.fault.is_some()).count();
            println!("{method} {part} {fault:?}: {attempts} attempts, {took:?}: {}", ran.failure());
            assert!(took < Duration::from_secs(60) && (1..=6).contains(&attempts), "{attempts}, {took:?}");
            let ran = ran.says("s3://");
            if code == 1 {
                let ran = ran.says("The database is unchanged.");
                assert_eq!(place.pipeline.tables("public").await, *before, "{method} {part} {fault:?}");
                assert!(ran.failure().contains("run again"), "what to do: {}", ran.failure());
            }
            place.fire.heal();
            place.pipeline.run().await.exits(0);
            assert_eq!(place.pipeline.tables("public").await, *after, "{method} {part} {fault:?}");
            assert!(place.is_consistent().await);
            assert_eq!(place.unfinished().await, Vec::<String>::new());
        }
    }))
    .await;
}

/// The sender's zips may lack a checksum, and zips that came in parts have none that a reader can use. Then the zip's
/// own checksum shows the damage.
#[tokio::test]
async fn damage_without_a_checksum_of_the_store_never_becomes_rows() {
    let place = Place::new("fire no checksum").await;
    place.put(Extract::weekly("2024-01-01").case("stays", &case("first", 1))).await;
    place.pipeline.run().await.exits(0);
    let before = place.pipeline.tables("public").await;
    let large = Extract::weekly("2024-01-15").case("large", &case("third", 1)).padded(17 << 20);
    place.put_in_parts(&large).await;
    let bytes = large.bytes();
    let at = bytes.windows(5).position(|part| part == b"third").expect("it is stored as it is");
    for fault in [Fault::FlipBody(at), Fault::ShortBody(9 << 20)] {
        place.fire.heal();
        place.fire.strike("GET", "2024-01-15", fault, 99);
        let ran = place.pipeline.run().await.exits(1).says("The database is unchanged.");
        println!("{fault:?}: {}", ran.failure());
        assert_eq!(place.pipeline.tables("public").await, before, "{fault:?}");
    }
    place.fire.heal();
    place.pipeline.run().await.exits(0);
    assert_eq!(
        place.pipeline.one("select status from oca_index where indexnumberid = 'large'").await,
        "third"
    );
    // The same when the file is read from the archive.
    let tables = place.pipeline.tables("public").await;
    place.fire.strike("GET", "private/LandlordTenant.Incr.2024-01-15", Fault::FlipBody(at), 99);
    let again = ["reprocess", "oca", "*2024-01-15*", "--force", "--overwrite-newer"];
    place.pipeline.other(&again).await.exits(1).says("The database is unchanged.");
    assert_eq!(place.pipeline.tables("public").await, tables);
}
