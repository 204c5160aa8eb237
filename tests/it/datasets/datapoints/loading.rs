//! Which days are loaded, replaced and left alone.

use std::io::Write as _;

use super::world::{HEADER, PLACES, days, load, put, put_points, rollups_follow, sample, with_places};
use crate::support::pipeline::Pipeline;
use crate::support::postgres;

#[tokio::test]
async fn a_sample_becomes_tables_in_months_with_exact_rollups() {
    let pipeline = Pipeline::new("points sample").await;
    sample(
        &pipeline.source(),
        &["--rows", "6000", "--places", "900", "--days", "40", "--from", "2013-01-15"],
    );
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(
        pipeline.one("select count(*) || ' ' || count(distinct date) from datapoints").await,
        "6000 40"
    );
    assert_eq!(pipeline.one("select count(*) from datapoint_places").await, "900");
    let parts = "select inhrelid::regclass::text from pg_inherits
        where inhparent in ('datapoints'::regclass, 'datapoint_place_days'::regclass) order by 1";
    assert_eq!(
        pipeline.column(parts).await,
        [
            "datapoint_place_days_2013_01",
            "datapoint_place_days_2013_02",
            "datapoints_2013_01",
            "datapoints_2013_02"
        ]
    );
    let indexes = "select distinct amname from pg_class join pg_am on pg_am.oid = relam
        where relname like 'datapoints_2013_01_%' and relkind = 'i' order by 1";
    assert_eq!(pipeline.column(indexes).await, ["brin", "btree"], "a part has the indexes of its table");
    rollups_follow(&pipeline).await;
    let changes = "select string_agg(table_name || ' ' || inserted, ', ' order by table_name)
        from etl.table_changes where table_name in ('datapoints', 'datapoint_days', 'datapoint_places')";
    assert_eq!(pipeline.one(changes).await, "datapoint_days 40, datapoint_places 900, datapoints 6000");
    // The second run finds nothing new.
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from etl.table_changes where rows_before > 0").await, "0");
}

#[tokio::test]
async fn rows_lie_in_the_order_of_day_and_place() {
    let pipeline = with_places("points order").await;
    put_points(
        &pipeline,
        "datapoints.csv",
        "2013-01-02,1,1,1021AA,1,1,1\n2013-01-01,1,1,1021AA,2,1,1\n2013-01-02,1,1,1011AA,3,1,1\n2013-01-01,1,1,1011AA,4,1,1\n",
    );
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(
        pipeline.one("select string_agg(hits::text, ' ' order by ctid) from datapoints_2013_01").await,
        "4 2 3 1"
    );
}

#[tokio::test]
async fn a_file_replaces_the_days_that_occur_in_it_and_no_other() {
    let pipeline = with_places("points replace").await;
    put_points(
        &pipeline,
        "datapoints-1.csv",
        "2013-01-31,1,1,1011AA,10,5,1\n2013-01-31,2,1,1011AB,10,5,2\n2013-02-01,1,1,1011AA,7,7,1\n",
    );
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-31 20, 2013-02-01 7");
    put_points(&pipeline, "datapoints-2.csv", "2013-01-31,3,1,1021AA,3,,1\n2013-02-02,1,1,1021AA,1,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-31 3, 2013-02-01 7, 2013-02-02 1");
    rollups_follow(&pipeline).await;
    let change = "select concat_ws(' ', inserted, replaced, deleted) from etl.table_changes join etl.runs using (run_id)
        where table_name = 'datapoints' order by started_at desc limit 1";
    assert_eq!(pipeline.one(change).await, "1 1 1");
    // A file posted under an earlier name is still the newest posting.
    put_points(&pipeline, "datapoints-1.csv", "2013-01-31,3,1,1021AA,4,,1\n");
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-31 4, 2013-02-01 7, 2013-02-02 1");
}

#[tokio::test]
async fn on_a_replay_what_was_posted_later_wins() {
    let pipeline = with_places("points replay").await;
    put_points(&pipeline, "datapoints-1.csv", "2013-01-01,1,1,1011AA,1,1,1\n2013-01-02,1,1,1011AA,1,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    put_points(&pipeline, "datapoints-2.csv", "2013-01-02,1,1,1011AA,2,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    pipeline.other(&["reprocess", "datapoints", "datapoints-1.csv", "--force"]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 2");
    rollups_follow(&pipeline).await;
    // The same in one batch, and in several.
    for batch in [&[][..], &["--batch-mib", "1"]] {
        pipeline.execute("update datapoint_days set hits = 0").await;
        let words = [&["reprocess", "datapoints", "*", "--force"], batch].concat();
        let again = pipeline.other(&words).await.exits(0);
        assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 2", "{}", again.stderr);
        rollups_follow(&pipeline).await;
    }
}

#[tokio::test]
async fn a_correction_stays_whatever_is_read_again_and_whatever_its_name_is() {
    let pipeline = with_places("points corrected").await;
    let month = "2013-05-11,1,1,1011AA,1,1,1\n2013-05-12,1,1,1011AA,1,1,1\n2013-05-12,1,1,1011AA,many,1,1\n\
                 2013-05-13,1,1,1011AA,1,1,1\n2013-05-13,1,1,9999ZZ,8,1,1\n";
    put_points(&pipeline, "datapoints-2013-05.csv", month);
    load(&pipeline, &["--max-failures", "100%"]).await;
    let open = "select coalesce(string_agg(failed.record_id, ', ' order by ordinal), '')
        from etl.failed_records as failed where resolved_at is null";
    assert_eq!(pipeline.one(open).await, "2013-05-12 line 4, 2013-05-13 line 6");
    // By its name it comes first.
    put_points(&pipeline, "datapoints-2013-05-12-fixed.csv", "2013-05-12,1,1,1011AA,7,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    let right = "2013-05-11 1, 2013-05-12 7, 2013-05-13 1";
    assert_eq!(days(&pipeline).await, right);
    assert_eq!(pipeline.one(open).await, "2013-05-13 line 6", "the day has another file");
    put(&pipeline, "places.csv", format!("{PLACES}9999ZZ,52,4,999\n"));
    load(&pipeline, &[]).await.exits(0);
    pipeline.other(&["retry", "datapoints", "--max-failures", "100%"]).await;
    let right = right.replace("13 1", "13 9");
    assert_eq!(days(&pipeline).await, right, "what failed is loaded, and the correction stays");
    assert_eq!(pipeline.one(open).await, "", "the line that fails again is of a day that has another file");
    for (glob, extra) in [("datapoints-2013-05.csv", &[][..]), ("*", &[]), ("*", &["--batch-mib", "1"])] {
        let words = ["reprocess", "datapoints", glob, "--force", "--max-failures", "100%"];
        pipeline.other(&[&words, extra].concat()).await;
        assert_eq!(days(&pipeline).await, right, "{glob} {extra:?}");
        rollups_follow(&pipeline).await;
    }
    // The archive alone gives what the runs gave.
    pipeline
        .execute("delete from etl.record_origins; truncate datapoint_days, datapoints, datapoint_place_days, datapoint_zone_days")
        .await;
    let all = ["reprocess", "datapoints", "*", "--force", "--max-failures", "100%", "--allow", "drop"];
    pipeline.other(&all).await;
    assert_eq!(days(&pipeline).await, right);
    // Somebody may ask for the earlier file, and the one who asks for all gets the order of the runs.
    let earlier =
        [&["reprocess", "datapoints", "datapoints-2013-05.csv", "--overwrite-newer"][..], &all[3..]].concat();
    pipeline.other(&earlier).await;
    assert_eq!(days(&pipeline).await, right.replace("12 7", "12 1"));
    pipeline.other(&all).await;
    assert_eq!(days(&pipeline).await, right);
}

#[tokio::test]
async fn what_was_posted_and_not_committed_makes_no_older_content_newer() {
    let pipeline = with_places("points rejected").await;
    put_points(&pipeline, "datapoints-b.csv", "2013-01-03,1,1,1011AA,12,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    put_points(&pipeline, "datapoints-c.csv", "2013-01-03,1,1,1011AA,13,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    let odd = "2013-01-04,1,1,9999ZZ,1,1,1\n".repeat(12);
    put_points(&pipeline, "datapoints-b.csv", &format!("2013-01-03,1,1,1011AA,14,1,1\n{odd}"));
    load(&pipeline, &[]).await.exits(1);
    std::fs::remove_file(pipeline.source().join("datapoints-b.csv")).unwrap();
    pipeline.other(&["reprocess", "datapoints", "*", "--force"]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-03 13");
}

#[tokio::test]
async fn a_new_database_names_the_days_whose_order_it_does_not_know() {
    let pipeline = with_places("points order").await;
    put_points(&pipeline, "datapoints-z.csv", "2013-01-01,1,1,1011AA,1,1,1\n2013-01-02,1,1,1011AA,1,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    put_points(&pipeline, "datapoints-a.csv", "2013-01-02,1,1,1011AA,2,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 2");
    let again = postgres::database("points rebuilt").await;
    let again = pipeline.with("--database-url", again.url());
    let said = again.other(&["reprocess", "datapoints", "*"]).await.exits(0);
    said.says("the day 2013-01-02 now comes from datapoints-z.csv, but datapoints-a.csv, which is as new, has it too");
}

#[tokio::test]
async fn columns_may_be_in_any_order_and_files_packed() {
    let pipeline = with_places("points packed").await;
    let text = "sbi,postcode,date,delta,hits,id_activity,hour,remark\n1,1011 ab,2013-01-01,1,5,1,0,x\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    put(&pipeline, "datapoints-1.csv.gz", packer.finish().unwrap());
    put(
        &pipeline,
        "datapoints-2.csv.zst",
        zstd::encode_all(text.replace("01-01", "01-02").as_bytes(), 1).unwrap(),
    );
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 5, 2013-01-02 5");
    assert_eq!(pipeline.one("select min(postcode) from datapoints").await, "1011AB");
    rollups_follow(&pipeline).await;
}

#[tokio::test]
async fn where_a_place_moves_to_another_zone_the_rollups_follow() {
    let pipeline = with_places("points zones").await;
    put_points(
        &pipeline,
        "datapoints.csv",
        "2013-01-01,1,1,1011AA,1,1,1\n2013-01-01,1,1,1011AB,2,1,1\n2013-01-01,1,1,1021AA,4,,1\n",
    );
    load(&pipeline, &[]).await.exits(0);
    let zones = "select string_agg(zone || ' ' || hits, ', ' order by zone) from datapoint_zone_days";
    assert_eq!(pipeline.one(zones).await, "101 3, 102 4");
    // One place moves, one goes, one is new.
    put(
        &pipeline,
        "places.csv",
        "postcode,lat,lon,zone\n1011AB,52.371,4.891,102\n1021AA,52.38,4.9,102\n1031AA,52,4,103\n",
    );
    let run = load(&pipeline, &[]).await.exits(0);
    assert_eq!(run.stderr.matches("no longer names").count(), 1, "{}", run.stderr);
    run.says("places.csv no longer names 1 known place: the hits there (1, on 1 day) stay in the tables and are not served.");
    assert_eq!(pipeline.one(zones).await, "102 6");
    rollups_follow(&pipeline).await;
    let change = "select concat_ws(' ', inserted, replaced, deleted) from etl.table_changes join etl.runs using (run_id)
        where table_name = 'datapoint_places' order by started_at desc limit 1";
    assert_eq!(pipeline.one(change).await, "1 1 1");
    // Points of a later run need no places.csv with them.
    put_points(&pipeline, "datapoints-2.csv", "2013-01-02,1,1,1031AA,8,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(pipeline.one(zones).await, "102 6, 103 8");
}

#[tokio::test]
async fn no_run_is_undone_and_it_is_said_so() {
    let pipeline = with_places("points undo").await;
    put_points(&pipeline, "datapoints-1.csv", "2013-01-01,1,1,1011AA,1,1,1\n2013-01-02,1,1,1011AA,1,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    put_points(&pipeline, "datapoints-2.csv", "2013-01-02,1,1,1021AA,2,1,1\n2013-02-01,1,1,1021AA,9,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    pipeline.other(&["undo", "last"]).await.exits(1).says("no before-images");
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 2, 2013-02-01 9");
    // The archive brings the earlier state back.
    pipeline
        .other(&["reprocess", "datapoints", "datapoints-1.csv", "--force", "--overwrite-newer"])
        .await
        .exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 1, 2013-02-01 9");
    rollups_follow(&pipeline).await;
}

#[test]
fn the_same_seed_makes_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, seed: &str| {
        let dir = folder.path().join(name);
        sample(&dir, &["--rows", "300", "--places", "20", "--days", "3", "--plain", "--seed", seed]);
        std::fs::read_to_string(dir.join("datapoints-2013-01.csv")).unwrap()
    };
    let one = read("a", "1");
    assert!(one.starts_with(HEADER) && one.lines().count() == 301);
    assert_eq!(one, read("b", "1"));
    assert_ne!(one, read("c", "2"));
}
