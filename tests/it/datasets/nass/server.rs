//! The server that stands for Quick Stats in the tests: its answers by HTTP, and the ways in which it fails. They are
//! compared with real answers, if those are available.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::BufReader;
use std::time::Duration;

use merganser::commands::demo::quickstats::read_bulk;
use merganser::datasets::nass::bulk;
use merganser::datasets::nass::columns::{COLUMNS, Fields, NATURAL_KEY, VALUE, position};
use merganser::datasets::nass::quickstats::records::StatRecords;
use merganser::datasets::nass::quickstats::{ApiCall, FieldManners, QuickStats, answer};
use reqwest::{Client, Response, StatusCode, header};

use crate::support::merganser;
use crate::support::nass_values::{cells, real, real_values};
use crate::support::quickstats::{Kind, QuickStatsServer, Trouble};

fn client() -> Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().user_agent("test").build().unwrap()
}

fn records(count: usize) -> StatRecords {
    let mut records = StatRecords::default();
    for number in 0..count {
        let (year, value) = ((2001 + number % 3).to_string(), number.to_string());
        let mut fields: Fields<'_> = [""; COLUMNS.len()];
        for (name, text) in
            [("sector_desc", "CROPS"), ("year", &year), ("Value", &value), ("state_alpha", "VA")]
        {
            fields[position(name).unwrap()] = text;
        }
        records.push(&fields);
    }
    records
}

async fn get(server: &QuickStatsServer, call: &str) -> Response {
    client().get(format!("{}{call}&key=a", server.api_url())).send().await.unwrap()
}

async fn text(server: &QuickStatsServer, call: &str) -> String {
    get(server, call).await.text().await.unwrap()
}

#[tokio::test]
async fn it_answers_by_http_and_remembers_what_was_asked() {
    let server = QuickStatsServer::start(records(3000));
    assert_eq!(text(&server, "/get_counts/?year=2001&year=2002").await, r#"{"count":2000}"#);
    let response = get(&server, "/api_GET/?year=2003&format=CSV").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/csv; charset=UTF-8");
    assert_eq!(response.text().await.unwrap().lines().count(), 1001);
    assert_eq!(text(&server, "/get_param_values/?param=year").await, r#"{"year":["2001","2002","2003"]}"#);
    server.change(|api| api.limit = 10);
    assert_eq!(get(&server, "/api_GET/?year=2003").await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let anonymous = Client::builder().build().unwrap();
    let url = format!("{}/get_counts/?key=a", server.api_url());
    assert_eq!(anonymous.get(url).send().await.unwrap().status(), StatusCode::FORBIDDEN);

    let log = server.log();
    let kinds: Vec<_> = log.iter().map(|asked| (asked.kind, asked.status)).collect();
    let expected =
        [(Kind::Count, 200), (Kind::Data, 200), (Kind::Values, 200), (Kind::Data, 413), (Kind::Count, 403)];
    assert_eq!(kinds, expected);
    assert_eq!(log[0].query, [("year".into(), "2001".into()), ("year".into(), "2002".into())]);
    assert!(!format!("{log:?}").contains("key"), "the key is nowhere");
    assert_eq!((server.calls(Kind::Count), server.calls(Kind::Bulk)), (2, 0));
    server.forget();
    assert_eq!(server.log(), []);
}

#[tokio::test]
async fn it_fails_in_the_ways_of_the_real_one() {
    let server = QuickStatsServer::start(records(900));
    let whole = text(&server, "/api_GET/?format=CSV").await;
    server.forget();
    server.trouble(Kind::Data, 1..=1, Trouble::Html);
    server.trouble(Kind::Data, 2..=2, Trouble::Failing(503));
    server.trouble(Kind::Data, 3..=4, Trouble::TooMany(Some("7")));
    server.trouble(Kind::Data, 5..=5, Trouble::Half);
    server.trouble(Kind::Data, 6..=6, Trouble::Truncated);
    server.trouble(Kind::Data, 7..=7, Trouble::Cut);
    server.trouble(Kind::Data, 8..=8, Trouble::Slow(Duration::from_millis(300)));
    server.trouble(Kind::Data, 9..=9, Trouble::Becomes(records(600).into()));
    let ask = || get(&server, "/api_GET/?format=CSV");

    let html = ask().await;
    assert_eq!(
        (html.status(), &html.headers()[header::CONTENT_TYPE]),
        (StatusCode::OK, &header::HeaderValue::from_static("text/html; charset=UTF-8"))
    );
    assert!(html.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..2 {
        let refused = ask().await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()[header::RETRY_AFTER]),
            (429, &header::HeaderValue::from_static("7"))
        );
    }
    let half = ask().await.text().await.unwrap();
    assert!(whole.starts_with(&half) && half.len() == whole.len() / 2 && !half.ends_with('\n'));
    let truncated = ask().await.text().await.unwrap();
    assert!(half.starts_with(&truncated) && truncated.ends_with('\n') && !truncated.is_empty());
    let cut = ask().await;
    assert_eq!(cut.status(), StatusCode::OK);
    assert!(cut.text().await.is_err(), "the connection breaks");
    let begun = std::time::Instant::now();
    assert_eq!(ask().await.text().await.unwrap(), whole);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // A count, and after that fewer records.
    assert_eq!(text(&server, "/get_counts/?").await, r#"{"count":900}"#);
    assert_eq!(ask().await.text().await.unwrap().lines().count(), 601);
    assert_eq!(text(&server, "/get_counts/?").await, r#"{"count":600}"#);
    let statuses: Vec<_> = server.log().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [200, 503, 429, 429, 200, 200, 200, 200, 200, 200, 200]);
    server.calm();
}

#[tokio::test]
async fn too_many_calls_are_refused_with_a_page() {
    // Long enough for the slowest machine.
    let rate = Some((3, Duration::from_secs(600)));
    let server = QuickStatsServer::with(QuickStats::new(records(9)), rate, None);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(get(&server, "/get_counts/?").await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert!(text(&server, "/get_counts/?").await.starts_with("<!DOCTYPE HTML"));
}

#[tokio::test]
async fn bulk_files_come_whole_and_in_parts_and_say_which_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let name = bulk::file_name("crops", jiff::civil::date(2026, 1, 2));
    let path = folder.path().join(&name);
    bulk::pack(&records(5000), "CROPS", fs::File::create(&path).unwrap()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let server = QuickStatsServer::with(QuickStats::new(StatRecords::default()), None, Some(folder.path()));
    let index = client().get(server.bulk_url()).send().await.unwrap().text().await.unwrap();
    assert!(index.contains("<a href=\"qs.crops_20260102.txt.gz\">"), "{index}");

    let url = format!("{}{name}", server.bulk_url());
    let ask = |headers: &[(&'static str, &str)]| {
        let request =
            headers.iter().fold(client().get(&url), |request, (name, text)| request.header(*name, *text));
        async move {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            (status, headers, response.bytes().await.unwrap())
        }
    };
    let (status, headers, whole) = ask(&[]).await;
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        (status, whole.as_ref(), &headers["accept-ranges"]),
        (200, &bytes[..], &"bytes".parse().unwrap())
    );
    assert_eq!(headers["content-length"], bytes.len().to_string().as_str());
    let (status, headers, rest) = ask(&[("range", "bytes=1000-"), ("if-range", &etag)]).await;
    assert_eq!((status, rest.as_ref()), (206, &bytes[1000..]));
    assert_eq!(headers["content-range"], format!("bytes 1000-{}/{}", bytes.len() - 1, bytes.len()).as_str());
    let (status, _, some) = ask(&[("range", "bytes=0-0")]).await;
    assert_eq!((status, some.as_ref()), (206, &bytes[..1]));
    let (status, _, some) = ask(&[("range", "bytes=-5")]).await;
    assert_eq!((status, some.as_ref()), (206, &bytes[bytes.len() - 5..]));
    let (status, _, other) = ask(&[("range", "bytes=1000-"), ("if-range", "\"other\"")]).await;
    assert_eq!((status, other.as_ref()), (200, &bytes[..]), "of another file all is sent");
    assert_eq!(ask(&[("range", &format!("bytes={}-", bytes.len()))]).await.0, 416);
    assert_eq!(ask(&[("if-none-match", &etag)]).await.0, 304);
    assert_eq!(ask(&[("if-match", "\"other\"")]).await.0, 412);
    let head = client().head(&url).send().await.unwrap();
    assert_eq!((head.status(), head.headers()["etag"].to_str().unwrap()), (StatusCode::OK, etag.as_str()));
    let missing = client().get(format!("{url}.sha256")).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(server.log().iter().filter(|asked| asked.range.is_some()).count(), 5);

    // Other content means another file.
    bulk::pack(&records(100), "CROPS", fs::File::create(&path).unwrap()).unwrap();
    let (status, headers, _) = ask(&[("if-none-match", &etag)]).await;
    assert!(status == 200 && headers["etag"].to_str().unwrap() != etag);
    server.trouble(Kind::Bulk, 1..=100, Trouble::Cut);
    let broken = client().get(&url).send().await.unwrap();
    assert!(broken.bytes().await.is_err());
}

/// The twelve real records of corn in Virginia, from the CSV that the API gave in 2019.
fn virginia() -> Option<(String, StatRecords)> {
    let text = fs::read_to_string(real("request_csv.csv")?).unwrap();
    let mut records = StatRecords::default();
    for line in text.lines().skip(1) {
        let cells = cells(line);
        records.push(&std::array::from_fn(|at| cells[at].as_str()));
    }
    Some((text, records))
}

fn asked(api: &QuickStats, query: &str) -> String {
    let call = ApiCall { path: "/api_GET/", query, user_agent: Some("test") };
    String::from_utf8(answer(api, &call).body.bytes()).unwrap()
}

#[test]
fn the_real_answers_of_2019_come_out_as_they_are() {
    let Some((csv, records)) = virginia() else { return };
    let manners = FieldManners { has_year_as_number: false, has_milliseconds: false };
    let api = QuickStats { manners, ..QuickStats::new(records) };
    assert_eq!(asked(&api, "key=a&format=CSV"), csv);
    let read = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    let Some(json) = real("request_json.json") else { return };
    assert_eq!(read(&asked(&api, "key=a&format=JSON")), read(&fs::read_to_string(json).unwrap()));
    let Some(xml) = real("request_xml.xml") else { return };
    let items = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("    <item ")).map(str::to_owned).collect()
    };
    let real_items = items(&fs::read_to_string(xml).unwrap());
    assert_eq!(items(&asked(&api, "key=a&format=XML")), real_items);
    assert_eq!(real_items.len(), 12 * 39);
}

#[test]
fn the_real_answers_of_today_come_out_as_they_are() {
    for name in ["ALAMEDA_2022.json", "ABBEVILLE_2025.json"] {
        let Some(path) = real(name) else { return };
        let expected: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut records = StatRecords::default();
        for record in expected["data"].as_array().unwrap() {
            let texts = COLUMNS.iter().map(|name| match &record[*name] {
                serde_json::Value::String(text) => text.trim_start().trim_end_matches(".000").to_owned(),
                other => other.to_string(),
            });
            let texts: Vec<_> = texts.collect();
            records.push(&std::array::from_fn(|at| texts[at].as_str()));
        }
        let api = QuickStats::new(records);
        let given: serde_json::Value = serde_json::from_str(&asked(&api, "key=a")).unwrap();
        assert_eq!(given, expected, "{name}");
    }
}

#[test]
fn real_bulk_rows_are_read_and_written_as_they_are() {
    let Some(path) = real("bulk_sample.tsv") else { return };
    let text = fs::read_to_string(path).unwrap();
    let mut records = StatRecords::default();
    bulk::unpack(BufReader::new(text.as_bytes()), &mut records).unwrap();
    assert_eq!(records.len(), 60);
    let mut out = Vec::new();
    bulk::add_header(&mut out);
    for row in 0..records.len() {
        bulk::add_line(&mut out, &records.fields(row));
    }
    assert_eq!(String::from_utf8(out).unwrap(), text);
}

#[test]
fn the_real_values_are_records_with_a_key_each() {
    let Some(records) = real_values() else { return };
    assert_eq!(records.len(), 308_121);
    let key = NATURAL_KEY.map(|name| position(name).unwrap());
    let keys: HashSet<Vec<&str>> = (0..records.len())
        .map(|row| key.iter().map(|column| records.field(row, *column)).collect())
        .collect();
    assert_eq!(keys.len(), records.len());
    assert_eq!(records.field(0, VALUE), "2,300");
    let mut years = BTreeMap::new();
    for row in 0..records.len() {
        *years.entry(records.field(row, position("year").unwrap())).or_insert(0) += 1;
    }
    assert_eq!((years["2005"], years["2015"], years.len()), (47_139, 18_564, 11));
    let api = QuickStats::new(records);
    let call = ApiCall {
        path: "/get_counts/",
        query: "key=a&year__LE=2006&state_alpha=IA&commodity_desc=CORN",
        user_agent: Some("test"),
    };
    let count = String::from_utf8(answer(&api, &call).body.bytes()).unwrap();
    assert!(count.len() > r#"{"count":1}"#.len(), "{count}");
}

#[tokio::test]
async fn a_sample_is_what_the_server_gives_out() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let words = ["sample", "nass", "--records", "3000", "--from", "2021", "--to", "2022", "--out", &out];
    let none: [(&str, &str); 0] = [];
    let ran = merganser([&words[..], &["--day", "2026-01-02"]].concat(), none);
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{stderr}");
    assert_eq!(stdout.lines().count(), 5, "a file a sector: {stdout}");
    assert!(stderr.contains("3,000 records; "), "{stderr}");
    // A file that repeats others is not counted, and neither is an older one.
    let crops = folder.path().join("qs.crops_20260102.txt.gz");
    for name in ["qs.census2022_20260102.txt.gz", "qs.crops_20251231.txt.gz"] {
        fs::copy(&crops, folder.path().join(name)).unwrap();
    }
    let records = read_bulk(folder.path()).unwrap();
    let server = QuickStatsServer::with(QuickStats::new(records), None, Some(folder.path()));
    assert_eq!(text(&server, "/get_counts/?").await, r#"{"count":3000}"#);
    assert_eq!(text(&server, "/get_param_values/?param=year").await, r#"{"year":["2021","2022"]}"#);

    fs::write(&crops, b"no gzip").unwrap();
    assert!(read_bulk(folder.path()).unwrap_err().to_string().contains("qs.crops_20260102.txt.gz: "));
    let ran = merganser([&words[..], &["--to", "2020"]].concat(), none);
    assert_eq!(ran.status.code(), Some(2));
    let ran = merganser(
        ["sample", "nass", "--records", "9", "--from", "2023", "--to", "2022", "--out", &out],
        none,
    );
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("not from 2023 to 2022"));
}
