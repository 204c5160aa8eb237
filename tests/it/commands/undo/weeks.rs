//! A week that was loaded by mistake is undone: rows, metadata, origins, files and failed records.

use std::collections::BTreeMap;

use crate::engine::readers::case;
use crate::support::csv::Cell;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, rows};

/// All that an undo must restore: the tables, the derived tables, and the ledger's data about later files.
pub async fn everything(pipeline: &Pipeline) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let mut all = pipeline.tables("public").await;
    let client = pipeline.database.client().await;
    for (name, query) in [
        ("summary", "select * from oca_case_summary order by indexnumberid"),
        (
            "origins",
            "select record_id, part_id, ordinal, loaded_at from etl.record_origins order by record_id",
        ),
        (
            "open failures",
            "select failed_record_id, record_id from etl.failed_records where resolved_at is null order by 1",
        ),
    ] {
        all.insert(name.into(), rows(&client, query).await);
    }
    all
}

/// The id of the last run of these kinds that was no dry run.
pub async fn last_run(pipeline: &Pipeline) -> String {
    let query = "select run_id::text from etl.runs where not dry_run order by started_at desc limit 1";
    pipeline.one(query).await
}

/// Status of each part of a run, by name.
async fn parts(pipeline: &Pipeline, run: &str) -> Vec<String> {
    let query = format!("select name || ' ' || status from etl.parts where run_id = '{run}' order by name");
    pipeline.column(&query).await
}

/// Three cases, one with a failed record, and a bad week that changes one case, adds one, settles the failure, seals
/// one, and has failures of its own.
async fn bad_week(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    let week = Extract::weekly("2024-01-08").case("a", &case("one", 2)).case("b", &case("one", 1));
    pipeline.put(week.case("d", &case("one", 1)).case("f", "<FiledDate>soon</FiledDate>"));
    pipeline.run().await.exits(3);
    pipeline.execute("update oca_addresses set bbl = '1000010001' where indexnumberid = 'a'").await;
    pipeline
}

fn put_bad(pipeline: &Pipeline) {
    let week = Extract::weekly("2024-01-15").case("a", &case("two", 3)).case("c", &case("two", 1));
    pipeline.put(week.case("f", &case("two", 1)).case("g", "<FiledDate>soon</FiledDate>"));
}

#[tokio::test]
async fn a_week_is_taken_back_and_brought_again() {
    let pipeline = bad_week("undo week").await;
    let before = everything(&pipeline).await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let run = last_run(&pipeline).await;
    let after = everything(&pipeline).await;
    assert!(before != after);

    let dry = pipeline.other(&["undo", &run, "--dry-run"]).await.exits(0);
    let dry = dry.says("A dry run, rolled back: 1 case restored, 2 cases removed; 1 file");
    assert!(!dry.stdout.contains("by hand"), "{}", dry.stdout);
    assert!(everything(&pipeline).await == after);

    pipeline.other(&["undo", &run]).await.exits(0).says("Committed: 1 case restored, 2 cases removed");
    let found = everything(&pipeline).await;
    for (name, rows) in &before {
        assert_eq!(&found[name], rows, "{name}");
    }
    assert_eq!(parts(&pipeline, &run).await, ["LandlordTenant.Incr.2024-01-15.zip undone"]);
    let own = format!("select record_id || ' ' || resolution from etl.failed_records where run_id = '{run}'");
    assert_eq!(pipeline.column(&own).await, ["g undone"]);
    let published = pipeline.csv("public/oca_index.csv");
    assert_eq!(published.rows.len(), 3, "the public files are written anew");

    // No run takes the file again, and the run says so.
    pipeline.run().await.exits(0).says("was undone").says("--force takes it");
    pipeline.other(&["reprocess", "oca", "*"]).await.exits(3).says("was undone");
    let undo = "select run_id::text from etl.runs where kind = 'undo' and not dry_run order by started_at desc limit 1";
    let undo = pipeline.one(undo).await;
    pipeline.other(&["undo", &undo]).await.exits(1).says("later runs have changed");
}

#[tokio::test]
async fn an_undo_can_be_undone_and_that_too() {
    let pipeline = bad_week("undo twice").await;
    let before = everything(&pipeline).await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let run = last_run(&pipeline).await;
    let after = everything(&pipeline).await;
    let status = parts(&pipeline, &run).await;
    let mut last = run.clone();
    for round in 0..2 {
        pipeline.other(&["undo", &last]).await.exits(0);
        last = last_run(&pipeline).await;
        assert!(everything(&pipeline).await == before, "round {round}");
        pipeline.other(&["undo", &run]).await.exits(2).says("is undone already");
        pipeline.other(&["undo", &last]).await.exits(0);
        last = last_run(&pipeline).await;
        let found = everything(&pipeline).await;
        for (name, rows) in &after {
            assert_eq!(&found[name], rows, "{name} in round {round}");
        }
        assert_eq!(parts(&pipeline, &run).await, status);
    }
    // After all that, the run itself can be undone too.
    pipeline.other(&["undo", &run]).await.exits(0);
    assert!(everything(&pipeline).await == before);
}

/// Later files load as if the undone run had never been.
#[tokio::test]
async fn later_files_load_as_if_it_had_never_been() {
    let pipeline = bad_week("undo later").await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let run = last_run(&pipeline).await;
    pipeline.other(&["undo", &run]).await.exits(0);
    // This file is older than the undone week and newer than everything else.
    pipeline.put(Extract::weekly("2024-01-12").case("a", &case("three", 1)).case("c", &case("three", 2)));
    pipeline.run().await.exits(0);
    let marks =
        "select string_agg(indexnumberid || ':' || status, ' ' order by indexnumberid) from oca_index";
    assert_eq!(pipeline.one(marks).await, "a:three b:one c:three d:one");
    // The undone file, by force: it is newer.
    pipeline.other(&["reprocess", "oca", "*2024-01-15*", "--force"]).await.exits(3);
    assert_eq!(pipeline.one(marks).await, "a:two b:one c:two d:one f:two");
    // Another posting of the file is taken without force.
    let pipeline = bad_week("undo posted").await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    pipeline.other(&["undo", "last"]).await.exits(0);
    pipeline.put(Extract::weekly("2024-01-15").case("a", &case("four", 4)));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one(marks).await, "a:four b:one d:one");
}

/// A sender who goes back to what was undone, after another posting that was undone too, does not bring it back.
#[tokio::test]
async fn content_that_was_undone_does_not_come_back_under_a_later_posting() {
    let pipeline = bad_week("undo content").await;
    let before = everything(&pipeline).await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let after = everything(&pipeline).await;
    pipeline.other(&["undo", "last"]).await.exits(0);
    let undo = last_run(&pipeline).await;
    pipeline.put(Extract::weekly("2024-01-15").case("a", &case("four", 4)));
    pipeline.run().await.exits(0);
    pipeline.other(&["undo", "last"]).await.exits(0);
    for options in [&["--dry-run"][..], &[]] {
        put_bad(&pipeline);
        pipeline.run_with(options).await.exits(0).says("this content was undone").says("brings it back");
        assert!(everything(&pipeline).await == before);
    }
    pipeline.other(&["undo", &undo]).await.exits(0);
    let found = everything(&pipeline).await;
    for (name, rows) in &after {
        assert_eq!(&found[name], rows, "{name}");
    }
    // What was never undone comes as before.
    pipeline.put(Extract::weekly("2024-01-15").case("a", &case("five", 1)));
    pipeline.run().await.exits(0);
    pipeline.other(&["undo", "last"]).await.exits(0);
    pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(3).says("although its data was undone");
}

/// Content is read again, and that is undone: what the first run has loaded of it stands.
#[tokio::test]
async fn content_that_was_read_twice_is_not_undone_with_the_second_time() {
    let pipeline = Pipeline::new("undo read twice").await;
    let put = |text: &str| {
        pipeline.put(Extract::weekly("2024-01-08").case("a", &case(text, 2)).case("b", &case(text, 1)));
    };
    let cases = async || {
        pipeline.column("select concat_ws(' ', indexnumberid, status) from oca_index order by 1").await
    };
    put("one");
    pipeline.run().await.exits(0);
    let first = cases().await;
    pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(0);
    pipeline.other(&["undo", "last"]).await.exits(0);
    assert!(cases().await == first);
    let ran = pipeline.run().await.exits(0).says("Nothing new");
    assert!(!ran.stderr.contains("undone"), "{}", ran.stderr);
    put("two");
    pipeline.run().await.exits(0);
    assert!(cases().await != first);
    // The sender takes the correction back.
    put("one");
    pipeline.run().await.exits(0);
    assert_eq!(cases().await, first);
}

/// As in a run, the message says that the undo is committed, and the next run publishes.
#[tokio::test]
async fn an_undo_that_cannot_publish_is_committed_and_says_so() {
    let pipeline = bad_week("undo unpublished").await;
    let before = everything(&pipeline).await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let failing = [("FAULTS", "publish.begin=fail")];
    let ran = pipeline.start_other(&["undo", "last"], &failing).await.expect("it is over");
    ran.exits(4).says("committed");
    assert!(everything(&pipeline).await == before);
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 5);
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 3);
}

#[tokio::test]
async fn a_first_load_goes_only_if_that_is_let_through() {
    let pipeline = Pipeline::new("undo first").await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", &case("one", 2)).case("b", &case("one", 1)));
    pipeline.run().await.exits(0);
    let run = last_run(&pipeline).await;
    pipeline
        .other(&["undo", &run])
        .await
        .exits(1)
        .says("guard drop")
        .says("--allow drop")
        .says("is unchanged");
    pipeline.other(&["undo", &run, "--dry-run"]).await.exits(1).says("--allow drop");
    pipeline.other(&["undo", &run, "--allow", "drop"]).await.exits(0);
    for (table, rows) in pipeline.tables("public").await {
        assert!(rows.is_empty(), "{table}");
    }
    assert_eq!(pipeline.one("select count(*) from etl.record_origins").await, "0");
}

/// A tombstone is permanent, whether it was set before the run, in it or since.
#[tokio::test]
async fn no_sealed_case_comes_back() {
    let pipeline = Pipeline::new("undo sealed").await;
    let week = Extract::weekly("2024-01-08").delete("p");
    let week = ["q", "r", "s"].into_iter().fold(week, |week, id| week.case(id, &case("one", 1)));
    pipeline.put(week);
    pipeline.run().await.exits(0);
    // The bad week seals q; the week after it seals s.
    let bad = Extract::weekly("2024-01-15").case("p", &case("two", 1)).delete("q").case("r", &case("two", 2));
    pipeline.put(bad.case("s", &case("two", 2)).case("t", &case("two", 1)));
    pipeline.run().await.exits(0);
    let run = last_run(&pipeline).await;
    pipeline.put(Extract::weekly("2024-01-22").delete("s").delete("t"));
    pipeline.run().await.exits(0);
    let sealed = "select indexnumberid, initialdate, updatedate, deletedate from oca_metadata
        where deletedate is not null order by 1";
    let metadata = pipeline.rows(sealed).await;
    assert_eq!(metadata.len(), 4);
    pipeline
        .other(&["undo", &run, "--allow", "drop"])
        .await
        .exits(0)
        .says("1 case restored, 0 cases removed")
        .says("2 records of deleted cases, which stay sealed");
    assert_eq!(pipeline.column("select indexnumberid || status from oca_index order by 1").await, ["rone"]);
    assert_eq!(pipeline.column("select indexnumberid from oca_case_summary order by 1").await, ["r"]);
    assert_eq!(pipeline.rows(sealed).await, metadata);
    let undo = last_run(&pipeline).await;
    pipeline.other(&["undo", &undo, "--allow", "drop"]).await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid || status from oca_index order by 1").await, ["rtwo"]);
    assert_eq!(pipeline.rows(sealed).await, metadata);
    pipeline.other(&["purge", "oca"]).await.exits(0).says("Nothing was left");
}

/// All batches of a run, also of a killed one, and several runs at once.
#[tokio::test]
async fn all_batches_and_several_runs_go_at_once() {
    let pipeline = bad_week("undo batches").await.with("--batch-mib", "1");
    let before = everything(&pipeline).await;
    pipeline.put(Extract::weekly("2024-01-15").case("a", &case("two", 3)).padded(5 << 18));
    pipeline.put(
        Extract::weekly("2024-01-16")
            .case("a", &case("three", 1))
            .case("c", &case("three", 1))
            .padded(5 << 18),
    );
    let killed = [("FAULTS", "promote.after_commit@2=kill")];
    pipeline.start_with(&[], &killed).await.expect("it is over").exits(-1);
    let first = last_run(&pipeline).await;
    pipeline.put(Extract::weekly("2024-01-22").case("a", &case("four", 2)).case("e", &case("four", 1)));
    pipeline.run().await.exits(0);
    let second = last_run(&pipeline).await;
    assert!(first != second);
    pipeline.other(&["undo", &first]).await.exits(1).says(&second).says("is unchanged");
    // The order in which the runs are named does not matter.
    pipeline.other(&["undo", &first, &second, &first]).await.exits(0);
    let found = everything(&pipeline).await;
    for (name, rows) in &before {
        assert_eq!(&found[name], rows, "{name}");
    }
}

/// A column that somebody added since gets its default; a column that is gone stops the undo.
#[tokio::test]
async fn columns_of_others_come_back_and_gone_ones_stop_it() {
    let pipeline = bad_week("undo columns").await;
    pipeline.execute("alter table oca_parties add column note text").await;
    pipeline.execute("update oca_parties set note = 'mine' where indexnumberid = 'a'").await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let run = last_run(&pipeline).await;
    pipeline.execute("alter table oca_parties add column since text default 'new'").await;
    pipeline.execute("alter table oca_parties rename column note to remark").await;
    pipeline.other(&["undo", &run]).await.exits(1).says("public.oca_parties lacks columns").says("note");
    pipeline.execute("alter table oca_parties rename column remark to note").await;
    pipeline.execute("alter table oca_index add column number bigint generated always as identity").await;
    pipeline
        .execute("alter table oca_index add column twice text generated always as (status || status) stored")
        .await;
    pipeline.other(&["undo", &run]).await.exits(0);
    let notes = "select note || ' ' || since from oca_parties where indexnumberid = 'a'";
    assert_eq!(pipeline.column(notes).await, ["mine new", "mine new"]);
    assert_eq!(pipeline.one("select twice from oca_index where indexnumberid = 'a'").await, "oneone");
}

/// A retry reads only some records of a file. Undoing it takes back only those, and opens the failed records again.
#[tokio::test]
async fn a_retry_is_taken_back() {
    const MOTIONS: &str =
        "<Motions><Motion><Sequence>1</Sequence></Motion><Motion><Sequence>1</Sequence></Motion></Motions>";
    let pipeline = Pipeline::new("undo retry").await;
    pipeline.put(Extract::weekly("2024-01-08").case("good", &case("one", 1)).case("a", MOTIONS));
    pipeline.run_older(&[]).await.exits(3);
    let before = everything(&pipeline).await;
    pipeline.other(&["retry", "oca"]).await.exits(0);
    let after = everything(&pipeline).await;
    pipeline
        .other(&["undo", "last", "--allow", "drop"])
        .await
        .exits(0)
        .says("0 cases restored, 1 case removed");
    assert!(everything(&pipeline).await == before);
    let ran = pipeline.run().await.exits(0);
    assert!(!ran.stderr.contains("was undone"), "the file itself was not undone: {}", ran.stderr);
    pipeline.other(&["retry", "oca"]).await.exits(0);
    let found = everything(&pipeline).await;
    assert_eq!(found["oca_motions"], after["oca_motions"]);
    assert!(found["open failures"].is_empty());
}

/// A run and the undo of its undo, undone together, give the state before the run.
#[tokio::test]
async fn a_run_and_the_undo_that_brought_it_back_go_together() {
    let pipeline = bad_week("undo both").await;
    let before = everything(&pipeline).await;
    put_bad(&pipeline);
    pipeline.run().await.exits(3);
    let run = last_run(&pipeline).await;
    pipeline.other(&["undo", &run]).await.exits(0);
    let undo = last_run(&pipeline).await;
    pipeline.other(&["undo", &undo]).await.exits(0);
    let back = last_run(&pipeline).await;
    pipeline.other(&["undo", &run, &back]).await.exits(0);
    assert!(everything(&pipeline).await == before);
    pipeline.other(&["undo", &run]).await.exits(2).says(&format!("by run {undo}"));
}
