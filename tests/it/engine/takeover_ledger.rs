//! A production and a ledger that an older program has left, with the first migration alone: this one goes on with them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::datasets::oca::rules::{dates, marked, marks, rows_of};
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// What the older program left; the file's header tells the story.
const LEDGER: &str = include_str!("../fixtures/ledger_of_0001.sql");

/// That database, with the archive and the source that belong to it.
async fn left_behind(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.execute(LEDGER).await;
    let archive = pipeline.store().join("private");
    fs::create_dir(&archive).unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/ledger_of_0001");
    for file in fs::read_dir(files).unwrap() {
        let file = file.unwrap();
        for folder in [&pipeline.source(), &archive] {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    pipeline
}

async fn json(pipeline: &Pipeline, words: &[&str]) -> Value {
    let said = pipeline.other(words).await.exits(0);
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}\n{}", said.stdout))
}

/// The fields of each element of a list, as text.
fn fields(list: &Value, names: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let one = |element: &Value| names.iter().map(|name| text(&element[name])).collect::<Vec<_>>().join(" ");
    list.as_array().expect("a list").iter().map(one).collect()
}

#[tokio::test]
async fn what_an_older_program_entered_is_shown() {
    let pipeline = left_behind("ledger shown").await;
    let before = pipeline.tables("public").await;
    // Reading changes nothing, so whatever takes the lock brings the ledger up to date.
    pipeline.other(&["status"]).await.exits(1).says("the next run brings it up to date");
    pipeline.other(&["purge", "oca", "--dry-run"]).await.exits(0);
    let runs = json(&pipeline, &["status", "--json"]).await;
    let expected = [
        "purge rolled_back true 0 0",
        "run rolled_back true 0 1",
        "run failed false 0 1",
        "run abandoned false 0 0",
        "retry completed_with_failures false 0 1",
        "run completed false 1 0",
        "run completed_with_failures false 4 2",
    ];
    assert_eq!(
        fields(&runs, &["kind", "status", "dry_run", "records_loaded", "failures_open"]),
        expected,
        "{runs}"
    );
    let first = "01a21521-aac6-71a2-88e3-51d41264c01d";
    let one = pipeline.other(&["status", first]).await.exits(0);
    one.says("LandlordTenant.Incr.2024-01-08.zip")
        .says("4 records: 1 loaded, 3 failed, 0 superseded, 0 deleted");
    pipeline.other(&["status", "01a21521-dc2d"]).await.exits(0).says("Novelty");
    pipeline.other(&["status", "01a21522-1cff"]).await.exits(0).says("1 of 2 records failed");
    let file = pipeline.other(&["status", "LandlordTenant.Incr.2024-01-15.zip"]).await.exits(0);
    file.says("2024-01-15").says("1 loaded");
    pipeline.other(&["status", "moved"]).await.exits(0).says("LandlordTenant.Incr.2024-01-15.zip");

    let open = json(&pipeline, &["failures", "--json"]).await;
    let mut open = fields(&open, &["failed_record_id", "record_id", "field"]);
    open.sort();
    assert_eq!(
        open,
        ["1 mended Motions/Motion/Sequence", "3 null IndexNumberId", "4 broken FiledDate", "6 bad FiledDate"]
    );
    pipeline
        .other(&["failures", "--show", "2"])
        .await
        .exits(0)
        .says("failed_again")
        .says("<FiledDate>soon</FiledDate>");
    assert_eq!(pipeline.tables("public").await, before);
}

#[tokio::test]
async fn the_next_weeks_go_on_from_there() {
    let pipeline = left_behind("ledger continued").await;
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    check.says("1 of 4 to be taken").says("the last is LandlordTenant.Incr.2024-01-22.zip");
    // The week that was killed, failed and rehearsed is taken up; what was done is not.
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("files"), ran.count("records_seen"), ran.count("records_loaded")), (1, 2, 1));
    assert_eq!(cases(&pipeline).await, ["good", "kept", "late", "moved"]);
    pipeline.run().await.exits(0).says("Nothing new");

    // A deletion that the older program entered holds against a file that is older than it, and so does order.
    let older = Extract::weekly("2024-01-10").case("sealed", &marked("back")).case("moved", &marked("back"));
    pipeline.put(older.case("older", ""));
    pipeline.put(Extract::weekly("2024-01-29").case("kept", &marked("new")).case("newest", ""));
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (2, 3));
    assert_eq!((ran.count("records_superseded"), ran.count("records_deleted")), (1, 1));
    assert_eq!(rows_of(&pipeline, "sealed").await, 0);
    assert_eq!(dates(&pipeline, "sealed").await, "2024-01-01 2024-01-10 2024-01-15");
    assert_eq!(marks(&pipeline, "kept").await, "new");
    assert_eq!(cases(&pipeline).await, ["good", "kept", "late", "moved", "newest", "older"]);
    let ran = pipeline.other(&["reprocess", "oca", "*Initial*", "--force"]).await.exits(0);
    assert_eq!((ran.count("records_seen"), ran.count("records_loaded")), (3, 0));
    assert_eq!((ran.count("records_superseded"), ran.count("records_deleted")), (2, 1));
    assert_eq!(marks(&pipeline, "kept").await, "new");
}

#[tokio::test]
async fn failed_records_of_an_older_program_can_be_retried_and_purged() {
    let pipeline = left_behind("ledger retried").await;
    let ran = pipeline.other(&["retry", "oca", "--record", "1"]).await.exits(0);
    assert_eq!((ran.count("records_seen"), ran.count("records_loaded")), (1, 1));
    assert_eq!(rows_of(&pipeline, "mended").await, 3);
    pipeline.other(&["retry", "oca", "--record", "2"]).await.exits(0).says("settled already");
    let ran = pipeline.other(&["retry", "oca"]).await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (0, 3));
    pipeline.other(&["status", "mended"]).await.exits(0).says("LandlordTenant.Incr.2024-01-08.zip");

    // Somebody brings a case back that the older program has deleted.
    pipeline.execute("insert into oca_index (indexnumberid, status) values ('sealed', 'back')").await;
    let purged = pipeline.other(&["purge", "oca"]).await.exits(0);
    purged.says("oca_index: 1 row(s)").says("Verified: nothing of a deleted case is left");
    assert_eq!(rows_of(&pipeline, "sealed").await, 0);
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 4);
    assert_eq!(pipeline.csv("public/oca_motions.csv").rows.len(), 4);
}

/// The older program's last run died as it promoted, and this one is the first to look.
#[tokio::test]
async fn a_run_of_an_older_program_that_died_is_abandoned() {
    let pipeline = left_behind("ledger abandoned").await;
    let died = "update etl.runs set status = 'running', finished_at = null where status = 'abandoned'";
    pipeline.execute(died).await;
    pipeline.run().await.exits(3).says("01a21522-0a0f-77af-b792-36c82500e294 ended without a word");
    let runs = json(&pipeline, &["status", "--json"]).await;
    assert_eq!(fields(&runs, &["status"])[..2], ["completed_with_failures", "rolled_back"]);
    assert_eq!(fields(&runs, &["status"])[3], "abandoned");
}

/// Every case in production.
async fn cases(pipeline: &Pipeline) -> Vec<String> {
    pipeline.column("select indexnumberid from oca_index order by 1").await
}
