//! Files of the archive are loaded again: what is skipped, what stays, and patterns that match nothing.

use std::fs;

use crate::datasets::oca::rules::{dates, marked, marks, rows_of};
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

const OLD: &str = "LandlordTenant.Incr.2024-01-01.zip";
const NEW: &str = "LandlordTenant.Incr.2024-01-08.zip";

/// An old file, and a newer one that has one of the old file's cases and deletes another.
async fn two_weeks(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    let old = Extract::weekly("2024-01-01").case("again", &marked("old")).case("once", &marked("old"));
    pipeline.put(old.case("sealed", &marked("old")));
    pipeline.put(Extract::weekly("2024-01-08").case("again", &marked("new")).delete("sealed"));
    pipeline.run().await.exits(0);
    pipeline
}

#[tokio::test]
async fn an_old_file_changes_nothing_that_is_newer() {
    let pipeline = two_weeks("reprocess").await;
    let before = pipeline.tables("public").await;
    // The file is done, and no record failed.
    let skipped =
        pipeline.other(&["reprocess", "oca", OLD]).await.exits(0).says("Nothing to do").says("--force");
    assert_eq!(skipped.count("files"), 0);
    assert!(skipped.stderr.contains(OLD), "it is named: {}", skipped.stderr);

    let forced = pipeline.other(&["reprocess", "oca", OLD, "--force"]).await.exits(0);
    assert_eq!((forced.count("records_seen"), forced.count("records_loaded")), (3, 1));
    assert_eq!((forced.count("records_superseded"), forced.count("records_deleted")), (1, 1));
    assert_eq!(pipeline.tables("public").await, before);
    let file =
        "select concat_ws(' ', kind, name, parts.status, records_seen, records_loaded, records_superseded,
        records_deleted) from etl.parts join etl.runs using (run_id) order by part_id desc limit 1";
    assert_eq!(pipeline.one(file).await, format!("reprocess {OLD} done 3 1 1 1"));
    let asked = "select concat_ws(' ', options -> 'asked_for' ->> 'glob', options -> 'asked_for' ->> 'force',
        options ->> 'overwrite_newer') from etl.runs order by started_at desc limit 1";
    assert_eq!(pipeline.one(asked).await, format!("{OLD} true false"));

    // The old state comes back only when an operator asks for it, and sealed cases stay sealed.
    let asked = ["reprocess", "oca", OLD, "--force", "--overwrite-newer"];
    let forced = pipeline.other(&asked).await.exits(0);
    assert_eq!((forced.count("records_loaded"), forced.count("records_superseded")), (2, 0));
    assert_eq!(marks(&pipeline, "again").await, "old");
    assert_eq!(dates(&pipeline, "again").await, "2024-01-01 2024-01-08 -");
    assert_eq!(rows_of(&pipeline, "sealed").await, 0);
    // Reprocessing the newer file brings the newest state back.
    pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(0);
    assert_eq!(pipeline.tables("public").await, before);
}

/// A file with an open failure is taken without --force.
#[tokio::test]
async fn a_file_with_an_open_failure_is_taken() {
    let pipeline = two_weeks("reprocess failures").await;
    pipeline.put(Extract::weekly("2024-01-15").case("a", "").case("bad", "<FiledDate>soon</FiledDate>"));
    pipeline.run().await.exits(3);
    let ran = pipeline.other(&["reprocess", "oca", "*"]).await.exits(3);
    assert_eq!((ran.count("files"), ran.count("records_loaded"), ran.count("records_failed")), (1, 1, 1));
    let open = "select concat_ws(' ', count(*), count(*) filter (where resolution = 'failed_again')) from etl.failed_records";
    assert_eq!(pipeline.one(open).await, "2 1");
    // Once the failure is settled, the file is done.
    pipeline.put(Extract::weekly("2024-01-22").case("bad", ""));
    pipeline.run().await.exits(0);
    pipeline.other(&["reprocess", "oca", "*"]).await.exits(0).says("Nothing to do");
}

#[tokio::test]
async fn names_that_lead_nowhere_are_answered_with_those_that_are_there() {
    let pipeline = Pipeline::new("reprocess names").await;
    let none = pipeline.other(&["reprocess", "oca", "*"]).await.exits(1).says(
        "run without a pattern first: the \
                                 archive has no files yet",
    );
    none.says("The database is unchanged.");
    let pipeline = two_weeks("reprocess names").await;
    let before = pipeline.tables("public").await;
    let ran = pipeline.other(&["reprocess", "oca", "*.2023-*"]).await.exits(1).says("matches *.2023-*");
    ran.says(OLD).says(NEW).says("The database is unchanged.");
    pipeline.other(&["reprocess", "oca", "["]).await.exits(2).says("is not a glob");
    // A pattern is not a path.
    for glob in ["../source/*", "private/*", "/*"] {
        pipeline.other(&["reprocess", "oca", glob]).await.exits(1).says(OLD);
    }

    // Files that are in the ledger but no longer in the archive: first both, then one of the two.
    fs::remove_file(pipeline.store().join("private").join(OLD)).unwrap();
    let gone = pipeline.other(&["reprocess", "oca", OLD, "--force"]).await.exits(1);
    gone.says(OLD).says("in the ledger, but no longer").says("The database is unchanged.");
    let ran = pipeline
        .other(&["reprocess", "oca", "*", "--force"])
        .await
        .exits(0)
        .says("it is not processed again");
    assert_eq!(ran.count("files"), 1);
    assert_eq!(pipeline.tables("public").await, before);
}
