//! The page in headless Chromium: what people see is what the API says.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::filings::cases;
use super::world::{Serving, loaded};
use crate::datasets::datapoints::world::{load, put, put_points};
use crate::support::browser::looks;
use crate::support::pipeline::Pipeline;
use crate::support::tools;

#[tokio::test]
async fn the_page_tells_what_the_api_tells_by_keyboard_on_a_phone_and_at_a_desk() {
    let pipeline = loaded("serve browser", "20000", "1500").await;
    let folder = tempfile::tempdir().unwrap();
    let zones = folder.path().join("zones.geojson");
    let boxes = "select json_build_object('type', 'FeatureCollection', 'features', json_agg(json_build_object(
            'type', 'Feature', 'properties', json_build_object('zone', zone), 'geometry', json_build_object(
                'type', 'Polygon', 'coordinates', json_build_array(json_build_array(
                    json_build_array(west, south), json_build_array(east, south), json_build_array(east, north),
                    json_build_array(west, north), json_build_array(west, south)))))))::text
        from (select zone, min(lon) as west, max(lon) as east, min(lat) as south, max(lat) as north
            from datapoint_places group by zone) as box";
    std::fs::write(&zones, pipeline.one(boxes).await).unwrap();
    let serving =
        Serving::start(&pipeline.database.url(), &["--zones", zones.to_str().unwrap()]).await.ready().await;
    let outlined = pipeline.one("select count(distinct zone) from datapoint_places").await;
    let middle =
        "select postcode from datapoint_places order by abs(lat - 52.3728) + abs(lon - 4.8936) limit 1";
    let postcode = pipeline.one(middle).await;
    let looks = looks("serve/look.mjs", format!("http://{}/", serving.address), &postcode).await;
    assert_eq!(looks.len(), 4, "{looks:#?}");
    for look in looks {
        for nothing in ["said", "elsewhere", "violations"] {
            assert_eq!(look[nothing], json!([]), "{nothing}: {look:#}");
        }
        assert_eq!(
            (&look["scrolls"], &look["same"], &look["focused"]),
            (&json!(false), &json!(true), &json!("postcode"))
        );
        assert_eq!(look["outlined"].to_string(), outlined, "{look:#}");
        assert!(look["first"].as_u64().unwrap() < 500_000, "{look:#}");
        assert!(look["offered"].as_str().unwrap().starts_with(&postcode[..3]), "{look:#}");
        for (step, radius) in [("typed", "1"), ("wider", "4")] {
            let seen = &look[step];
            assert_eq!(seen["radius"], radius, "{seen:#}");
            let words = seen["words"].as_str().unwrap();
            assert!(
                words.starts_with(&format!(
                    "{} hits within {radius} km of {postcode}",
                    seen["total"].as_str().unwrap()
                )),
                "{seen:#}"
            );
            assert_eq!(seen["stats"], seen["expected"], "{seen:#}");
            assert_eq!((&seen["rows"], &seen["bars"]), (&seen["points"], &seen["days"]), "{seen:#}");
            assert_eq!(
                (&seen["days"], &seen["map"], &seen["wrong"]),
                (&json!(30), &json!(true), &json!("")),
                "{seen:#}"
            );
        }
        assert!(look["wider"]["places"].as_u64() > look["typed"]["places"].as_u64(), "{look:#}");
        assert_eq!(look["csv"].as_u64().unwrap(), 1 + look["wider"]["points"].as_u64().unwrap());
        assert_eq!(look["wrong"], "No place has this postcode.");
    }
}

#[tokio::test]
async fn a_page_of_nothing_asks_for_no_postcode() {
    let pipeline = Pipeline::new("serve nothing").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let looks = shown(&serving, &["postcode=1011AA"]).await;
    assert_eq!((&looks[0]["wrong"], &looks[0]["hint"]), (&json!("Nothing is loaded yet."), &json!(false)));
}

#[tokio::test]
async fn exact_numbers_are_of_postcodes_and_say_what_they_are_compared_with() {
    let pipeline = Pipeline::new("serve words").await;
    put(&pipeline, "places.csv", "postcode,lat,lon,zone\n1011AA,52.37,4.89,a\n1021AA,52.38,4.9,a\n");
    put_points(&pipeline, "datapoints.csv", "2013-02-04,1,1,1011AA,12,16,1\n2013-02-04,1,1,1021AA,15,,1\n");
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let day = "from=2013-02-04&to=2013-02-04";
    let (near, far) =
        (format!("postcode=1011AA&{day}&radius=0.5"), format!("postcode=1011AA&{day}&radius=5"));
    let unknown = format!("postcode=9999ZZ&{day}");
    let looks = shown(&serving, &[&near, &far, &unknown]).await;
    assert_eq!(
        (&looks[2]["wrong"], &looks[2]["hint"]),
        (&json!("No place has this postcode."), &json!(false))
    );
    let words = "12 hits within 0.5 km of 1011AA, 25% fewer than the number given for comparison, on February 4, 2013.";
    assert_eq!(looks[0]["words"], words);
    assert_eq!(looks[0]["more"], "1 postcode lies within the radius; 1 of them has hits.");
    assert_eq!(looks[1]["more"], "2 postcodes lie within the radius; 2 of them have hits.");
    assert_eq!(
        (&looks[1]["area"], &looks[1]["before"]),
        (&json!("Postcode"), &json!("not known")),
        "{looks:#?}"
    );
}

/// What the page shows at each of these addresses.
async fn shown(serving: &Serving, queries: &[&str]) -> Vec<Value> {
    let addresses: Vec<_> =
        queries.iter().map(|query| format!("http://{}/?{query}\n", serving.address)).collect();
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/serve/ask.mjs"))
        .arg(tools::tool("browser", "playwright_version"))
        .arg("/usr/bin/chromium");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let looked = tokio::task::spawn_blocking(move || {
        let mut node = command.spawn().expect("scripts/setup test installs node");
        node.stdin.take().unwrap().write_all(addresses.concat().as_bytes()).unwrap();
        node.wait_with_output().unwrap()
    });
    let output = looked.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let looks: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(looks.len(), queries.len(), "{said}");
    assert!(looks.iter().all(|look| look["said"] == json!([])), "{looks:#?}");
    looks
}

#[tokio::test]
async fn an_address_is_answered_as_it_is_or_it_is_said_why_not() {
    let pipeline = Pipeline::new("serve addresses").await;
    pipeline.put(cases("2024-05-06"));
    pipeline.run().await.exits(0);
    put(
        &pipeline,
        "places.csv",
        "postcode,lat,lon,zone\n1011AA,52.37,4.89,\"=1+\"\"x\"\"\"\n1021AA,52.38,4.9,<img src=x onerror=alert(1)>\n1031AA,52.4,4.95,c\n1031AB,52.41,4.95,c\n",
    );
    put_points(&pipeline, "datapoints.csv", "2013-02-04,1,1,1011AA,12,,1\n2013-02-05,1,1,1021AA,15,,1\n");
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &["--min-count", "10"]).await.ready().await;
    let looks = shown(
        &serving,
        &[
            "dataset=oca&postcode=10001&from=2024-01-01&to=2024-03-31&radius=75",
            "dataset=oca&postcode=10001&from=2024-05-07&to=2024-05-09&radius=5",
            "dataset=oca&postcode=10001&from=2013-02-30&to=2024-05-09&radius=5",
            "dataset=oca&postcode=10001&from=2024-01-01&to=2024-01-31&radius=101",
            "dataset=nowhere&postcode=10001&from=2024-01-01&to=2024-03-31&radius=5",
            "dataset=datapoints&postcode=1011AA&from=2013-02-01&to=2013-02-28&radius=0.1",
            "dataset=datapoints&postcode=1011AA&from=2013-02-01&to=2013-02-28&radius=100",
            "dataset=datapoints&postcode=1031AA&from=2013-02-01&to=2013-02-28&radius=0.5",
            "dataset=datapoints&postcode=1011AA&from=2020-01-01&to=2020-01-01&radius=40",
        ],
    )
    .await;
    let [far, late, no_day, too_far, nowhere, near, zones, outside, unloaded] = &looks[..] else {
        panic!("{looks:#?}")
    };
    let has = |look: &Value, part: &str, text: &str| {
        assert!(look[part].as_str().is_some_and(|said| said.contains(text)), "{part} {text}: {look:#}");
    };
    has(far, "words", "within 75 km of 10001");
    has(far, "words", "as of May 6, 2024");
    has(far, "km", "75 km");
    has(far, "more", "Something is left out");
    has(far, "label", "91 days are not shown");
    has(far, "run", "loaded up to May 6, 2024");
    assert_eq!(
        (&far["untold"], &far["bars"], &far["datasets"]),
        (&json!(91), &json!(91), &json!(2)),
        "{far:#}"
    );
    has(far, "cleared", "Choose a first and a last day.");
    for (look, when) in [(late, "May 7, 2024 to May 9, 2024."), (unloaded, "January 1, 2020.")] {
        assert_eq!(look["words"], format!("Nothing is loaded for {when}"), "{look:#}");
        has(look, "timeline", "None of these days is loaded");
        assert_eq!(
            (&look["bars"], look["more"].as_str().unwrap().contains("have")),
            (&json!(0), false),
            "{look:#}"
        );
    }
    has(no_day, "wrong", "2013-02-30 is not a day of the calendar.");
    has(too_far, "wrong", "at most 100");
    has(nowhere, "wrong", "No data called “nowhere” is loaded here");
    assert_eq!((&no_day["told"], &nowhere["told"]), (&json!(false), &json!(false)));
    has(near, "words", "12 hits in the zones whose centre lies within 0.1 km of 1011AA");
    has(zones, "words", "27 hits in the zones whose centre lies within 100 km");
    has(outside, "words", "No zone has its centre within 0.5 km of 1031AA");
    has(outside, "words", "1 km is enough");
    has(
        outside,
        "more",
        "1 postcode lies within the radius. 26 of these days are not loaded. 1 zone reaches into",
    );
    has(near, "more", "1 postcode lies within the radius; 1 zone has hits that may be shown.");
    assert_eq!((&zones["area"], &zones["before"]), (&json!("Zone"), &json!("not shown")), "{zones:#}");
    let left_out = far["more"].as_str().unwrap();
    assert!(!left_out.contains(" 0 numbers") && left_out.contains("numbers are too small"), "{left_out}");
    has(far, "words", "No filings that may be shown in the zones");
    assert_eq!(zones["images"], 0, "a name is a text: {zones:#}");
    let csv: Vec<_> = zones["csv"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(csv[0], "zone,lat,lon,hits,delta");
    assert_eq!(
        csv[1..],
        ["<img src=x onerror=alert(1)>,52.38,4.9,15,", "\"'=1+\"\"x\"\"\",52.37,4.89,12,"],
        "{zones:#}"
    );
}
