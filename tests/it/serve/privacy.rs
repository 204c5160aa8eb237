//! With --min-count, no two answers together reveal a smaller number: the difference between two radii, days or
//! branches is zero or large enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::{Serving, loaded};
use crate::datasets::datapoints::world::{load, put, put_points, with_places};
use crate::support::csv::Cell;
use crate::support::pipeline::Pipeline;

/// The rules for the pieces of any data.
pub async fn pieces_are_sound(pipeline: &Pipeline, tables: &str) {
    let none = Vec::<Vec<Cell>>::new();
    let twice = format!(
        "select zone, sbi, day from {tables}_atoms, generate_series(first, last, '1 day') as day
        group by 1, 2, 3 having count(*) > 1 limit 5"
    );
    assert_eq!(pipeline.rows(&twice).await, none, "no two pieces share a day");
    let loaded = format!(
        "select rollup.* from {tables}_zone_days as rollup join {tables}_days using (date) where rollup.hits > 0"
    );
    let other = format!(
        "select zone, first, last, sbi, atom.hits, sum(rollup.hits)
        from {tables}_atoms as atom left join ({loaded}) as rollup using (zone, sbi)
        where rollup.date between atom.first and atom.last
        group by zone, first, last, sbi, atom.hits
        having case when sum(rollup.hits) >= 10 then sum(rollup.hits) end is distinct from atom.hits
        limit 5"
    );
    assert_eq!(pipeline.rows(&other).await, none, "a piece is the sum of its days, or has no number");
    let empty = format!(
        "select * from {tables}_atoms as atom where not exists (
            select from ({loaded}) as rollup
            where atom.zone = rollup.zone and atom.sbi = rollup.sbi and rollup.date between atom.first and atom.last
        ) limit 5"
    );
    assert_eq!(pipeline.rows(&empty).await, none, "no piece is empty");
    let left = format!(
        "select date, zone, sbi from ({loaded}) as rollup
        where not exists (
            select from {tables}_atoms as atom
            where atom.zone = rollup.zone and atom.sbi = rollup.sbi and rollup.date between atom.first and atom.last
        ) limit 5"
    );
    assert_eq!(pipeline.rows(&left).await, none, "every hit is in a piece");
}

/// Checks the pieces of the data points, which the ledger counts.
async fn points_are_sound(pipeline: &Pipeline) {
    pieces_are_sound(pipeline, "datapoint").await;
    let change = "select rows_after from etl.table_changes join etl.runs using (run_id)
        where table_name = 'datapoint_atoms' order by started_at desc limit 1";
    assert_eq!(pipeline.one(change).await, pipeline.one("select count(*) from datapoint_atoms").await);
}

/// All sums of an answer by what they count.
fn cells(answer: &Value) -> BTreeMap<String, i64> {
    let mut cells = BTreeMap::new();
    let mut total = 0;
    for stat in answer["stats"].as_array().into_iter().flatten() {
        cells.insert(format!("branch {}", stat["sbi"]), stat["total"].as_i64().unwrap());
        total += stat["total"].as_i64().unwrap();
    }
    for moment in answer["timeline"].as_array().unwrap() {
        // Null: nothing is told of the day.
        if let Some(hits) = moment["hits"].as_i64() {
            cells.insert(format!("day {}", moment["date"]), hits);
        }
    }
    for point in answer["points"].as_array().unwrap() {
        cells.insert(format!("zone {}", point["postcode"]), point["hits"].as_i64().unwrap());
    }
    cells.insert("all".into(), total);
    cells
}

/// Fails if the difference between two answers is neither zero nor large enough.
pub fn differ_by_enough(small: &Value, large: &Value, least: i64, what: &str) {
    let (small, large) = (cells(small), cells(large));
    for (cell, more) in &large {
        let between = more - small.get(cell).copied().unwrap_or(0);
        assert!(between == 0 || between >= least, "{what}: {cell} differs by {between}");
        assert!(*more == 0 || *more >= least, "{what}: {cell} is {more}");
    }
}

#[tokio::test]
async fn no_pair_of_answers_tells_of_few() {
    let pipeline = loaded("serve privacy", "3000", "400").await;
    points_are_sound(&pipeline).await;
    let kinds = "select string_agg(distinct least(last - first, 27)::text, ' ') from datapoint_atoms where hits is not null";
    let kinds = pipeline.one(kinds).await;
    assert!(
        kinds.starts_with("0 ") && kinds.contains("27") && kinds.contains('6'),
        "days, weeks and months: {kinds}"
    );
    assert_ne!(pipeline.one("select count(*) from datapoint_atoms where hits is null").await, "0");
    let postcodes = pipeline.column("select postcode from datapoint_places order by postcode").await;
    for least in [10, 40] {
        let serving = Serving::start(&pipeline.database.url(), &["--min-count", &least.to_string()])
            .await
            .ready()
            .await;
        let (mut told, mut zones) = (0, BTreeMap::new());
        for number in 0..120_usize {
            let postcode = &postcodes[number * 37 % postcodes.len()];
            let radius = 0.3 + (number * 29 % 31) as f64 / 10.0;
            let (first, last) = (1 + number * 7 % 10, 15 + number * 11 % 13);
            let ask = async |days: String, radius: f64, sbi: &str| {
                let reply = serving.get(&format!("/api/{postcode}/{days}/{radius}{sbi}")).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                reply.json()
            };
            let days = |last: usize| format!("2013-02-{first:02}..2013-02-{last}");
            let whole = "2013-02-01..2013-02-28";
            let base = ask(days(last), radius, "").await;
            told += usize::from(base["stats"].as_array().is_some_and(|stats| !stats.is_empty()));
            // A slightly larger radius, one day more, one branch less.
            for step in [0.05, 0.1, 0.5, 3.0] {
                let farther = ask(days(last), radius + step, "").await;
                differ_by_enough(&base, &farther, least, &format!("{postcode} {radius} + {step}"));
            }
            let longer = ask(days(last + 1), radius, "").await;
            differ_by_enough(&base, &longer, least, &format!("{postcode} a day after {last}"));
            let month = ask(whole.into(), radius, "").await;
            differ_by_enough(&base, &month, least, &format!("{postcode} a month"));
            // From whichever centre: a zone is told as a whole, so two centres share whole zones.
            for zone in month["points"].as_array().unwrap() {
                let known = zones.entry(zone["postcode"].to_string()).or_insert(zone["hits"].clone());
                assert_eq!(*known, zone["hits"], "{zone}");
            }
            for sbi in ["1", "7", "20"] {
                let one = ask(whole.into(), radius, &format!("?sbi={sbi}")).await;
                differ_by_enough(&one, &month, least, &format!("{postcode} without {sbi}"));
            }
            assert_eq!(
                base["points"].as_array().unwrap().iter().find(|point| point["postcode"] == *postcode),
                None
            );
        }
        assert!(told > 60, "most questions are answered: {told}");
        // Nothing is thrown away of which a month has enough, and no day tells by what is left out that it has few.
        let all = serving.get(&format!("/api/{}/2013-02-01..2013-02-28/100", postcodes[0])).await.json();
        let sum: i64 =
            all["stats"].as_array().unwrap().iter().map(|stat| stat["total"].as_i64().unwrap()).sum();
        let plain = format!(
            "select sum(hits) from (
                select sum(hits) as hits from datapoint_zone_days where date between '2013-02-01' and '2013-02-28'
                group by zone, sbi having sum(hits) >= {least}
            ) as month"
        );
        assert_eq!(sum.to_string(), pipeline.one(&plain).await, "{least}");
        let mut small = BTreeSet::new();
        for day in 1..=28 {
            let one = serving.get(&format!("/api/{}/2013-02-{day:02}/100", postcodes[0])).await.json();
            small.insert(one["suppressed"]["small"].as_i64().unwrap());
        }
        assert_eq!(small.len(), 1, "{small:?}");
    }
}

#[tokio::test]
async fn a_day_of_which_nothing_is_told_is_null_and_a_day_without_hits_is_nothing() {
    let pipeline = with_places("serve untold").await;
    put_points(
        &pipeline,
        "datapoints.csv",
        "2013-02-04,1,1,1011AA,12,,1\n2013-02-06,1,1,1011AB,15,,1\n2013-02-12,1,1,1021AA,3,,1\n\
         2013-02-13,1,1,1021AA,9,,1\n2013-03-05,1,1,1011AA,4,,1\n",
    );
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &["--min-count", "10"]).await.ready().await;
    let answer = serving.get("/api/1011AA/2013-02-01..2013-03-31/50").await.json();
    let told: BTreeMap<_, _> = answer["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moment| (moment["date"].as_str().unwrap().to_owned(), moment["hits"].as_i64()))
        .collect();
    assert_eq!(told.len(), 28 + 31);
    for (date, hits) in &told {
        // A week, and a month that has too few.
        let is_untold = ("2013-02-11"..="2013-02-17").contains(&date.as_str()) || date.starts_with("2013-03");
        let expected = match date.as_str() {
            "2013-02-04" => Some(12),
            "2013-02-06" => Some(15),
            _ if is_untold => None,
            _ => Some(0),
        };
        assert_eq!(*hits, expected, "{date}");
        // That says no more than the counts of what is left out.
        let day = serving.get(&format!("/api/1011AA/{date}/50")).await.json();
        let left: i64 =
            ["small", "cut", "undated"].iter().map(|of| day["suppressed"][of].as_i64().unwrap()).sum();
        assert_eq!(day["timeline"][0]["hits"].is_null(), left > 0, "{day}");
    }
}

#[tokio::test]
async fn where_no_zone_is_counted_nothing_is_known_and_it_is_said_which_radius_has_one() {
    let pipeline = with_places("serve outside").await;
    put_points(&pipeline, "datapoints.csv", "2013-02-04,1,1,1011AA,12,,1\n2013-02-05,1,1,1021AA,15,,1\n");
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &["--min-count", "10"]).await.ready().await;
    let ask =
        async |radius: f64| serving.get(&format!("/api/1011AA/2013-02-04..2013-02-05/{radius}")).await.json();
    let hits = |answer: &Value| -> Vec<Option<i64>> {
        answer["timeline"].as_array().unwrap().iter().map(|day| day["hits"].as_i64()).collect()
    };
    // Zone 101 has a place here, and its centre some 65 m away.
    let near = ask(0.05).await;
    assert_eq!(
        (near["places"].as_i64(), near["suppressed"]["outside"].as_i64()),
        (Some(1), Some(1)),
        "{near}"
    );
    assert!(near["stats"].is_null() && near["points_total"].is_null(), "{near}");
    assert_eq!(hits(&near), [None, None], "{near}");
    let enough = near["nearest_zone_km"].as_f64().unwrap();
    let told = ask(enough).await;
    assert_eq!(
        (told["stats"][0]["total"].as_i64(), &told["nearest_zone_km"]),
        (Some(12), &Value::Null),
        "{told}"
    );
    assert_eq!(
        (hits(&told), told["suppressed"]["outside"].as_i64()),
        (vec![Some(12), Some(0)], Some(0)),
        "{told}"
    );
    assert!(ask(enough - 0.001).await["stats"].is_null());
    // It is the same whatever the days and the branch are: the hits decide nothing.
    let other = serving.get("/api/1011AA/2012-01-01/0.05?sbi=x").await.json();
    assert_eq!(
        (&other["stats"], &other["suppressed"]["outside"], &other["nearest_zone_km"]),
        (&near["stats"], &near["suppressed"]["outside"], &near["nearest_zone_km"])
    );
}

#[tokio::test]
async fn pieces_are_chosen_anew_for_the_months_that_change_and_for_no_other() {
    let pipeline = loaded("serve pieces", "3000", "400").await;
    let january =
        "select string_agg(concat_ws(' ', zone, first, last, sbi, hits), ',' order by zone, first, sbi)
        from datapoint_atoms where first < '2013-02-01'";
    let before = pipeline.one(january).await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    put_points(
        &pipeline,
        "datapoints-z.csv",
        &format!("2013-02-10,1,1,{postcode},3,3,1\n2013-04-01,1,1,{postcode},3,3,1\n"),
    );
    load(&pipeline, &[]).await.exits(0);
    points_are_sound(&pipeline).await;
    assert_eq!(pipeline.one(january).await, before);
    // All places move into one zone.
    let places =
        pipeline.column("select concat_ws(',', postcode, lat, lon, 'x') from datapoint_places").await;
    put(&pipeline, "places.csv", format!("postcode,lat,lon,zone\n{}\n", places.join("\n")));
    load(&pipeline, &["--allow", "drop"]).await.exits(0);
    points_are_sound(&pipeline).await;
    assert_eq!(pipeline.column("select distinct zone from datapoint_atoms").await, ["x"]);
}
