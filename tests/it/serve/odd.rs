//! Unusual databases: branches with any characters, tables that an older program left, and invalid outlines. And which
//! rows a question reads.

use merganser::datasets::datapoints::DATAPOINTS;
use merganser::sql;

use super::world::{Serving, loaded};
use crate::datasets::datapoints::world::{load, put_points};

#[tokio::test]
async fn each_branch_that_was_loaded_can_be_asked_for() {
    let pipeline = loaded("serve branches", "500", "50").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let branches = ["caf\u{e9} 'a' & b", "50%+1", "#;?=", "<b>\u{fffd}</b>", "\u{6771}\u{4eac}"];
    let lines =
        branches.iter().enumerate().map(|(at, sbi)| format!("2013-03-01,1,1,{postcode},{},,{sbi}\n", at + 1));
    put_points(&pipeline, "datapoints-z.csv", &lines.collect::<String>());
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    for (at, sbi) in branches.iter().enumerate() {
        let query: String = url::form_urlencoded::byte_serialize(sbi.as_bytes()).collect();
        let answer = serving.get(&format!("/api/{postcode}/2013-03-01?sbi={query}")).await.json();
        let stats = serde_json::json!([{"sbi": sbi, "total": at + 1, "delta": null, "percentage": null}]);
        assert_eq!(answer["stats"], stats, "{answer}");
    }
}

#[tokio::test]
async fn it_is_said_how_many_days_of_a_question_are_not_loaded() {
    let pipeline = loaded("serve days not loaded", "500", "50").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    for (days, not_loaded, asked) in
        [("2013-01-15..2013-01-31", 0, 17), ("2013-02-20..2013-02-28", 5, 9), ("2030-01-15", 1, 1)]
    {
        let answer = serving.get(&format!("/api/{postcode}/{days}")).await.json();
        let timeline = answer["timeline"].as_array().unwrap().len();
        assert_eq!((&answer["not_loaded"], timeline), (&serde_json::json!(not_loaded), asked), "{days}");
    }
}

#[tokio::test]
async fn more_branches_than_an_answer_may_have_are_refused_in_words() {
    let pipeline = loaded("serve many branches", "500", "50").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let lines = |day: &str, count: usize| -> String {
        (0..count).map(|at| format!("{day},1,1,{postcode},1,,branch {at}\n")).collect()
    };
    let text = lines("2013-03-01", 10_001) + &lines("2013-03-02", 10_000);
    put_points(&pipeline, "datapoints-z.csv", &text);
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    for days in ["2013-03-01", "2013-03-01..2013-03-31"] {
        let refused = serving.get(&format!("/api/{postcode}/{days}")).await;
        assert_eq!((refused.status, refused.json()["field"].clone()), (400, "sbi".into()), "{days}");
    }
    let most = serving.get(&format!("/api/{postcode}/2013-03-02")).await.json();
    assert_eq!(most["stats"].as_array().unwrap().len(), 10_000);
    let one = serving.get(&format!("/api/{postcode}/2013-03-01?sbi=branch%207")).await.json();
    assert_eq!(one["stats"][0]["total"], 1, "{one}");
}

/// Months were packed by a program that came later.
#[tokio::test]
async fn where_no_month_is_packed_yet_the_days_say_the_same() {
    let pipeline = loaded("serve unpacked", "3000", "200").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let path = format!("/api/{postcode}/2013-01-01..2013-02-28/20");
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let packed = serving.get(&path).await;
    assert_eq!(packed.status, 200, "{packed:?}");
    // What the release before this one left, and what the first one did.
    pipeline.execute("drop table datapoint_zone_points").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    for days in ["2013-01-01..2013-02-28", "2013-02-01..2013-02-28", "2013-01-20;2013-02-02"] {
        let path = format!("/api/{postcode}/{days}/20");
        assert_eq!(serving.get(&path).await.status, 200, "{days}");
    }
    assert_eq!(serving.get(&path).await.body, packed.body);
    pipeline.execute("drop table datapoint_place_months, datapoint_zone_months").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let older = serving.get(&path).await;
    assert_eq!((older.status, &older.body), (200, &packed.body));
    // The next run packs all of them, and from then on the server reads the packed months.
    put_points(&pipeline, "datapoints-z.csv", &format!("2013-03-01,1,1,{postcode},77,7,1\n"));
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(pipeline.one("select count(distinct month) from datapoint_zone_months").await, "3");
    let newer = serving.get(&path).await;
    let (older, newer) = (serde_json::from_str::<serde_json::Value>(&older.body).unwrap(), newer.json());
    assert_eq!((&newer["stats"], &newer["points"]), (&older["stats"], &older["points"]));
}

/// An update made a table that nobody has granted to the server's role yet.
#[tokio::test]
async fn where_packed_rows_may_not_be_read_the_others_say_the_same() {
    let pipeline = loaded("serve ungranted", "3000", "200").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let path = format!("/api/{postcode}/2013-01-20..2013-02-03/20");
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let packed = serving.get(&path).await;
    let grants = "create role packed_reader login;
        grant usage on schema public, etl to packed_reader;
        grant select on all tables in schema public, etl to packed_reader;
        revoke select on datapoint_zone_points from packed_reader";
    pipeline.execute(grants).await;
    let serving = Serving::start(&pipeline.database.url_as("packed_reader"), &[]).await.ready().await;
    let plain = serving.get(&path).await;
    assert_eq!((plain.status, &plain.body), (200, &packed.body));
    assert_eq!(serving.get(&path).await.status, 200);
    let log = serving.stop().await.1;
    assert_eq!(log.matches("may not read datapoint_zone_points").count(), 1, "{log}");
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_named_in_the_log_with_its_grant_and_not_to_clients() {
    let pipeline = loaded("serve granted little", "500", "50").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let grants = "create role \"little reader\" login;
        grant usage on schema public, etl to \"little reader\";
        grant select on all tables in schema public, etl to \"little reader\";
        revoke select on datapoint_places, datapoint_days from \"little reader\"";
    pipeline.execute(grants).await;
    let url = pipeline.database.url_as("little%20reader");
    let serving = Serving::start(&url, &[]).await.ready().await;
    for path in [format!("/api/{postcode}/2013-01-20"), "/api/datasets".into()] {
        let refused = serving.get(&path).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(!refused.body.contains("datapoint_"), "{refused:?}");
    }
    let said = serving.get(&format!("/api/{postcode}/2013-01-20")).await.json();
    assert_eq!(said["error"], "datapoints cannot be read now: the server's log says why");
    let log = serving.stop().await.1;
    let grant = "grant select on public.datapoint_days, public.datapoint_places to ";
    // At the start, for each question, and for the list of datasets.
    assert_eq!(log.matches(grant).count(), 4, "{log}");
    // Of what is granted nothing is said.
    assert!(!log.contains("may not read oca") && !log.contains("datapoint_atoms"), "{log}");
}

#[tokio::test]
async fn outlines_of_zones_are_served_and_what_is_none_stops_the_server() {
    let pipeline = crate::support::pipeline::Pipeline::new("serve outlines").await;
    let url = pipeline.database.url();
    let bare = Serving::start(&url, &[]).await;
    assert_eq!(bare.get("/api/zones").await.json()["features"], serde_json::json!([]));
    let zones = pipeline.source().join("zones.geojson");
    let option = ["--zones", zones.to_str().unwrap()];
    let polygon = |lat: f64| {
        let ring = serde_json::json!([[4.0, lat], [5.0, 52.0], [5.0, 53.0], [4.0, lat]]);
        let geometry = serde_json::json!({"type": "Polygon", "coordinates": [ring]});
        serde_json::json!({"type": "FeatureCollection", "features":
            [{"type": "Feature", "properties": {"zone": "101"}, "geometry": geometry}]})
    };
    std::fs::write(&zones, polygon(52.0).to_string()).unwrap();
    let serving = Serving::start(&url, &option).await;
    let reply = serving.get("/api/zones").await;
    assert_eq!((reply.status, reply.json()), (200, polygon(52.0)));
    let tag = format!("If-None-Match: {}\r\n", reply.header("etag").unwrap());
    assert_eq!(serving.get_with("/api/zones", &tag).await.status, 304);
    for (text, says) in [
        (polygon(152.0).to_string(), "zone 101: a position is a longitude and a latitude in degrees"),
        ("{}".into(), "not a FeatureCollection"),
        (" ".repeat(5 << 20), "larger than 4 MiB"),
    ] {
        std::fs::write(&zones, text).unwrap();
        let words = [&["serve", "--listen", "127.0.0.1:0", "--database-url", &url][..], &option].concat();
        let none: [(&str, &str); 0] = [];
        let ended = crate::support::merganser(words, none);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.code() == Some(1) && said.contains(says), "{:?} {said}", ended.status);
    }
}

#[tokio::test]
async fn a_question_reads_no_other_months_than_it_asks_for() {
    let pipeline = loaded("serve pruned", "3000", "200").await;
    let served = DATAPOINTS.served.expect("it is served");
    let mut variables = vec![("schema", "public"), ("limit_ms", "10000")];
    variables.extend(served.tables());
    let client = pipeline.database.client().await;
    client.batch_execute(&sql::render(sql::SERVE_SESSION, &variables)).await.unwrap();
    for (name, text, rest) in [("sums", sql::SERVE_SUMS, "null"), ("points", sql::SERVE_POINTS, "null, 10")] {
        let text = sql::render(text, &variables);
        client.batch_execute(&format!("prepare {name} as {text}")).await.unwrap();
        let explain = format!(
            "explain execute {name} ('{{2013-01-20,2013-01-22}}', '{{1}}', '{{2}}', '{{3}}', {rest})"
        );
        let plan = client.query(&explain, &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Subplans Removed: 1") && !plan.contains("days_2013_02"), "{name}\n{plan}");
    }
}
