//! A production and a ledger that an older program left, with the first migration alone or the first two: this program
//! continues them.

use std::fs;
use std::path::Path;

use merganser::ledger::NEWEST;
use serde_json::Value;

use crate::datasets::oca::rules::{dates, marked, marks, rows_of};
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// The database that the older program left; the file's header says which commands it had run.
const LEDGER: &str = include_str!("../fixtures/ledger_of_0001.sql");
/// The database of the program that had two migrations.
const LEDGER_OF_0002: &str = include_str!("../fixtures/ledger_of_0002.sql");

/// That database, with the archive and the source that belong to it.
async fn left_behind(hint: &str) -> Pipeline {
    left_with(LEDGER, hint).await
}

/// The same for one of the ledgers.
async fn left_with(ledger: &str, hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.execute(ledger).await;
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
    // Commands that read change nothing. Any command that takes the lock upgrades the ledger.
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
    assert_eq!(one.row("LandlordTenant.Incr.2024-01-08.zip")[2..], ["4", "1", "3", "0", "0"]);
    pipeline.other(&["status", "01a21521-dc2d"]).await.exits(0).says("Novelty");
    pipeline.other(&["status", "01a21522-1cff"]).await.exits(0).says("1 of 2 records failed");
    let file = pipeline.other(&["status", "LandlordTenant.Incr.2024-01-15.zip"]).await.exits(0);
    file.says("2024-01-15").says("loaded");
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
    let check = check.says("4 of 4 to be taken").says("the last is LandlordTenant.Incr.2024-01-22.zip");
    check.says(&format!("version 1, which the next run brings to {NEWEST}; 3 files done"));
    // The week that was killed, failed and rehearsed is loaded; the finished ones are not loaded again.
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("files"), ran.count("records_seen"), ran.count("records_loaded")), (1, 2, 1));
    assert_eq!(cases(&pipeline).await, ["good", "kept", "late", "moved"]);
    pipeline.run().await.exits(0).says("Nothing new");

    // A deletion that the older program entered holds against an older file, and so does the order of the files.
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
    // The week that no run has committed is left to the next run.
    let ran = pipeline.other(&["retry", "oca"]).await.exits(3).says("no run has committed");
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (0, 2));
    pipeline.other(&["status", "mended"]).await.exits(0).says("LandlordTenant.Incr.2024-01-08.zip");

    // Somebody brings back a case that the older program had deleted.
    pipeline.execute("insert into oca_index (indexnumberid, status) values ('sealed', 'back')").await;
    let purged = pipeline.other(&["purge", "oca"]).await.exits(0);
    purged.says("oca_index: 1 row of").says("Verified: nothing of a deleted case is left");
    assert_eq!(rows_of(&pipeline, "sealed").await, 0);
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 4);
    assert_eq!(pipeline.csv("public/oca_motions.csv").rows.len(), 4);
}

/// The older program's last run died during its promotion, and this program is the first to notice.
#[tokio::test]
async fn a_run_of_an_older_program_that_died_is_abandoned() {
    let pipeline = left_behind("ledger abandoned").await;
    let died = "update etl.runs set status = 'running', finished_at = null where status = 'abandoned'";
    pipeline.execute(died).await;
    pipeline
        .run()
        .await
        .exits(3)
        .says("01a21522-0a0f-77af-b792-36c82500e294 ended without an entry in the ledger");
    let runs = json(&pipeline, &["status", "--json"]).await;
    assert_eq!(fields(&runs, &["status"])[..2], ["completed_with_failures", "rolled_back"]);
    assert_eq!(fields(&runs, &["status"])[3], "abandoned");
}

/// Every case in production.
async fn cases(pipeline: &Pipeline) -> Vec<String> {
    pipeline.column("select indexnumberid from oca_index order by 1").await
}

/// Every row of the tables that 0003_parts renames, without the new names, so that before and after can be compared.
async fn entered(pipeline: &Pipeline, [table, id, day, unknown]: [&str; 4]) -> Vec<String> {
    let parts = format!(
        "select concat_ws('|', {id}, run_id, batch, name, source, sha256, size_bytes, {day}, order_key, status, records_seen,
         records_loaded, records_failed, records_superseded, records_deleted, {unknown}, error, modified_at) from etl.{table}
         order by {id}"
    );
    let failed = format!(
        "select concat_ws('|', failed_record_id, run_id, {id}, record_id, ordinal, offset_bytes, table_name, field, value,
         reason, fragment, failed_at, resolved_by, resolved_at, resolution) from etl.failed_records order by failed_record_id"
    );
    let origins = format!(
        "select concat_ws('|', dataset, target_schema, record_id, {id}, ordinal, loaded_at) from etl.record_origins
         order by record_id"
    );
    let mut all = Vec::new();
    for query in [parts, failed, origins] {
        all.extend(pipeline.column(&query).await);
    }
    all
}

#[tokio::test]
async fn files_become_parts_and_nothing_else_of_them_changes() {
    let pipeline = left_with(LEDGER_OF_0002, "ledger of files").await;
    let before = entered(&pipeline, ["files", "file_id", "run_date", "unknown_elements"]).await;
    assert_eq!(before.len(), 6 + 6 + 3);
    pipeline.other(&["status"]).await.exits(1).says("the next run brings it up to date");
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    check.says(&format!("version 2, which the next run brings to {NEWEST}; 3 files done"));
    assert_eq!(entered(&pipeline, ["files", "file_id", "run_date", "unknown_elements"]).await, before);

    pipeline.other(&["purge", "oca", "--dry-run"]).await.exits(0);
    assert_eq!(entered(&pipeline, ["parts", "part_id", "as_of", "unknown"]).await, before);
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    check.says(&format!("version {NEWEST}; 3 files done"));

    // The fields of --json keep their names.
    let file = json(&pipeline, &["status", "LandlordTenant.Incr.2024-01-15.zip", "--json"]).await;
    let file = fields(&file, &["file_id", "run_date", "kind", "unknown_elements"]);
    assert_eq!(file, [r#"3 2024-01-15 run {"Novelty":{"count":1,"example":"x"}}"#]);
    let open = json(&pipeline, &["failures", "--json"]).await;
    let mut open = fields(&open, &["failed_record_id", "file_id", "run_date", "record_id"]);
    open.sort();
    assert_eq!(
        open,
        ["1 2 2024-01-08 mended", "3 2 2024-01-08 null", "4 4 2024-01-08 broken", "5 5 2024-01-22 bad"]
    );
}

#[tokio::test]
async fn run_reprocess_and_retry_go_on_with_a_ledger_of_files() {
    let pipeline = left_with(LEDGER_OF_0002, "ledger of files continued").await;
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("files"), ran.count("records_seen"), ran.count("records_loaded")), (1, 2, 1));
    assert_eq!(cases(&pipeline).await, ["good", "kept", "late", "moved"]);
    let settled = "select concat_ws(' ', failed_record_id, resolution) from etl.failed_records where failed_record_id in (2, 5)
        order by failed_record_id";
    assert_eq!(pipeline.column(settled).await, ["2 failed_again", "5 failed_again"]);
    pipeline.run().await.exits(0).says("Nothing new");

    let ran = pipeline.other(&["reprocess", "oca", "*Initial*", "--force"]).await.exits(0);
    assert_eq!((ran.count("records_seen"), ran.count("records_loaded")), (3, 1));
    assert_eq!((ran.count("records_superseded"), ran.count("records_deleted")), (1, 1));
    let ran = pipeline.other(&["retry", "oca", "--record", "1"]).await.exits(0);
    assert_eq!((ran.count("records_seen"), ran.count("records_loaded")), (1, 1));
    pipeline.other(&["retry", "oca", "--record", "2"]).await.exits(0).says("settled already");
    assert_eq!(cases(&pipeline).await, ["good", "kept", "late", "mended", "moved"]);
    let origins = "select concat_ws(' ', record_id, name, runs.kind) from etl.record_origins join etl.parts using (part_id)
        join etl.runs using (run_id) order by record_id";
    assert_eq!(
        pipeline.column(origins).await,
        [
            "good LandlordTenant.Incr.2024-01-08.zip run",
            "kept LandlordTenant.Initial.FiledIn2023.2024-01-01.zip reprocess",
            "late LandlordTenant.Incr.2024-01-22.zip run",
            "mended LandlordTenant.Incr.2024-01-08.zip retry",
            "moved LandlordTenant.Incr.2024-01-15.zip run",
        ]
    );
}

/// Tables, columns, constraints, indexes and sequences of an upgraded ledger have the names of a new ledger's.
#[tokio::test]
async fn no_name_in_the_schema_speaks_of_files() {
    let names = "select kind || ' ' || name from (
            select 'table' as kind, table_name as name from information_schema.tables where table_schema = 'etl'
            union all
            select 'column', table_name || '.' || column_name from information_schema.columns where table_schema = 'etl'
            union all
            select 'constraint', constraint_name from information_schema.table_constraints
            where constraint_schema = 'etl' and constraint_name not like '%not_null'
            union all
            select 'index', indexname from pg_indexes where schemaname = 'etl'
            union all
            select 'sequence', sequencename from pg_sequences where schemaname = 'etl'
        ) as names order by 1";
    let new = Pipeline::new("ledger new names").await;
    new.run().await.exits(0);
    let expected = new.column(names).await;
    assert!(expected.contains(&"column parts.part_id".to_owned()), "{expected:?}");
    for (ledger, hint) in [(LEDGER, "ledger names of 1"), (LEDGER_OF_0002, "ledger names of 2")] {
        let pipeline = left_with(ledger, hint).await;
        pipeline.other(&["purge", "oca", "--dry-run"]).await.exits(0);
        let found = pipeline.column(names).await;
        let old = ["file", "run_date", "unknown_elements"];
        // These hold files of a reference and of a bucket, which were never parts.
        let files = ["reference_files", "transform_bucket_files"];
        let others = found.iter().filter(|name| !files.iter().any(|files| name.contains(files)));
        let left: Vec<_> = others.filter(|name| old.iter().any(|old| name.contains(old))).collect();
        assert_eq!(left, Vec::<&String>::new());
        assert_eq!(found, expected);
    }
}

/// The older program is still at work, so its tables are not renamed under it.
#[tokio::test]
async fn a_ledger_is_not_brought_up_to_date_under_a_run() {
    let pipeline = left_with(LEDGER_OF_0002, "ledger in use").await;
    let older = pipeline.database.client().await;
    older.batch_execute("select pg_advisory_lock(hashtextextended('merganser/etl/oca', 0))").await.unwrap();
    pipeline.start(&[]).await.unwrap().exits(75).says("a run that began before this merganser");
    assert_eq!(pipeline.one("select max(version) from etl.migrations").await, "2");
    assert_eq!(pipeline.one("select count(*) from etl.files").await, "6");
    older.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
    pipeline.run().await.exits(3);
    assert_eq!(pipeline.one("select max(version) from etl.migrations").await, NEWEST.to_string());
}
