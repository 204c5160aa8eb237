//! A pipeline of data points, and rules that hold for any data.

use std::fs;
use std::path::Path;

use crate::support::csv::Cell;
use crate::support::pipeline::{Pipeline, Ran};

pub const HEADER: &str = "date,hour,id_activity,postcode,hits,delta,sbi\n";
pub const PLACES: &str =
    "postcode,lat,lon,zone\n1011AA,52.37,4.89,101\n1011AB,52.371,4.891,101\n1021AA,52.38,4.9,102\n";

/// Puts a file into the source.
pub fn put(pipeline: &Pipeline, name: &str, text: impl AsRef<[u8]>) {
    fs::write(pipeline.source().join(name), text).expect("a file can be written");
}

/// Puts points into the source, with a header.
pub fn put_points(pipeline: &Pipeline, name: &str, lines: &str) {
    put(pipeline, name, format!("{HEADER}{lines}"));
}

/// A pipeline with three places.
pub async fn with_places(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    put(&pipeline, "places.csv", PLACES);
    pipeline
}

/// Loads what is new.
pub async fn load(pipeline: &Pipeline, extra: &[&str]) -> Ran {
    pipeline.other(&[&["run", "datapoints"], extra].concat()).await
}

/// Makes a sample into a folder.
pub fn sample(folder: &Path, args: &[&str]) {
    let out = folder.display().to_string();
    let none: [(&str, &str); 0] = [];
    let made = crate::support::merganser([&["sample", "datapoints", "--out", &out], args].concat(), none);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Fails if the rollups differ from the points in a single row.
pub async fn rollups_follow(pipeline: &Pipeline) {
    for (rollup, points) in [
        (
            "select date, places.zone, postcode, sbi, hits, delta
             from datapoint_place_days as rollup join datapoint_places as places using (postcode)
             where rollup.zone = places.zone",
            "select date, zone, postcode, sbi, sum(hits)::bigint, case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints join datapoint_places using (postcode) group by 1, 2, 3, 4",
        ),
        (
            "select date, zone, sbi, hits, delta from datapoint_zone_days",
            "select date, zone, sbi, sum(hits)::bigint, case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints join datapoint_places using (postcode) group by 1, 2, 3",
        ),
        (
            "select date, points, hits, delta from datapoint_days",
            "select date, count(*), sum(hits)::bigint, case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints group by 1",
        ),
        (
            "select date, zone, split_part(line, ',', 1), split_part(line, ',', 4),
                split_part(line, ',', 2)::bigint, nullif(split_part(line, ',', 3), '')::bigint
             from datapoint_zone_points, string_to_table(cells, chr(10)) as line",
            "select * from (select date, zone, postcode, sbi, sum(hits)::bigint,
                case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints join datapoint_places using (postcode) group by 1, 2, 3, 4) as plain",
        ),
        (
            "select month, zone, postcode, hits, delta from datapoint_place_months",
            "select date_trunc('month', date)::date, zone, postcode, sum(hits)::bigint,
                case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints join datapoint_places using (postcode) group by 1, 2, 3",
        ),
        (
            "select month + split_part(line, ',', 1)::int - 1, zone, postcode, split_part(line, ',', 4),
                split_part(line, ',', 2)::bigint, nullif(split_part(line, ',', 3), '')::bigint
             from datapoint_place_months, string_to_table(cells, chr(10)) as line",
            "select * from (select date, zone, postcode, sbi, sum(hits)::bigint,
                case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints join datapoint_places using (postcode) group by 1, 2, 3, 4) as plain",
        ),
        (
            "select month + split_part(line, ',', 1)::int - 1, zone, split_part(line, ',', 4),
                split_part(line, ',', 2)::bigint, nullif(split_part(line, ',', 3), '')::bigint
             from datapoint_zone_months, string_to_table(cells, chr(10)) as line",
            "select date, zone, sbi, sum(hits)::bigint,
                case when bool_and(delta is not null) then sum(delta)::bigint end
             from datapoints join datapoint_places using (postcode) group by 1, 2, 3",
        ),
    ] {
        let differ = format!(
            "(({rollup}) except all ({points})) union all (({points}) except all ({rollup})) limit 5"
        );
        assert_eq!(pipeline.rows(&differ).await, Vec::<Vec<Cell>>::new(), "{rollup}");
    }
}

/// Days with their hits.
pub async fn days(pipeline: &Pipeline) -> String {
    pipeline
        .one("select coalesce(string_agg(date || ' ' || hits, ', ' order by date), '') from datapoint_days")
        .await
}
