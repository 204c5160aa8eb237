//! A wrong question is refused with a sentence that names the field, and no part of it is in the log.

use super::world::{Serving, loaded};

#[tokio::test]
async fn each_fault_has_a_sentence_and_a_field() {
    let pipeline = loaded("serve refusals", "1000", "100").await;
    let serving = Serving::start(&pipeline.database.url(), &["--max-days", "400"]).await.ready().await;
    let postcode = pipeline.one("select min(postcode) from datapoint_places").await;
    let good = format!("/api/{postcode}/2013-01-20");
    let many: Vec<_> = (0..10_000).map(|n| format!("2{:03}-01-0{}", n % 1_000, 1 + n % 9)).collect();
    for (path, status, field) in [
        (format!("/api/{postcode}/2013-02-30"), 400, "date"),
        (format!("/api/{postcode}/{}", many[..4_000].join(";")), 400, "date"),
        (format!("/api/{postcode}/2013-01-01..2014-12-31"), 400, "date"),
        (format!("/api/{postcode}/2013-01-20'%20or%201=1"), 400, "date"),
        ("/api/9999ZZ/2013-01-20".into(), 400, "postcode"),
        ("/api/';%20drop%20table%20datapoints;--/2013-01-20".into(), 400, "postcode"),
        ("/api/%00/2013-01-20".into(), 400, "postcode"),
        ("/api/%ff%fe/2013-01-20".into(), 400, "postcode"),
        ("/api/..%2f..%2fetc%2fpasswd/2013-01-20".into(), 400, "postcode"),
        (format!("{good}/0"), 400, "radius"),
        (format!("{good}/-1"), 400, "radius"),
        (format!("{good}/NaN"), 400, "radius"),
        (format!("{good}/1e9"), 400, "radius"),
        (format!("{good}/101"), 400, "radius"),
        (format!("{good}/1;select%20pg_sleep(9)"), 400, "radius"),
        (format!("{good}?sbi=%00"), 400, "sbi"),
        (format!("{good}?sbi="), 400, "sbi"),
        (format!("{good}?dataset=pg_catalog"), 400, "dataset"),
        (format!("{good}?dataset=x'%20--"), 400, "dataset"),
        (format!("{good}?x=1"), 400, "query"),
        (format!("/api/{postcode}"), 404, "path"),
        ("/api/a/b/c/d".into(), 404, "path"),
        ("/api/../../etc/passwd".into(), 404, "path"),
        ("/../../etc/passwd".into(), 404, "path"),
        ("/api".into(), 404, "path"),
        ("/nothing".into(), 404, "path"),
        ("/api/places?q='".into(), 400, "postcode"),
        ("/api/places".into(), 400, "postcode"),
    ] {
        let reply = serving.get(&path).await;
        let shown = &path[..path.len().min(100)];
        assert_eq!(reply.status, status, "{shown}: {}", reply.body);
        let said = reply.json();
        assert_eq!(said["field"], field, "{shown}: {said}");
        assert!(said["error"].as_str().is_some_and(|said| said.len() > 10), "{shown}: {said}");
    }
    let unknown = serving.get(&format!("{good}?sbi=1'%20union%20select%201")).await.json();
    assert_eq!(
        unknown["stats"],
        serde_json::json!([]),
        "any branch may be asked for, even one that does not exist"
    );
    assert_eq!(serving.get(&good).await.status, 200, "the table is still there");
    let posted = serving
        .send(
            format!("POST {good} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                .as_bytes(),
        )
        .await;
    assert_eq!((posted.status, posted.json()["field"].clone()), (405, "method".into()));
    let long = |bytes: usize| format!("X-Long: {}\r\n", "x".repeat(bytes));
    for (head, status) in [
        (long(60 << 10), 200),
        (long(129 << 10), 431),
        (long(1 << 20), 431),
        ("X: y\r\n".repeat(90), 200),
        ("X: y\r\n".repeat(101), 431),
    ] {
        assert_eq!(serving.get_with(&good, &head).await.status, status, "{} bytes", head.len());
    }
    assert_eq!(serving.get(&format!("{good}?sbi={}", "x".repeat(66_000))).await.status, 414);
    assert_eq!(serving.send(b"\x00\x01\x02 nonsense\r\n\r\n").await.status, 400);
    let health = serving.get("/healthz").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let metrics = serving.get("/metrics").await;
    assert!(metrics.body.contains("merganser_serve_responses_total{status=\"200\"} 4\n"), "{}", metrics.body);
    assert!(metrics.body.contains("merganser_serve_responses_total{status=\"500\"} 0\n"), "{}", metrics.body);
    assert!(metrics.body.contains("merganser_serve_responses_total{status=\"405\"} 1\n"), "{}", metrics.body);
    assert!(metrics.body.contains("merganser_serve_responses_total{status=\"404\"} 6\n"), "{}", metrics.body);
    let (code, log) = serving.stop().await;
    assert_eq!(code, 0, "{log}");
    for typed in ["drop table", "passwd", "pg_sleep", "union", "9999ZZ", "2013-02-30"] {
        assert!(!log.contains(typed), "{typed} is in the log: {log}");
    }
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do() {
    let pipeline = loaded("serve heads", "500", "50").await;
    let serving = Serving::start(&pipeline.database.url(), &[]).await.ready().await;
    for path in ["/", "/page.js", "/leaflet.js", "/leaflet.css", "/page.css", "/api/datasets", "/nothing"] {
        let reply = serving.get(path).await;
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let page = serving.get("/").await;
    let tag = page.header("etag").expect("a tag").to_owned();
    assert_eq!(serving.get_with("/", &format!("If-None-Match: {tag}\r\n")).await.status, 304);
}

#[tokio::test]
async fn a_least_number_for_a_dataset_that_is_not_served_is_refused() {
    let none: [(&str, &str); 0] = [];
    let args = ["serve", "--database-url", "postgresql://127.0.0.1:1/x"];
    for (said, hint) in [
        ("datapoint=25", "did you mean `datapoints`?"),
        ("10,datapoints=5,nass=0", "name one of these: oca, datapoints"),
    ] {
        for ran in [
            crate::support::merganser(args.into_iter().chain(["--min-count", said]), none),
            crate::support::merganser(args, [("MERGANSER_MIN_COUNT", said)]),
        ] {
            let text = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(2), "{text}");
            assert!(text.contains("MERGANSER_MIN_COUNT") && text.contains(hint), "{text}");
        }
    }
}
