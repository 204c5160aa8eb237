//! The search for records that exclude each other.

use std::time::{Duration, Instant};

use super::{cases, many, open, party, pipeline, status};
use crate::support::extract::Extract;

#[tokio::test]
async fn of_two_cases_with_one_value_the_later_fails() {
    let unique = "alter table oca_index add constraint one_status unique (status)";
    let pipeline = pipeline("refused unique", unique).await;
    // The same value in production, within a file and across files of a batch. The record that has it may load it
    // again.
    pipeline.put(
        Extract::weekly("2024-01-08")
            .case("production", &status("kept"))
            .case("a", &status("a"))
            .case("b", &status("b"))
            .case("twice", &status("a"))
            .case("old", &status("kept")),
    );
    pipeline.put(Extract::weekly("2024-01-15").case("across", &status("b")).case("d", &status("d")));
    let ran = pipeline.run().await.exits(3).says("constraint one_status of oca_index refuses it (3)");
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (4, 3));
    assert_eq!(cases(&pipeline).await, ["a", "b", "d", "old"]);
    let reason = "oca_index|constraint one_status of oca_index refuses it";
    let expected = ["production|1", "twice|4", "across|1"].map(|place| format!("{place}|{reason}"));
    assert_eq!(open(&pipeline).await, expected);
    // The value is free once the other record is deleted.
    pipeline.put(Extract::weekly("2024-01-22").delete("a").case("again", &status("a")));
    pipeline.run_with(&["--allow", "drop"]).await.exits(0);
    assert_eq!(cases(&pipeline).await, ["again", "b", "d", "old"]);
}

/// A row that goes in the same batch does not stand in the way of another record's row.
#[tokio::test]
async fn a_value_that_another_record_gives_up_is_free() {
    let unique = "alter table oca_parties add constraint one_role unique (role);
        alter table oca_parties add constraint odd check (role <> 'odd' or random() < 0)";
    let pipeline = pipeline("refused moved", unique).await;
    pipeline.put(
        Extract::weekly("2024-01-08")
            .case("takes", &party("kept"))
            .case("old", &party("moved"))
            .case("also", &party("moved"))
            .case("fine", &party("fine")),
    );
    pipeline.run().await.exits(3);
    let reason = "oca_parties|constraint one_role of oca_parties refuses it";
    assert_eq!(open(&pipeline).await, [format!("also|3|{reason}")]);
    assert_eq!(cases(&pipeline).await, ["fine", "old", "takes"]);
}

/// When the later record fails, the older record of the same case counts. It may be refused too, by another kind of
/// constraint.
#[tokio::test]
async fn what_is_refused_the_second_time_is_left_out_then() {
    let constraint = "alter table oca_parties add constraint odd check (role not like 'bad%');
        alter table oca_parties add constraint one unique (role)";
    let pipeline = pipeline("refused twice", constraint).await;
    let extract = Extract::weekly("2024-01-08").case("a", &party("good")).case("b", &party("x"));
    let extract = extract.case("a", &party("bad 1")).case("a", &party("bad 2")).case("a", &party("bad 3"));
    pipeline.put(extract.case("c", &party("x")).case("d", &party("d")));
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (3, 4));
    let roles =
        "select string_agg(indexnumberid || ' ' || role, ', ' order by indexnumberid) from oca_parties";
    assert_eq!(pipeline.one(roles).await, "a good, b x, d d, old kept");
}

/// One statement per table finds them all, whatever their number.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn what_a_rows_own_values_decide_is_not_searched_for() {
    let constraint = "alter table oca_parties add constraint odd check (role <> 'bad')";
    let pipeline = pipeline("refused at once", constraint).await;
    pipeline.put(many(Extract::weekly("2024-01-08"), 100, |number| {
        number.is_multiple_of(2).then(|| "bad".to_owned())
    }));
    let trace = pipeline.folder().join("trace");
    let faults = format!("*=trace {}", trace.display());
    let ran = pipeline.start_with(&["--max-failures", "50%"], &[("FAULTS", &faults)]).await.unwrap().exits(3);
    assert_eq!(ran.count("records_failed"), 50);
    let trace = std::fs::read_to_string(trace).unwrap();
    assert_eq!(trace.lines().filter(|point| *point == "promote.attempt").count(), 1);
}

#[tokio::test]
async fn thousands_of_cases_with_a_handful_of_offenders() {
    let constraint = "alter table oca_parties add constraint one unique (role)";
    let pipeline = pipeline("refused many", constraint).await;
    let bad = |number: usize| (number % 997 == 5).then(|| "kept".to_owned());
    pipeline.put(many(Extract::weekly("2024-01-08"), 6000, bad));
    let began = Instant::now();
    let ran = pipeline.run().await.exits(3);
    let duration = began.elapsed();
    assert_eq!(ran.count("records_failed"), 7);
    println!("7 of 6000 refused: {duration:?}");
    assert!(duration < Duration::from_secs(60), "{duration:?}");
}

/// A search that is killed or fails leaves nothing behind, and the next run repeats it.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_search_that_is_broken_leaves_nothing() {
    let constraint = "alter table oca_parties add constraint one unique (role)";
    let pipeline = pipeline("refused broken", constraint).await;
    let before = pipeline.tables("public").await;
    let bad = |number: usize| (number == 7).then(|| "kept".to_owned());
    pipeline.put(many(Extract::weekly("2024-01-08"), 16, bad));
    for point in [
        "promote.refused",
        "promote.attempt@1",
        "promote.attempt@2",
        "promote.attempt@5",
        "promote.found",
        "parse.begin@2",
        "promote.before_commit",
    ] {
        for action in ["kill", "fail"] {
            let ran = pipeline.start_with(&[], &[("FAULTS", &format!("{point}={action}"))]).await.unwrap();
            assert!([1, -1].contains(&ran.code), "{point} {action}: {}", ran.stderr);
            assert_eq!(pipeline.tables("public").await, before, "{point} {action}");
            let left = "select count(*) from pg_tables where schemaname like 'pg_temp%'";
            let start = Instant::now();
            while pipeline.one(left).await != "0" && start.elapsed() < Duration::from_secs(10) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(pipeline.one(left).await, "0", "{point} {action}");
        }
    }
    // The sessions of a killed process end a moment later.
    let mut code = 75;
    while code == 75 {
        code = pipeline.start(&[]).await.unwrap().code;
    }
    assert_eq!(code, 3);
    assert_eq!(open(&pipeline).await, ["case 7|8|oca_parties|constraint one of oca_parties refuses it"]);
    assert_eq!(cases(&pipeline).await.len(), 16);
}
