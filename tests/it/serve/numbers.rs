//! The server's answers equal those of plain SQL over the raw points.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio_postgres::Client;

use super::world::{Serving, loaded};
use crate::datasets::datapoints::world::{PLACES, load, put, put_points, with_places};

/// The answer to a question, from the raw points alone: $1 postcode, $2 days, $3 km, $4 a branch or null.
const PLAIN: &str = r#"
with centre as (
    select lat::float8 as lat, lon::float8 as lon from datapoint_places where postcode = $1
),
near as (
    select postcode, place.lat::float8 as lat, place.lon::float8 as lon
    from datapoint_places as place, centre
    where 2 * 6371.0088 * asin(least(1, sqrt(
        power(sin(radians(place.lat::float8 - centre.lat) / 2), 2)
        + cos(radians(centre.lat)) * cos(radians(place.lat::float8))
            * power(sin(radians(place.lon::float8 - centre.lon) / 2), 2)
    ))) <= $3
),
day as (
    select distinct given::date as date from unnest($2::text[]) as given
),
seen as (
    select point.* from datapoints as point join day using (date) join near using (postcode)
    where $4::text is null or point.sbi = $4
),
stat as (
    select sbi, sum(hits) as total, case when bool_and(delta is not null) then sum(delta) end as delta from seen group by sbi
),
moment as (
    select date, coalesce(sum(hits), 0) as hits,
        case when bool_and(sbi is null or delta is not null) then coalesce(sum(delta), 0) end as delta
    from day left join seen using (date) group by date
),
area as (
    select postcode, near.lat, near.lon, sum(hits) as hits,
        case when bool_and(delta is not null) then sum(delta) end as delta
    from seen join near using (postcode) group by 1, 2, 3
)
select jsonb_build_object(
    'places', (select count(*) from near),
    'stats', (
        select coalesce(jsonb_agg(jsonb_build_object('sbi', sbi, 'total', total, 'delta', delta, 'percentage',
            case when delta = 0 then 0 else (total - delta)::float8 / delta end) order by sbi collate "C"), '[]')
        from stat
    ),
    'timeline', (
        select jsonb_agg(jsonb_build_object('date', date, 'hits', hits, 'delta', delta) order by date) from moment
    ),
    'points', (
        select coalesce(jsonb_agg(to_jsonb(best) order by hits desc, postcode collate "C"), '[]')
        from (select * from area order by hits desc, postcode collate "C" limit 1000) as best
    ),
    'points_total', (select count(*) from area),
    'truncated', (select count(*) > 1000 from area)
)::text
"#;

/// Random numbers that are the same in every run.
struct Luck(u64);

impl Luck {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Asked {
    postcode: String,
    days: Vec<String>,
    path: String,
    radius: f64,
    sbi: Option<String>,
}

fn question(luck: &mut Luck, postcodes: &[String]) -> Asked {
    let day = |number: u64| {
        let first = jiff::civil::date(2013, 1, 10);
        first.saturating_add(jiff::Span::new().days(number as i64))
    };
    let postcode = postcodes[luck.below(postcodes.len() as u64) as usize].clone();
    let (days, dates) = match luck.below(4) {
        // Some questions are about a whole month, others about some days.
        1 => {
            let (first, last) = (luck.below(24), 49 + luck.below(8));
            let days: Vec<_> = (first..=last).map(|number| day(number).to_string()).collect();
            (days, format!("{}..{}", day(first), day(last)))
        }
        0 => {
            let (first, length) = (luck.below(50), luck.below(50));
            let days: Vec<_> = (first..=first + length).map(|number| day(number).to_string()).collect();
            (days, format!("{}..{}", day(first), day(first + length)))
        }
        _ => {
            let days: Vec<_> = (0..=luck.below(4)).map(|_| day(luck.below(55)).to_string()).collect();
            let dates = days.join(";");
            (days, dates)
        }
    };
    let most = luck.below(9_000);
    let radius = (1 + luck.below(80 + most)) as f64 / 1_000.0;
    let sbi = (luck.below(3) == 0).then(|| (1 + luck.below(22)).to_string());
    let query = sbi.as_ref().map_or(String::new(), |sbi| format!("?sbi={sbi}"));
    Asked { path: format!("/api/{postcode}/{dates}/{radius}{query}"), postcode, days, radius, sbi }
}

async fn plain(client: &Client, asked: &Asked) -> Value {
    let row =
        client.query_one(PLAIN, &[&asked.postcode, &asked.days, &asked.radius, &asked.sbi]).await.unwrap();
    serde_json::from_str(row.get(0)).unwrap()
}

/// Compares values; 1 and 1.0 are the same.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => found == expected,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_random_questions_are_answered_as_plain_sql_does() {
    let questions: u64 = std::env::var("MERGANSER_TEST_QUESTIONS").map_or(2_000, |n| n.parse().unwrap());
    let pipeline = loaded("serve numbers", "20000", "1500").await;
    let postcodes = pipeline.column("select postcode from datapoint_places order by 1").await;
    // A day with unknown deltas.
    let lines = postcodes.iter().step_by(3).enumerate().map(|(at, postcode)| {
        let delta = if at % 40 == 0 { String::new() } else { at.to_string() };
        format!("2013-03-01,1,1,{postcode},{at},{delta},{}\n", at % 5)
    });
    put_points(&pipeline, "datapoints-z.csv", &lines.collect::<String>());
    load(&pipeline, &[]).await.exits(0);
    let serving = Arc::new(Serving::start(&pipeline.database.url(), &[]).await.ready().await);
    let (next, filled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let postcodes = Arc::new(postcodes);
    let workers = (0..3).map(|_| {
        let (serving, next, filled) = (serving.clone(), next.clone(), filled.clone());
        let postcodes = postcodes.clone();
        let url = pipeline.database.url();
        tokio::spawn(async move {
            let client = crate::support::postgres::connect(&url).await;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= questions {
                    return;
                }
                let asked = question(&mut Luck(number), &postcodes);
                let reply = serving.get(&asked.path).await;
                assert_eq!(reply.status, 200, "{}: {reply:?}", asked.path);
                let found = reply.json();
                let expected = plain(&client, &asked).await;
                for (key, value) in expected.as_object().unwrap() {
                    assert!(
                        same(&found[key], value),
                        "{} {key}\nfound {}\nplain {value}",
                        asked.path,
                        found[key]
                    );
                }
                filled.fetch_add(u64::from(found["points_total"] != 0), Ordering::Relaxed);
            }
        })
    });
    futures_util::future::try_join_all(workers).await.unwrap();
    assert!(filled.load(Ordering::Relaxed) > questions / 2, "most questions find something");
}

#[tokio::test]
async fn an_answer_is_what_the_description_says() {
    let pipeline = loaded("serve openapi", "3000", "300").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let description = serving.get("/api/openapi.json").await.json();
    let schema = |name: &str| description["components"]["schemas"][name].clone();
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let lower = postcode.to_lowercase();
    let apart = format!("{}%20{}", &lower[..4], &lower[4..]);
    let answer = serving.get(&format!("/api/{apart}/2013-01-20;2013-01-20/5")).await.json();
    let wrong = fits(&answer, &schema("answer"), &description);
    assert_eq!(wrong, None, "{answer:#}");
    assert_eq!(answer["postcode"], postcode);
    assert_eq!(answer["timeline"].as_array().unwrap().len(), 1, "a day that was loaded twice counts once");
    assert_eq!(answer["run_id"], pipeline.one("select max(run_id::text) from etl.runs").await);
    let datasets = serving.get("/api/datasets").await.json();
    for dataset in datasets.as_array().unwrap() {
        assert_eq!(fits(dataset, &schema("dataset"), &description), None, "{datasets:#}");
    }
    let loaded: Vec<_> =
        datasets.as_array().unwrap().iter().filter(|dataset| dataset["run_id"].is_string()).collect();
    assert_eq!((loaded.len(), &loaded[0]["dataset"]), (1, &Value::from("datapoints")));
    assert_eq!(loaded[0]["days"].as_array().unwrap().len(), 30);
    assert_eq!(loaded[0]["days"][29], "2013-02-23");
    let error = serving.get("/api/XX/2013-01-20").await;
    assert_eq!((error.status, fits(&error.json(), &schema("error"), &description)), (400, None));
    let begun: Vec<String> =
        serde_json::from_value(serving.get(&format!("/api/places?q={}", &lower[..2])).await.json()).unwrap();
    assert!(begun.len() == 10 && begun[0] == postcode, "{begun:?}");
    // With a least number, and where the database cannot be asked in time.
    let limits = ["--min-count", "10", "--connections", "1", "--timeout", "1"];
    let few = Serving::start(&pipeline.database.url(), &limits).await.ready().await;
    let path = format!("/api/{postcode}/2013-01-20..2013-02-23/20");
    let zones = few.get(&path).await.json();
    assert_eq!(fits(&zones, &schema("answer"), &description), None, "{zones:#}");
    assert!(zones["suppressed"].is_object() && zones["stats"] != serde_json::json!([]), "{zones:#}");
    let none = few.get(&format!("/api/{postcode}/2013-01-20/0.0001")).await.json();
    assert_eq!(fits(&none, &schema("answer"), &description), None, "{none:#}");
    assert!(none["stats"].is_null(), "{none:#}");
    let mut client = pipeline.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("lock table datapoint_places, datapoint_atoms in access exclusive mode")
        .await
        .unwrap();
    let late = few.get(&format!("{path}?sbi=1")).await;
    assert_eq!((late.status, fits(&late.json(), &schema("error"), &description)), (503, None), "{late:?}");
    lock.rollback().await.unwrap();
    // The comparison can fail.
    let mut other = answer.clone();
    other["points"][0]["hits"] = "1".into();
    assert!(fits(&other, &schema("answer"), &description).is_some());
}

/// The first place where a value does not fit a schema, with the part of JSON Schema that the description uses.
fn fits(value: &Value, schema: &Value, all: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(value, all.pointer(&reference[1..]).expect("it is there"), all);
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    let kinds: Vec<_> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    if !kinds.iter().any(|kind| is(kind)) {
        return Some(format!("{value} is not {kinds:?}"));
    }
    let known = schema["properties"].as_object().cloned().unwrap_or_default();
    if let Some(object) = value.as_object() {
        let lacks = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|name| !object.contains_key(name.as_str().unwrap()));
        let extra = object.keys().find(|name| !known.contains_key(*name));
        if lacks.is_some() || extra.is_some() {
            return Some(format!("lacks {lacks:?}, has {extra:?}"));
        }
    }
    let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
    if value.as_array().is_some_and(|items| items.len() as u64 > most) {
        return Some("too many items".into());
    }
    let items = value.as_array().into_iter().flatten().find_map(|item| fits(item, &schema["items"], all));
    let properties = known
        .iter()
        .find_map(|(name, schema)| fits(&value[name], schema, all).map(|why| format!("{name}: {why}")));
    items.or(properties)
}

#[tokio::test]
async fn what_has_not_changed_is_said_without_the_database_and_a_new_run_is_noticed() {
    let pipeline = loaded("serve etag", "2000", "200").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let path = format!("/api/{postcode}/2013-01-20..2013-03-01/5");
    let first = serving.get(&path).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    let known = format!("If-None-Match: W/{tag}\r\n");
    {
        // Any statement on these tables would wait.
        let mut client = pipeline.database.client().await;
        let lock = client.transaction().await.unwrap();
        let tables = "lock table datapoint_places, datapoint_place_days, datapoint_zone_days, etl.runs, etl.steps in access exclusive mode";
        lock.batch_execute(tables).await.unwrap();
        let again = serving.get_with(&path, &known).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    let other = serving.get_with(&format!("{path}?sbi=1"), &known).await;
    assert_eq!(other.status, 200, "another question has another tag");
    let same = serving
        .get_with(&format!("/api/{}/2013-01-20..2013-03-01/5.0", postcode.to_lowercase()), &known)
        .await;
    assert_eq!(same.status, 304, "the same question in another form has the same tag");
    put_points(&pipeline, "datapoints-z.csv", &format!("2013-03-01,1,1,{postcode},77,7,1\n"));
    load(&pipeline, &[]).await.exits(0);
    let mut changed = serving.get_with(&path, &known).await;
    for _ in 0..20 {
        if changed.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        changed = serving.get_with(&path, &known).await;
    }
    assert_eq!(changed.status, 200, "the server notices the commit");
    assert_eq!(changed.json()["timeline"].as_array().unwrap().last().unwrap()["hits"], 77);
    assert_ne!(changed.json()["run_id"], first.json()["run_id"]);
    // Nobody tells of this.
    let tag = changed.header("etag").expect("a tag").to_owned();
    pipeline
        .execute(
            "update etl.steps set finished_at = finished_at + interval '1 second' where step = 'promote'",
        )
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let known = format!("If-None-Match: {tag}\r\n");
    assert_eq!(serving.get_with(&path, &known).await.status, 200, "it is noticed all the same");
    // The clock was set back before the last run.
    let newest = changed.json()["run_id"].as_str().unwrap().to_owned();
    let back = "update etl.steps set finished_at = finished_at - interval '1 day' where run_id = ";
    pipeline.execute(&format!("{back} '{newest}'")).await;
    assert_eq!(serving.get(&path).await.json()["run_id"], newest.as_str());
    // An older program has left a ledger in which no step has a number.
    pipeline.execute("alter table etl.steps drop column step_no").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    assert_eq!(serving.get(&path).await.json()["run_id"], first.json()["run_id"]);
}

#[tokio::test]
async fn postcodes_are_offered_as_the_last_run_left_them() {
    let pipeline = with_places("serve offered").await;
    put_points(&pipeline, "datapoints.csv", "2013-02-04,1,1,1011AA,12,,1\n");
    load(&pipeline, &[]).await.exits(0);
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    assert_eq!(serving.get("/api/places?q=1031").await.json(), serde_json::json!([]));
    put(&pipeline, "places.csv", format!("{PLACES}1031AA,52,4,103\n"));
    load(&pipeline, &[]).await.exits(0);
    let mut found = Value::Null;
    for _ in 0..50 {
        found = serving.get("/api/places?q=1031").await.json();
        if found[0] == "1031AA" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(found, serde_json::json!(["1031AA"]));
}

/// While runs commit, every answer has the numbers of one run, and a run's numbers are always the same.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_of_two_runs_while_runs_commit() {
    let pipeline = loaded("serve promote", "2000", "200").await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let all = format!("/api/{postcode}/2013-01-15..2013-02-23/50");
    let serving = Arc::new(Serving::start(&pipeline.database.url(), &[]).await.ready().await);
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let askers: Vec<_> = (0..4)
        .map(|_| {
            let (serving, over, all) = (serving.clone(), over.clone(), all.clone());
            tokio::spawn(async move {
                let mut seen: BTreeMap<String, String> = BTreeMap::new();
                while !over.load(Ordering::Relaxed) {
                    let reply = serving.get(&all).await;
                    assert_eq!(reply.status, 200, "{reply:?}");
                    let answer = reply.json();
                    let sum = |list: &str, field: &str| -> i64 {
                        answer[list].as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).sum()
                    };
                    let (stats, timeline) = (sum("stats", "total"), sum("timeline", "hits"));
                    assert_eq!(stats, timeline, "both are of one snapshot");
                    assert_eq!(stats, sum("points", "hits"), "the points are, too");
                    let run = answer["run_id"].as_str().unwrap().to_owned();
                    let body = seen.entry(run).or_insert_with(|| reply.body.clone());
                    assert_eq!(*body, reply.body, "a run's answers are all the same");
                }
                seen.len()
            })
        })
        .collect();
    for number in 0..3 {
        let lines: String =
            (15..=23).map(|day| format!("2013-02-{day},1,1,{postcode},{number},1,1\n")).collect();
        put_points(&pipeline, &format!("datapoints-z{number}.csv"), &lines);
        load(&pipeline, &["--allow", "drop"]).await.exits(0);
    }
    over.store(true, Ordering::Relaxed);
    let mut runs = 0;
    for asker in askers {
        runs = runs.max(asker.await.unwrap());
    }
    assert!(runs > 1, "runs committed meanwhile");
}
