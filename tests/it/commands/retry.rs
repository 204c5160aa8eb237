//! Failed records are retried: after a rule of the parser was corrected, and after their case has changed. Some cannot
//! be retried.

use std::fs;

use zip::CompressionMethod::Stored;

use crate::datasets::oca::rules::{marked, marks, rows_of};
use crate::support::extract::{DOCUMENT, Extract, zip};
use crate::support::pipeline::Pipeline;

/// A record that the older parser refuses and today's accepts.
const MOTIONS: &str =
    "<Motions><Motion><Sequence>1</Sequence></Motion><Motion><Sequence>1</Sequence></Motion></Motions>";

const RESOLUTIONS: &str =
    "select concat_ws(' ', failed_record_id, coalesce(record_id, '-'), coalesce(resolution, 'open'),
        (select kind from etl.runs where run_id = resolved_by), resolved_at > failed_at, fragment is not null)
    from etl.failed_records order by failed_record_id";

async fn last_run(pipeline: &Pipeline) -> String {
    pipeline.one("select run_id from etl.runs order by started_at desc limit 1").await
}

#[tokio::test]
async fn a_retry_reads_the_failed_records_and_no_other() {
    let pipeline = Pipeline::new("retry").await;
    let extract =
        Extract::weekly("2024-01-08").case("good", &marked("1")).case("a", MOTIONS).case("b", MOTIONS);
    let extract = extract.raw("<Index><Status>Active</Status></Index>");
    pipeline.put(extract.case("c", "<FiledDate>soon</FiledDate>"));
    let first = pipeline.run_older(&[]).await.exits(3);
    assert_eq!((first.count("records_loaded"), first.count("records_failed")), (1, 4));
    // A retry does not touch other records.
    pipeline.execute("update oca_index set status = 'by hand' where indexnumberid = 'good'").await;
    let first = last_run(&pipeline).await;

    let one = pipeline.other(&["retry", "oca", "--record", "1"]).await.exits(0);
    assert_eq!((one.count("records_seen"), one.count("records_loaded")), (1, 1));
    let expected = ["1 a loaded retry t t", "2 b open t", "3 - open t", "4 c open t"];
    assert_eq!(pipeline.column(RESOLUTIONS).await, expected);
    assert_eq!(
        pipeline.one("select resolved_by from etl.failed_records where record_id = 'a'").await,
        last_run(&pipeline).await
    );

    // The rest of that run: one more record is good now; two fail again and are listed once.
    let rest = pipeline.other(&["retry", "oca", "--run", &first]).await.exits(3);
    assert_eq!((rest.count("records_loaded"), rest.count("records_failed")), (1, 2));
    let expected = [
        "1 a loaded retry t t",
        "2 b loaded retry t t",
        "3 - failed_again retry t t",
        "4 c failed_again retry t t",
        "5 - open t",
        "6 c open t",
    ];
    assert_eq!(pipeline.column(RESOLUTIONS).await, expected);
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["a", "b", "good"]);
    assert_eq!(pipeline.one("select status from oca_index where indexnumberid = 'good'").await, "by hand");
    assert_eq!(pipeline.csv("public/oca_motions.csv").rows.len(), 4);

    // That run has no open record, and the retry has two. A retry does not turn a file with failures into a done one.
    pipeline.other(&["retry", "oca", "--run", &first]).await.exits(0).says("Nothing to retry");
    pipeline.other(&["retry", "oca", "--record", "2"]).await.exits(0).says("settled already: loaded");
    let files =
        "select concat_ws(' ', parts.status, records_seen, records_loaded, records_failed) from etl.parts
        order by part_id";
    assert_eq!(pipeline.column(files).await, ["done_with_failures 5 1 4", "retried 1 1 0", "retried 3 1 2"]);
    let origin = "select concat_ws(' ', parts.status, kind, ordinal) from etl.record_origins
        join etl.parts using (part_id) join etl.runs using (run_id) where record_id in ('a', 'good') order by record_id";
    assert_eq!(pipeline.column(origin).await, ["retried retry 2", "done_with_failures run 1"]);
    pipeline.run().await.exits(0).says("Nothing new");
}

/// The present state of a case counts, not the one of its failed record.
#[tokio::test]
async fn a_case_that_was_deleted_or_replaced_since_stays_so() {
    let pipeline = Pipeline::new("retry late").await;
    let cases = ["deleted", "deleted elsewhere", "newer", "newer elsewhere", "only here"];
    pipeline.put(
        cases
            .iter()
            .fold(Extract::weekly("2024-01-08").case("good", ""), |extract, id| extract.case(id, MOTIONS)),
    );
    pipeline.run_older(&[]).await.exits(3);
    // A later file settles the failed records of its cases.
    pipeline.put(Extract::weekly("2024-01-15").delete("deleted").case("newer", &marked("newer")));
    pipeline.run().await.exits(0);
    // Somebody else changed the tables too, and the ledger does not know.
    pipeline
        .execute(
            "insert into oca_metadata values ('deleted elsewhere', '2024-01-01', '2024-01-01', '2024-01-10'),
                 ('newer elsewhere', '2024-01-01', '2024-01-20', null);
             insert into oca_index (indexnumberid, status) values ('newer elsewhere', 'as it was')",
        )
        .await;
    pipeline.other(&["retry", "oca", "--record", "1"]).await.exits(0).says("settled already: deleted by run");

    let ran = pipeline.other(&["retry", "oca"]).await.exits(0);
    assert_eq!((ran.count("records_seen"), ran.count("records_loaded")), (3, 1));
    assert_eq!((ran.count("records_superseded"), ran.count("records_deleted")), (1, 1));
    let expected = [
        "1 deleted deleted run t f",
        "2 deleted elsewhere deleted retry t f",
        "3 newer loaded run t t",
        "4 newer elsewhere superseded retry t t",
        "5 only here loaded retry t t",
    ];
    assert_eq!(pipeline.column(RESOLUTIONS).await, expected);
    assert_eq!((rows_of(&pipeline, "deleted").await, rows_of(&pipeline, "deleted elsewhere").await), (0, 0));
    assert_eq!(marks(&pipeline, "newer").await, "newer");
    assert_eq!(marks(&pipeline, "newer elsewhere").await, "as it was");
    assert_eq!(rows_of(&pipeline, "only here").await, 3);
}

#[tokio::test]
async fn a_retry_that_is_rehearsed_changes_nothing() {
    let pipeline = Pipeline::new("retry rehearsed").await;
    pipeline.put(Extract::weekly("2024-01-08").case("good", "").case("a", MOTIONS));
    // A failed record of a dry run cannot be retried.
    pipeline.run_older(&["--dry-run"]).await.exits(3);
    assert_eq!(pipeline.one("select count(*) from etl.failed_records").await, "1");
    pipeline.other(&["failures"]).await.exits(0).says("No failed records.");
    pipeline.other(&["retry", "oca"]).await.exits(0).says("Nothing to retry");
    pipeline.run_older(&[]).await.exits(3);
    let (tables, objects) = (pipeline.tables("public").await, pipeline.objects());
    let dry =
        pipeline.other(&["retry", "oca", "--dry-run"]).await.exits(0).says("A dry run, rolled back: 1 case");
    assert_eq!(dry.count("records_loaded"), 1);
    assert_eq!(pipeline.tables("public").await, tables);
    assert_eq!(pipeline.objects(), objects);
    assert_eq!(pipeline.column(RESOLUTIONS).await, ["1 a failed_again run t t", "2 a open t"]);
}

#[tokio::test]
async fn what_cannot_be_retried_is_refused_with_a_reason() {
    let pipeline = Pipeline::new("retry refused").await;
    let name = Extract::weekly("2024-01-08").file_name();
    pipeline.put(Extract::weekly("2024-01-08").case("good", "").case("a", MOTIONS));
    let document = Extract::weekly("2024-01-15").case("b", "").document();
    let (broken, _) = document.split_once("</Indexes>").unwrap();
    let incomplete = pipeline.put_bytes("2024-01-15", &zip(&[(DOCUMENT, broken.as_bytes())], Stored));
    pipeline.run_older(&[]).await.exits(3);
    let retry = async |extra: &[&str]| pipeline.other(&[&["retry", "oca"], extra].concat()).await;
    retry(&["--record", "999"]).await.exits(2).says("no failed record 999").says("merganser failures");
    retry(&["--run", "no-such-run"]).await.exits(2).says("no run `no-such-run`").says("merganser status");
    retry(&["--run", "0"]).await.exits(2).says("fits several runs");
    let elsewhere = ["retry", "oca", "--record", "1", "--schema", "elsewhere"];
    pipeline
        .other(&elsewhere)
        .await
        .exits(2)
        .says("is of schema public, not of elsewhere")
        .says("--schema public");

    // The file is gone from the archive, or another file has its name.
    let archived = pipeline.store().join("private").join(&name);
    let bytes = fs::read(&archived).unwrap();
    fs::remove_file(&archived).unwrap();
    retry(&["--record", "1"]).await.exits(1).says(&name).says("no longer").says("The database is unchanged.");
    fs::write(
        &archived,
        Extract::weekly("2024-01-08").case("a", "<Status>forged</Status>").padded(9).bytes(),
    )
    .unwrap();
    retry(&["--record", "1"]).await.exits(1).says(&name).says("no longer as it was");
    assert_eq!(rows_of(&pipeline, "a").await, 0);
    assert_eq!(pipeline.one("select count(*) from etl.failed_records where resolved_at is null").await, "2");
    fs::write(&archived, bytes).unwrap();
    // The place where a document breaks off can be retried too, and fails again.
    let ran = retry(&[]).await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (1, 1));
    assert_eq!(rows_of(&pipeline, "a").await, 3);
    let open = "select name || ' ' || reason from etl.failed_records join etl.parts using (part_id) where resolved_at is null";
    assert!(pipeline.one(open).await.starts_with(&format!("{incomplete} the document breaks off: ")));
}
