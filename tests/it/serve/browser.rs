//! The page in headless Chromium: what people see is what the API says.

use serde_json::json;

use super::world::{Serving, loaded};
use crate::support::browser::looks;

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
