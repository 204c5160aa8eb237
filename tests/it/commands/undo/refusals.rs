//! Runs that cannot be undone, and the messages about them.

use super::weeks::{everything, last_run};
use crate::engine::readers::case;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

async fn two_weeks(hint: &str) -> (Pipeline, String) {
    let pipeline = Pipeline::new(hint).await;
    let week = |date: &str, mark: &str, rows| {
        let week = Extract::weekly(date);
        ["a", "b", "c"].into_iter().fold(week, |week, id| week.case(id, &case(mark, rows)))
    };
    pipeline.put(week("2024-01-08", "one", 1));
    pipeline.run().await.exits(0);
    pipeline.put(week("2024-01-15", "two", 2));
    pipeline.run().await.exits(0);
    let run = last_run(&pipeline).await;
    (pipeline, run)
}

#[tokio::test]
async fn what_a_later_run_changed_is_named_and_the_same_again_is_no_change() {
    let (pipeline, run) = two_weeks("undo changed").await;
    // Rows, origins and metadata are the same as before.
    pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(0);
    let again = last_run(&pipeline).await;
    pipeline.other(&["undo", &run, "--dry-run"]).await.exits(0);
    // A case that the run did not touch does not stop the undo.
    pipeline.put(Extract::weekly("2024-01-22").case("z", &case("three", 1)));
    pipeline.run().await.exits(0);
    pipeline.other(&["undo", &run, "--dry-run"]).await.exits(0);
    // A later file has the same rows, but origin and metadata differ.
    pipeline.put(Extract::weekly("2024-01-29").case("a", &case("two", 2)).case("b", &case("three", 1)));
    pipeline.run().await.exits(0);
    let later = last_run(&pipeline).await;
    let before = everything(&pipeline).await;
    let refused = pipeline.other(&["undo", &run]).await.exits(1).says("is unchanged");
    assert!(refused.failure().contains(&format!("run {later}: 2 cases")), "{}", refused.failure());
    assert!(!refused.failure().contains(&again), "{}", refused.failure());
    assert!(everything(&pipeline).await == before);
    pipeline.other(&["undo", &run, &later]).await.exits(0);
    let marks =
        "select string_agg(indexnumberid || ':' || status, ' ' order by indexnumberid) from oca_index";
    assert_eq!(pipeline.one(marks).await, "a:one b:one c:one z:three");
    // A file with the same bytes is not taken again, whichever run took it before.
    let open = format!("select count(*) from etl.parts where run_id = '{again}' and status <> 'undone'");
    assert_eq!(pipeline.one(&open).await, "1", "the first week's part stays");
    pipeline.run().await.exits(0).says("was undone");
    assert_eq!(pipeline.one(marks).await, "a:one b:one c:one z:three");
}

/// The id of the last run of any kind.
async fn newest(pipeline: &Pipeline) -> String {
    pipeline.one("select run_id::text from etl.runs order by started_at desc limit 1").await
}

/// Typing the same command twice, or trying it as a dry run first, means the same run.
#[tokio::test]
async fn last_is_the_last_that_has_loaded_something() {
    let (pipeline, run) = two_weeks("undo last").await;
    pipeline.run().await.exits(0);
    pipeline.other(&["undo", "last", "--dry-run"]).await.exits(0);
    pipeline.other(&["undo", "last"]).await.exits(0);
    let says = format!("run {run} is undone already");
    pipeline.other(&["undo", "last"]).await.exits(2).says(&says);
}

/// A run of a dataset that loads something, as far as the ledger tells.
fn loaded(dataset: &str, when: &str) -> String {
    format!(
        "with run as (
             insert into etl.runs (run_id, dataset, target_schema, kind, options, versions, host, status, started_at)
             select gen_random_uuid(), '{dataset}', 'public', 'run', '{{}}', '{{}}', 'h', 'completed', {when}
             returning run_id
         )
         insert into etl.steps (run_id, batch, step, status) select run_id, 1, 'promote', 'completed' from run"
    )
}

#[tokio::test]
async fn last_of_several_datasets_is_named_and_if_it_cannot_be_undone_another_is() {
    let pipeline = Pipeline::new("undo last of several").await;
    pipeline.put(Extract::weekly("2024-01-01"));
    pipeline.run_with(&["--dry-run"]).await;
    pipeline.other(&["undo", "last"]).await.exits(2).says("no run has loaded anything");
    let (pipeline, run) = two_weeks("undo last of several").await;
    pipeline.execute(&loaded("datapoints", "now() - interval '1 day'")).await;
    let dry = pipeline.other(&["undo", "last", "--dry-run", "--quiet"]).await.exits(0);
    assert!(dry.stderr.contains(&format!("`last` is run {run} of oca")), "{}", dry.stderr);
    pipeline.execute(&loaded("commits", "now()")).await;
    let refused = pipeline.other(&["undo", "last"]).await.exits(1).says("runs of commits cannot be undone");
    refused.says(&format!("the newest run that can be undone is {run} of oca"));
    let done = pipeline.other(&["undo", &run]).await.exits(0);
    done.says("merganser reprocess oca NAME --force does.");
}

#[tokio::test]
async fn what_is_not_kept_is_refused_and_what_is_none_is_wrong_usage() {
    let (pipeline, run) = two_weeks("undo refused").await;
    for (words, says) in [
        (&["undo"][..], "RUN"),
        (&["undo", "nonsense"], "no run `nonsense`"),
        (&["undo", &run, "--allow", "nonsense"], "no guard `nonsense`"),
    ] {
        pipeline.other(words).await.exits(2).says(says);
    }
    pipeline.run().await.exits(0);
    let nothing = newest(&pipeline).await;
    pipeline
        .other(&["undo", &nothing])
        .await
        .exits(2)
        .says("has committed nothing")
        .says("merganser status lists the runs");
    let list = pipeline.other(&["undo", &nothing, &run]).await.exits(2).says("has committed nothing");
    list.says(&format!("leave it out: merganser undo {run}"));
    pipeline.other(&["reprocess", "oca", "*", "--force", "--dry-run"]).await.exits(0);
    pipeline.other(&["undo", &newest(&pipeline).await]).await.exits(2).says("a dry run");
    pipeline.other(&["adopt", "oca"]).await.exits(0);
    pipeline.other(&["undo", &newest(&pipeline).await]).await.exits(2).says("adopt, which cannot be undone");
    pipeline.other(&["purge", "oca"]).await.exits(0);
    pipeline.other(&["undo", &newest(&pipeline).await]).await.exits(2).says("purge, which cannot be undone");
    pipeline.put(Extract::weekly("2024-02-05").case("a", &case("three", 1)));
    pipeline.run_with(&["--keep-undo", "0"]).await.exits(0);
    pipeline.other(&["status"]).await.exits(0).says("Before-images of 2 runs take ");
    pipeline.other(&["undo", "last"]).await.exits(1).says("no before-images").says("is unchanged");
    // Without images nobody can tell whether that run changed the earlier run's cases, so all that it touched count as
    // changed.
    pipeline.other(&["undo", &run]).await.exits(1).says("1 case");
    pipeline
        .execute(
            "update etl.undo_batches set kept_until = now() - interval '1 day' where kept_until is not null",
        )
        .await;
    pipeline.other(&["undo", &run]).await.exits(1).says("and are gone");
}

#[tokio::test]
async fn what_was_written_by_hand_since_is_counted() {
    let (pipeline, run) = two_weeks("undo by hand").await;
    let dry = pipeline.other(&["undo", &run, "--dry-run"]).await.exits(0);
    assert!(!dry.stdout.contains("by hand"), "{}", dry.stdout);
    pipeline.execute("update oca_index set status = 'mine' where indexnumberid in ('a', 'b')").await;
    pipeline.execute("delete from oca_parties where indexnumberid = 'a'").await;
    pipeline.execute("update oca_metadata set initialdate = '2023-01-01' where indexnumberid = 'a'").await;
    let added = "insert into oca_causes (indexnumberid, causeofactiontype) values ('c', 'mine')";
    pipeline.execute(added).await;
    let dry = pipeline.other(&["undo", &run, "--dry-run"]).await.exits(0);
    let dry = dry.says("oca_index: 2 rows written by hand");
    let dry = dry.says("oca_metadata: 1 row written by hand");
    let dry = dry.says("oca_parties: 2 rows written by hand").says("oca_causes: 1 row written");
    assert_eq!(dry.stdout.matches("by hand").count(), 4, "{}", dry.stdout);
    pipeline.other(&["undo", &run]).await.exits(0);
    let marks =
        "select string_agg(indexnumberid || ':' || status, ' ' order by indexnumberid) from oca_index";
    assert_eq!(pipeline.one(marks).await, "a:one b:one c:one");
    assert_eq!(pipeline.one("select count(*) from oca_causes").await, "3");
}

#[tokio::test]
async fn rows_that_are_not_kept_any_more_are_not_said_to_come_back() {
    let (pipeline, run) = two_weeks("undo lost").await;
    let image =
        "select image from etl.undo_images where table_name = 'oca_index' order by image_no desc limit 1";
    let image = pipeline.one(image).await;
    pipeline.execute(&format!("truncate etl.{image}")).await;
    let before = everything(&pipeline).await;
    let refused = pipeline.other(&["undo", &run]).await.exits(1).says("is unchanged");
    refused.says("3 cases would come back without a before-image of oca_index");
    assert!(everything(&pipeline).await == before);
}
