//! The store's client alone: how often it asks, what it sends, what it accepts, and what it leaves behind.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use merganser::clients::store::{Keys, S3Options, Store, StoreError};

use crate::support::fire::{Fault, Fire, Seen};
use crate::support::s3::{self, Bucket};

const MIB: usize = 1 << 20;
/// The attempts for a request.
const ATTEMPTS: usize = 5;
const SLOW_DOWN: Fault = Fault::Answer(503, "SlowDown");
const BROKEN: Fault = Fault::Answer(500, "InternalError");

/// A bucket, the proxy in front of it, and a store that only knows the proxy.
struct Place {
    bucket: Bucket,
    fire: Fire,
    store: Store,
    folder: tempfile::TempDir,
}

impl Place {
    async fn new(hint: &str) -> Self {
        let bucket = s3::bucket(hint).await;
        let fire = Fire::start(&bucket.endpoint).await;
        let keys = Keys {
            access_key_id: bucket.access_key.clone(),
            secret_access_key: bucket.secret_key.clone(),
            session_token: None,
        };
        let options = S3Options {
            endpoint_url: Some(fire.endpoint.clone()),
            region: Some(bucket.region.clone()),
            credentials: Some(keys),
            ..S3Options::default()
        };
        let url = format!("s3://{}/court", bucket.name).parse().unwrap();
        let store = Store::open(&url, &options).await.unwrap();
        Self { bucket, fire, store, folder: tempfile::tempdir().unwrap() }
    }

    /// A local file whose bytes repeat only over long distances.
    fn file(&self, size: usize) -> std::path::PathBuf {
        let path = self.folder.path().join("file");
        fs::write(&path, content(size)).unwrap();
        path
    }

    async fn upload(&self, key: &str, size: usize) -> Result<u64, StoreError> {
        self.store.upload(key, &self.file(size)).await
    }

    async fn download(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let to = self.folder.path().join("got");
        self.store.download(key, &to, &|_| ()).await?;
        Ok(fs::read(to).unwrap())
    }

    async fn unfinished(&self) -> Vec<String> {
        super::unfinished(&self.bucket).await
    }
}

fn content(size: usize) -> Vec<u8> {
    (0..size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn pauses(seen: &[Seen]) -> Vec<Duration> {
    seen.windows(2).map(|two| two[1].at - two[0].at).collect()
}

#[tokio::test]
async fn a_busy_server_is_asked_again_a_few_times_with_growing_and_uneven_pauses() {
    let place = Place::new("fire busy").await;
    let file = place.file(1000);
    for (key, fault, times) in
        [("a", SLOW_DOWN, 1), ("b", BROKEN, 2), ("c", SLOW_DOWN, 99), ("d", BROKEN, 99)]
    {
        place.fire.strike("PUT", &format!("court/{key}"), fault, times);
    }
    let put = |key: &'static str| place.store.upload(key, &file);
    let started = Instant::now();
    let put = join_all(["a", "b", "c", "d"].map(put)).await;
    let took = started.elapsed();
    assert!(put[0].is_ok() && put[1].is_ok(), "{put:?}");
    for (error, code) in [(&put[2], "SlowDown"), (&put[3], "InternalError")] {
        let error = error.as_ref().unwrap_err();
        assert!(error.is_transient() && error.to_string().contains(code), "{error}");
        assert!(error.to_string().starts_with("upload s3://"), "{error}");
    }
    let attempts = ["a", "b", "c", "d"].map(|key| place.fire.asked("PUT", &format!("court/{key}")));
    assert_eq!(attempts.clone().map(|seen| seen.len()), [2, 3, ATTEMPTS, ATTEMPTS]);
    // At most 1, 2, 4 and 8 s, shortened at random so that many clients do not come back at once.
    let pauses = attempts.map(|seen| pauses(&seen));
    for waited in &pauses {
        for (pause, most) in waited.iter().zip([1, 2, 4, 8]) {
            assert!(*pause < Duration::from_secs(most) + Duration::from_millis(500), "{pauses:?}");
        }
    }
    assert_ne!(pauses[2], pauses[3]);
    let total: Duration = pauses[2].iter().chain(&pauses[3]).sum();
    assert!(total > Duration::from_secs(1) && took < Duration::from_secs(17), "{pauses:?}");
    let objects: Vec<_> = place.bucket.objects().await.into_keys().collect();
    assert_eq!(objects, ["court/a", "court/b"]);
    println!("pauses {pauses:?}, {took:?}");
}

#[tokio::test]
async fn what_breaks_on_the_way_there_is_sent_again() {
    let place = Place::new("fire cut").await;
    place.fire.strike("PUT", "court/small", Fault::CutRequest(300), 1);
    place.fire.strike("PUT", "court/lost", Fault::LoseAnswer, 1);
    for part in ["partNumber=1&", "partNumber=2&"] {
        place.fire.strike("PUT", part, Fault::CutRequest(100_000), 1);
    }
    place.fire.strike("POST", "?uploads", BROKEN, 1);
    place.fire.strike("POST", "?uploadId", SLOW_DOWN, 1);
    place.upload("small", 1000).await.unwrap();
    place.upload("lost", 1000).await.unwrap();
    place.upload("large", 20 * MIB).await.unwrap();
    let attempts = |method, part| place.fire.asked(method, part).len();
    assert_eq!((attempts("PUT", "court/small"), attempts("PUT", "court/lost")), (2, 2));
    assert_eq!((attempts("PUT", "partNumber=1&"), attempts("PUT", "partNumber=2&")), (2, 2));
    assert_eq!((attempts("POST", "?uploads"), attempts("POST", "?uploadId")), (2, 2));
    let objects = place.bucket.objects().await;
    assert!(objects["court/small"] == content(1000) && objects["court/lost"] == content(1000));
    assert!(objects["court/large"] == content(20 * MIB));
    assert_eq!(place.unfinished().await, Vec::<String>::new());
    // Each of them was sent with a checksum, which the server compares.
    for seen in place.fire.seen().iter().filter(|seen| seen.method == "PUT") {
        assert!(seen.header("x-amz-checksum-crc32").is_some_and(|sum| sum.len() == 8), "{seen:?}");
    }
}

#[tokio::test]
async fn what_is_damaged_on_the_way_there_is_refused_and_never_appears() {
    let place = Place::new("fire damaged put").await;
    place.fire.strike("PUT", "court/small", Fault::FlipRequest(300), 99);
    place.fire.strike("PUT", "partNumber=2&", Fault::FlipRequest(300), 99);
    for (key, size) in [("small", 1000), ("large", 20 * MIB)] {
        let error = place.upload(key, size).await.unwrap_err();
        println!("{error}");
        assert!(matches!(error, StoreError::Checksum { .. }), "{error:?}");
        assert_eq!(error.hint().as_deref(), Some("run again"));
    }
    assert!(place.bucket.objects().await.is_empty());
    assert_eq!(place.unfinished().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_damaged_or_cut_on_the_way_here_is_read_again_and_never_taken() {
    let place = Place::new("fire damaged get").await;
    place.upload("zip", 300_000).await.unwrap();
    for fault in [Fault::FlipBody(200_000), Fault::ShortBody(200_000), Fault::CutBody(200_000)] {
        place.fire.heal();
        place.fire.strike("GET", "court/zip", fault, 1);
        assert!(place.download("zip").await.unwrap() == content(300_000), "{fault:?}");
        let seen = place.fire.asked("GET", "court/zip");
        assert_eq!(seen.len(), 2, "{fault:?}");
        // Sound bytes are kept after a cut; after damage none are.
        let range = seen[1].header("range");
        assert_eq!(range, (fault == Fault::CutBody(200_000)).then_some("bytes=200000-"), "{fault:?}");
        place.fire.heal();
        place.fire.strike("GET", "court/zip", fault, 1);
        assert!(place.store.read_bytes("zip", 1 << 20).await.unwrap() == content(300_000), "{fault:?}");
    }
    // Damage every time: an error after the last attempt, and no file is left on the disk.
    fs::remove_file(place.folder.path().join("got")).unwrap();
    place.fire.heal();
    place.fire.strike("GET", "court/zip", Fault::FlipBody(200_000), 99);
    let started = Instant::now();
    let error = place.download("zip").await.unwrap_err();
    println!("{error} ({:?})", started.elapsed());
    assert!(matches!(error, StoreError::Checksum { .. }), "{error:?}");
    assert_eq!(place.fire.asked("GET", "court/zip").len(), 6);
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1, "only the file that was sent is left");
}

#[tokio::test]
async fn what_stands_still_is_given_up_and_done_again() {
    let place = Place::new("fire still").await;
    place.upload("zip", 300_000).await.unwrap();
    place.fire.strike("GET", "court/zip", Fault::HangBody(200_000), 1);
    place.fire.strike("PUT", "court/a", Fault::HangRequest(500), 1);
    place.fire.strike("PUT", "court/b", Fault::Delay(Duration::from_secs(45)), 1);
    let file = place.file(1000);
    let started = Instant::now();
    let get = async {
        assert!(place.download("zip").await.unwrap() == content(300_000));
        started.elapsed()
    };
    let put = async |key: &'static str| {
        place.store.upload(key, &file).await.unwrap();
        started.elapsed()
    };
    let took = futures_util::join!(get, put("a"), put("b"));
    println!("{took:?}");
    for took in [took.0, took.1, took.2] {
        assert!((15..45).contains(&took.as_secs()), "{took:?}");
    }
    for (method, key) in [("GET", "court/zip"), ("PUT", "court/a"), ("PUT", "court/b")] {
        assert_eq!(place.fire.asked(method, key).len(), 2, "{method} {key}");
    }
    assert!(place.bucket.objects().await["court/a"] == content(1000));
}

#[tokio::test]
async fn a_list_that_is_cut_is_asked_for_again() {
    let place = Place::new("fire list").await;
    place.upload("a/b", 10).await.unwrap();
    for fault in [Fault::CutBody(100), Fault::LoseAnswer, SLOW_DOWN] {
        place.fire.heal();
        place.fire.strike("GET", "list-type=2", fault, 1);
        let listed = place.store.list("a").await;
        assert_eq!(listed.map(|list| list.len()).map_err(|e| e.to_string()), Ok(1), "{fault:?}");
        assert_eq!(place.fire.seen().len(), 2, "{fault:?}");
    }
    // A truncated answer that claims to be complete never becomes a shorter list, wherever it ends.
    place.upload("a/c", 10).await.unwrap();
    let mut refused = 0;
    for length in (0..2000).step_by(9) {
        place.fire.heal();
        place.fire.strike("GET", "list-type=2", Fault::ShortBody(length), 1);
        match place.store.list("a").await {
            Ok(list) => assert_eq!(list.len(), 2, "{length} bytes"),
            Err(error) => {
                assert!(error.is_transient(), "{length}: {error:?}");
                refused += 1;
            }
        }
    }
    assert!((30..200).contains(&refused), "{refused}");
}

#[tokio::test]
async fn an_upload_in_parts_that_fails_leaves_nothing() {
    let place = Place::new("fire parts").await;
    // The last answer has status 200 and an error in its body, as S3 may send it.
    let cases = [
        ("PUT", "partNumber=1&", Fault::Answer(403, "AccessDenied"), 1),
        ("PUT", "partNumber=2&", BROKEN, 99),
        ("POST", "?uploadId", BROKEN, 99),
        ("POST", "?uploadId", Fault::Answer(200, "InternalError"), 99),
    ];
    for (method, part, fault, times) in cases {
        place.fire.heal();
        place.fire.strike(method, part, fault, times);
        let error = place.upload("large", 20 * MIB).await.unwrap_err();
        let Fault::Answer(_, code) = fault else { unreachable!() };
        println!("{error}");
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!(error.is_transient(), times > 1, "{error:?}");
        let attempts = if times == 1 { 1 } else { ATTEMPTS };
        assert_eq!(place.fire.asked(method, part).len(), attempts, "{fault:?}");
        assert_eq!(place.fire.asked("DELETE", "?").len(), 1, "{part}: aborted");
        assert_eq!(place.unfinished().await, Vec::<String>::new());
        assert!(place.bucket.objects().await.is_empty());
    }
    place.fire.heal();
    place.upload("large", 20 * MIB).await.unwrap();
    assert!(place.bucket.objects().await["court/large"] == content(20 * MIB));
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_has_taken_place() {
    let place = Place::new("fire completion").await;
    let (lost, gone) = (Fault::LoseAnswer, Fault::Answer(404, "NoSuchUpload"));
    place.fire.strike("POST", "?uploadId", lost, 1);
    place.upload("large", 20 * MIB).await.unwrap();
    assert_eq!(place.fire.asked("POST", "?uploadId").len(), 2);
    assert!(place.bucket.objects().await["court/large"] == content(20 * MIB));
    // A vanished upload is no success, whatever object was there before.
    place.fire.strike("POST", "?uploadId", gone, 99);
    let error = place.upload("large", 20 * MIB).await.unwrap_err();
    assert!(
        matches!(error, StoreError::NotFound { .. }) && error.to_string().contains("NoSuchUpload"),
        "{error}"
    );
    assert_eq!(place.unfinished().await, Vec::<String>::new());
}
