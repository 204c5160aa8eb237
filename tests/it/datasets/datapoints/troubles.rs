//! Files that cannot be loaded, or only in part: earlier data stays, and the message says why.

use std::io::Write as _;

use super::world::{HEADER, days, load, put, put_points, rollups_follow, with_places};
use crate::support::pipeline::Pipeline;

async fn reasons(pipeline: &Pipeline) -> Vec<String> {
    pipeline
        .column(
            "select concat_ws(' ', parts.name, failed.ordinal % 2147483648, failed.field, failed.value, failed.reason)
             from etl.failed_records as failed join etl.parts using (part_id)
             where failed.resolved_at is null order by parts.name, failed.ordinal",
        )
        .await
}

/// A pipeline with one day loaded.
async fn loaded(hint: &str) -> Pipeline {
    let pipeline = with_places(hint).await;
    put_points(&pipeline, "datapoints-0.csv", "2013-01-01,1,1,1011AA,1,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    pipeline
}

#[tokio::test]
async fn two_new_files_that_share_a_day_are_an_error_that_names_it() {
    let pipeline = loaded("points shared").await;
    put_points(&pipeline, "datapoints-1.csv", "2013-01-01,1,1,1011AA,5,1,1\n2013-01-02,1,1,1011AA,5,1,1\n");
    put_points(&pipeline, "datapoints-2.csv", "2013-01-01,1,1,1011AA,6,1,1\n2013-01-03,1,1,1011AA,6,1,1\n");
    load(&pipeline, &[]).await.says("2 records failed");
    pipeline.other(&["failures"]).await.says("the day 2013-01-01 is also in datapoints-2.csv");
    pipeline.other(&["failures"]).await.says("the day 2013-01-01 is also in datapoints-1.csv");
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 5, 2013-01-03 6", "the day stays as it is");
    rollups_follow(&pipeline).await;
}

#[tokio::test]
async fn a_shared_day_stays_open_until_a_person_decides() {
    let pipeline = loaded("points undecided").await;
    put_points(&pipeline, "datapoints-e.csv", "2013-01-07,1,1,1011AA,5,1,1\n2013-01-08,1,1,1011AA,5,1,1\n");
    let lines = "2013-01-07,1,1,1011AA,6,1,1\n2013-01-09,1,1,1011AA,6,1,1\n2013-01-09,1,1,1011AA,many,1,1\n";
    put_points(&pipeline, "datapoints-g.csv", lines);
    load(&pipeline, &[]).await.exits(3);
    let open = "select coalesce(string_agg(failed.record_id, ', ' order by failed.record_id), '')
        from etl.failed_records as failed where resolved_at is null";
    for _ in 0..2 {
        assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-08 5, 2013-01-09 6");
        assert_eq!(pipeline.one(open).await, "2013-01-07, 2013-01-07, 2013-01-09 line 4");
        let said = pipeline.other(&["failures"]).await;
        said.says("merganser reprocess datapoints datapoints-e.csv lets this one count")
            .says("merganser reprocess datapoints datapoints-g.csv lets this one count");
        pipeline.other(&["retry", "datapoints"]).await.exits(3);
    }
    pipeline.other(&["reprocess", "datapoints", "datapoints-e.csv"]).await.exits(0).says(
        "the day 2013-01-07 now comes from datapoints-e.csv, but datapoints-g.csv, which is as new, has it too. \
         Next: if that one is right, merganser reprocess datapoints datapoints-g.csv --force --overwrite-newer",
    );
    let decided = "2013-01-01 1, 2013-01-07 5, 2013-01-08 5, 2013-01-09 6";
    assert_eq!(days(&pipeline).await, decided);
    assert_eq!(pipeline.one(open).await, "2013-01-09 line 4");
    // A retry of the other file's line reads all of it, and changes no decision.
    pipeline.other(&["retry", "datapoints"]).await.exits(3);
    assert_eq!(days(&pipeline).await, decided);
    assert_eq!(pipeline.one(open).await, "2013-01-09 line 4");
    rollups_follow(&pipeline).await;
    let other = ["datapoints-g.csv", "--force", "--overwrite-newer", "--max-failures", "100%"];
    pipeline.other(&[&["reprocess", "datapoints"], &other[..]].concat()).await.exits(3);
    assert_eq!(days(&pipeline).await, decided.replace("07 5", "07 6"));
}

/// What a person has put back stays, although the newer file is read again because of another day.
#[tokio::test]
async fn a_retry_does_not_undo_a_decision() {
    let pipeline = loaded("points retried").await;
    put_points(&pipeline, "datapoints-c.csv", "2013-01-07,1,1,1011AA,5,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    put_points(
        &pipeline,
        "datapoints-e.csv",
        "2013-01-07,1,1,1011AA,6,1,1\n2013-01-08,1,1,1011AA,many,1,1\n",
    );
    load(&pipeline, &["--max-failures", "100%"]).await.exits(3);
    let again = ["reprocess", "datapoints", "datapoints-c.csv", "--force", "--overwrite-newer"];
    pipeline.other(&again).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-07 5");
    pipeline.other(&["retry", "datapoints", "--max-failures", "100%"]).await.exits(3);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-07 5");
    rollups_follow(&pipeline).await;
}

/// A file that shared a day has been corrected since, and then its sender posts the first content again.
#[tokio::test]
async fn what_is_posted_again_after_a_correction_is_new() {
    let pipeline = loaded("points again").await;
    let shared = || put_points(&pipeline, "datapoints-b.csv", "2013-01-02,1,1,1011AA,6,1,1\n");
    shared();
    put_points(&pipeline, "datapoints-a.csv", "2013-01-02,1,1,1011AA,5,1,1\n");
    load(&pipeline, &["--max-failures", "100%"]).await.exits(3);
    pipeline.other(&["reprocess", "datapoints", "datapoints-a.csv"]).await.exits(0);
    put_points(&pipeline, "datapoints-b.csv", "2013-01-03,1,1,1011AA,66,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 5, 2013-01-03 66");
    shared();
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 6, 2013-01-03 66");
    load(&pipeline, &[]).await.exits(0).says("Nothing new");
}

/// The archive has an older posting of the second file, so no command can let the newer one count.
#[tokio::test]
async fn a_correction_that_shares_a_day_is_decided_at_its_source() {
    let pipeline = loaded("points corrected").await;
    put_points(&pipeline, "datapoints-2.csv", "2013-01-03,1,1,1011AA,6,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    let many: String = (0..60_000).map(|n| format!("2013-01-02,1,{n}{n},1011AA,5,1,1\n")).collect();
    put_points(&pipeline, "datapoints-1.csv", &many);
    put_points(&pipeline, "datapoints-2.csv", "2013-01-02,1,1,1011AA,7,1,1\n");
    let run = load(&pipeline, &["--batch-mib", "1"]).await.exits(1);
    run.says("is in two new files").says("remove the wrong one at its source").says("would read an older");
    put_points(&pipeline, "datapoints-1.csv", "2013-01-04,1,1,1011AA,5,1,1\n");
    load(&pipeline, &["--allow", "drop"]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 7, 2013-01-03 6, 2013-01-04 5");
}

/// The sender chooses the names, and people type what is said.
#[tokio::test]
async fn a_name_is_typed_as_a_shell_takes_it() {
    let pipeline = loaded("points quoted").await;
    put_points(&pipeline, "datapoints-a.csv", "2013-01-07,1,1,1011AA,5,1,1\n");
    put_points(&pipeline, "datapoints-it's $(id).csv", "2013-01-07,1,1,1011AA,6,1,1\n");
    load(&pipeline, &["--allow", "failures"]).await.says("2 records failed");
    let typed = r"datapoints 'datapoints-it'\''s $(id).csv'";
    pipeline.other(&["failures"]).await.says(&format!("merganser reprocess {typed} lets this one count"));
    let said = pipeline.other(&["reprocess", "datapoints", "datapoints-a.csv", "--force"]).await.exits(0);
    // In a line of JSON.
    let typed = typed.replace('\\', r"\\");
    said.says(&format!("merganser reprocess {typed} --force --overwrite-newer"));
}

#[tokio::test]
async fn nor_does_it_help_that_they_are_of_two_batches() {
    let pipeline = loaded("points batches").await;
    let many: String = (0..60_000).map(|n| format!("2013-01-02,1,{n}{n},1011AA,5,1,1\n")).collect();
    put_points(&pipeline, "datapoints-1.csv", &many);
    put_points(&pipeline, "datapoints-2.csv", "2013-01-02,1,1,1011AA,6,1,1\n");
    let run = load(&pipeline, &["--batch-mib", "1"]).await.exits(1);
    run.says("the day 2013-01-02 is in two new files, datapoints-1.csv and datapoints-2.csv");
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 300000", "what came first is there");
    // The next run does not decide it, nor does one after that.
    for _ in 0..2 {
        load(&pipeline, &[])
            .await
            .exits(1)
            .says("the day 2013-01-02 is in two new files, datapoints-1.csv and datapoints-2.csv")
            .says("if datapoints-2.csv is right: merganser reprocess datapoints datapoints-2.csv; if not, remove it");
        assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 300000");
    }
    // Nor does it if the first is read again meanwhile.
    pipeline.other(&["reprocess", "datapoints", "datapoints-1.csv", "--force"]).await.exits(0);
    load(&pipeline, &[]).await.exits(1).says("the day 2013-01-02 is in two new files");
    // Nor does a replay of all files, when the second is withdrawn.
    std::fs::remove_file(pipeline.source().join("datapoints-2.csv")).unwrap();
    load(&pipeline, &[]).await.exits(0).says("Nothing new");
    let all = pipeline.other(&["reprocess", "datapoints", "*"]).await.exits(0);
    all.says("no run has committed datapoints-2.csv");
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 300000");
    // A person does.
    pipeline.other(&["reprocess", "datapoints", "datapoints-2.csv", "--allow", "drop"]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 6");
    rollups_follow(&pipeline).await;
    load(&pipeline, &[]).await.exits(0);
    put_points(&pipeline, "datapoints-3.csv", "2013-01-02,1,1,1011AA,7,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 7", "what comes later is newer");
}

#[tokio::test]
async fn nor_that_the_run_ended_before_it_came_to_the_second() {
    let pipeline = loaded("points ended").await;
    put_points(&pipeline, "datapoints-1.csv", "2013-01-02,1,1,1011AA,5,1,1\n");
    load(&pipeline, &[]).await.exits(0);
    // As if the run had been killed, and the second file had been there already.
    pipeline.execute("update etl.runs set status = 'abandoned'").await;
    put_points(&pipeline, "datapoints-2.csv", "2013-01-02,1,1,1011AA,6,1,1\n");
    let file = std::fs::File::options().write(true).open(pipeline.source().join("datapoints-2.csv")).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3_600)).unwrap();
    load(&pipeline, &[])
        .await
        .exits(1)
        .says("the day 2013-01-02 is in two new files, datapoints-1.csv and datapoints-2.csv");
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 5");
    // Posted anew, it is newer.
    file.set_modified(std::time::SystemTime::now()).unwrap();
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 6");
}

#[tokio::test]
async fn a_name_says_of_what_a_file_is_and_a_column_does_not() {
    let pipeline = loaded("points columns").await;
    put(
        &pipeline,
        "datapoints-1.csv",
        "date,hour,id_activity,postcode,hits,delta,sbi,lat,lon,zone\n2013-01-02,1,1,1011AA,5,1,1,52,4,x\n",
    );
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 5");
    assert_eq!(
        pipeline.one("select count(*) from datapoint_places").await,
        "3",
        "the places are as they were"
    );
    put(&pipeline, "places.csv", "date,postcode,lat,lon,zone\n2013-01-02,1011AA,52.37,4.89,101\n");
    load(&pipeline, &["--allow", "drop"]).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from datapoint_places").await, "1");
}

#[tokio::test]
async fn a_failed_line_of_a_place_takes_no_points_with_it() {
    let pipeline = loaded("points place").await;
    put(
        &pipeline,
        "places.csv",
        "postcode,lat,lon,zone\n1011AA,52.37,4.89,101\n1011AB,north,4.891,101\n1021AA,52.38,4.9,102\n",
    );
    put_points(&pipeline, "datapoints-1.csv", "2013-01-02,1,1,1011AA,1,1,1\n2013-01-02,1,1,1011AB,2,1,1\n");
    load(&pipeline, &["--max-failures", "100%"]).await;
    assert_eq!(reasons(&pipeline).await.len(), 1, "{:?}", reasons(&pipeline).await);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 3");
    assert_eq!(pipeline.one("select count(*) from datapoint_places").await, "3");
    rollups_follow(&pipeline).await;
}

#[tokio::test]
async fn a_file_that_breaks_off_replaces_none_of_its_days() {
    let pipeline = loaded("points broken").await;
    let lines: String =
        (0..20_000).map(|n| format!("2013-01-0{},1,{n},1011AA,5,1,1\n", 1 + n / 10_000)).collect();
    let text = format!("{HEADER}{lines}");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    put(&pipeline, "datapoints-1.csv.gz", &packed[..packed.len() / 2]);
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    put(&pipeline, "datapoints-2.csv.zst", &packed[..packed.len() / 2]);
    put(&pipeline, "datapoints-3.csv", &text[..text.len() - 2]);
    put(&pipeline, "datapoints-4.csv", "");
    let broken = load(&pipeline, &[]).await.exits(1).says("breaks off");
    broken.says("correct the file at its source, or remove it there, and run again");
    assert_eq!(days(&pipeline).await, "2013-01-01 1");
    rollups_follow(&pipeline).await;
}

#[tokio::test]
async fn a_missing_column_is_named_and_nothing_of_the_file_is_loaded() {
    let pipeline = loaded("points column").await;
    put(
        &pipeline,
        "datapoints-1.csv",
        "date,hour,id_activity,postcode,delta,sbi\n2013-01-02,1,1,1011AA,1,1\n",
    );
    load(&pipeline, &[]).await.exits(1).says("its header names no column hits");
    put(
        &pipeline,
        "datapoints-1.csv",
        "date,hour,id_activity,postcode,hits,delta,sbi,hits\n2013-01-02,1,1,1011AA,1,1,1,1\n",
    );
    load(&pipeline, &[]).await.exits(1).says("its header names the column hits twice");
    assert_eq!(days(&pipeline).await, "2013-01-01 1");
}

#[tokio::test]
async fn a_line_that_cannot_be_taken_is_a_failed_record_and_the_others_are_loaded() {
    let pipeline = loaded("points lines").await;
    put_points(
        &pipeline,
        "datapoints-1.csv",
        "2013-02-30,1,1,1011AA,1,1,1\n2013-01-02,1,1,9999ZZ,1,1,1\n2013-01-02,1,1,1011AA,many,1,1\n\
         2013-01-02,1,1,1011AA,2,1,1\n2013-01-02,1,1,1011AA,3,1\n2013-01-03,1,1,9999ZZ,3,1,1\n",
    );
    load(&pipeline, &[]).await;
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 2");
    assert_eq!(
        reasons(&pipeline).await,
        [
            "datapoints-1.csv 2 date 2013-02-30 it is not a day (YYYY-MM-DD)",
            "datapoints-1.csv 3 postcode 9999ZZ no place has this postcode",
            "datapoints-1.csv 4 hits many it is not a whole number",
            "datapoints-1.csv 6 it has 6 columns, and the header has 7",
            "datapoints-1.csv 7 postcode 9999ZZ no place has this postcode",
            "datapoints-1.csv 1 date 2013-01-03 all lines of the day 2013-01-03 failed",
        ]
    );
    rollups_follow(&pipeline).await;
    // The place is added later, and the failed records are retried.
    put(&pipeline, "places.csv", format!("{}9999ZZ,52,4,999\n", super::world::PLACES));
    load(&pipeline, &[]).await.exits(0);
    pipeline.other(&["retry", "datapoints"]).await;
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 3, 2013-01-03 3");
    rollups_follow(&pipeline).await;
}

#[tokio::test]
async fn without_places_nothing_is_loaded_and_it_is_said_why() {
    let pipeline = Pipeline::new("points placeless").await;
    put_points(&pipeline, "datapoints-1.csv", "2013-01-02,1,1,1011AA,1,1,1\n");
    load(&pipeline, &[]).await;
    let reasons = reasons(&pipeline).await;
    assert!(reasons[0].ends_with("no place is known at all: put places.csv beside the files"), "{reasons:?}");
    assert_eq!(pipeline.one("select count(*) from datapoints").await, "0");
}

#[tokio::test]
async fn places_that_cannot_be_taken_are_failed_records() {
    let pipeline = Pipeline::new("points places").await;
    put(
        &pipeline,
        "places.csv",
        "zone,lat,lon,postcode\n1,52,4,1011AA\n1,91,4,1011AB\n1,x,4,1011AC\n,52,4,1011AD\n1,52,4,1011aa\n1,52,4,'); drop\n",
    );
    put_points(&pipeline, "datapoints-1.csv", "2013-01-02,1,1,1011AA,1,1,1\n");
    load(&pipeline, &[]).await;
    assert_eq!(pipeline.column("select postcode from datapoint_places").await, ["1011AA"]);
    let fields: Vec<_> =
        reasons(&pipeline).await.iter().map(|said| said.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_eq!(fields, ["lat", "lat", "zone", "postcode", "postcode"]);
    assert_eq!(days(&pipeline).await, "2013-01-02 1");
    // A line that cannot be read does not remove a known place.
    put(&pipeline, "places.csv", "zone,lat,lon,postcode\n1,52,x,1011AA\n2,52,4,1011AE\n");
    load(&pipeline, &["--max-failures", "100%"])
        .await
        .says("places.csv does not name 1 known place. No place was removed, because 1 line of it failed.");
    assert_eq!(
        pipeline.column("select postcode from datapoint_places order by 1").await,
        ["1011AA", "1011AE"]
    );
    put(&pipeline, "places.csv", "zone,lat,lon,postcode\n2,52,4,1011AE\n");
    load(&pipeline, &["--allow", "drop"]).await;
    assert_eq!(pipeline.column("select postcode from datapoint_places").await, ["1011AE"]);
}

#[tokio::test]
async fn a_mark_without_an_end_takes_no_half_day() {
    let pipeline = Pipeline::new("points mark").await;
    put(&pipeline, "places.csv", super::world::PLACES);
    put_points(
        &pipeline,
        "datapoints-1.csv",
        "2013-01-02,1,1,1011AA,1,1,1\n2013-01-02,2,\"1,1011AA,1,1,1\n2013-01-02,3,1,1011AA,1,1,1\n",
    );
    load(&pipeline, &[]).await;
    assert_eq!(pipeline.one("select count(*) from datapoints").await, "0");
    let said = "select error from etl.parts where name = 'datapoints-1.csv'";
    let said = pipeline.one(said).await;
    assert!(said.contains("a cell in line 3 has more than one line"), "{said}");
}
