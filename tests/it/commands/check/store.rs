//! Faults of the store.

use std::net::TcpListener;

use super::{Tonight, ends_in_time};
use crate::support::proxy::{Fault, Proxy};
use crate::support::s3;

#[tokio::test]
async fn a_bucket_that_is_not_there_and_keys_that_are_refused() {
    let tonight = Tonight::with_weeks("check bucket").await;
    let skipped = ["store writes"];
    let seen = tonight.check(&[("AWS_S3_BUCKET_NAME", "no-such-bucket-anywhere")]).await.exits(1);
    seen.only("store", "fail", &["no-such-bucket-anywhere", "check the bucket's name"], &skipped);
    let seen = tonight.check(&[("AWS_SECRET_ACCESS_KEY", &"0123456789abcdef".repeat(4))]).await.exits(1);
    seen.only("store", "fail", &["access denied", "AWS_SECRET_ACCESS_KEY"], &skipped);
    let seen = tonight.check(&[("AWS_SECRET_ACCESS_KEY", ""), ("AWS_ACCESS_KEY_ID", "")]).await.exits(1);
    seen.only("store", "fail", &["no usable credentials", "AWS_ACCESS_KEY_ID"], &skipped);
    let seen = tonight.check(&[("AWS_REGION", "eu-north-1")]).await.exits(1);
    seen.only("store", "fail", &["the bucket is in garage", "AWS_REGION=garage"], &skipped);
}

#[tokio::test]
async fn a_store_that_only_reads() {
    let tonight = Tonight::with_weeks("check read only").await;
    let (id, secret) = s3::read_only_key(&tonight.bucket).await;
    let keys = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", &secret)];
    let seen = tonight.check(&keys).await.exits(1);
    seen.only(
        "store writes",
        "fail",
        &["court/private/merganser-check-", "access denied", "s3:PutObject"],
        &[],
    );
}

#[tokio::test]
async fn whatever_hangs_nothing_stays_behind() {
    let tonight = Tonight::with_weeks("check store hangs").await;
    let port = tonight.bucket.endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
    // The store hangs during the list, the put, the get or the delete, depending on the bytes. Then a new connection
    // works.
    let mut failed = Vec::new();
    for after_bytes in (1..2_400).step_by(300) {
        let proxy = Proxy::start(port, Fault::Hang, after_bytes, 1).await;
        let endpoint = format!("http://127.0.0.1:{}", proxy.port);
        let seen = ends_in_time(&tonight, &[("AWS_ENDPOINT_URL_S3", &endpoint)], 10).await;
        let is_bad =
            |probe: &&serde_json::Value| ["fail", "warn"].contains(&probe["state"].as_str().unwrap());
        let bad: Vec<_> = seen.probes().filter(is_bad).map(|probe| probe["found"].to_string()).collect();
        println!("after {after_bytes} bytes: {bad:?}");
        failed.extend(bad);
    }
    for step in ["put: no answer", "get: no answer"] {
        assert!(failed.iter().any(|found| found.contains(step)), "never in {step}: {failed:?}");
    }
    // This port accepts connections and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let seen = ends_in_time(&tonight, &[("AWS_ENDPOINT_URL_S3", &endpoint)], 10).await.exits(1);
    seen.only("store", "fail", &["no answer from s3://", "within 1 s"], &["store writes"]);
}
