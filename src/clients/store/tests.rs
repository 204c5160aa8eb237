use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::*;

async fn open(url: &str) -> Store {
    Store::open(&url.parse().unwrap(), &S3Options::default()).await.unwrap()
}

async fn in_directory() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&format!("file:{}", dir.path().join("store").display())).await;
    (dir, store)
}

fn keys(listed: &[ObjectInfo]) -> Vec<&str> {
    listed.iter().map(|o| o.key.as_str()).collect()
}

/// Names in a directory, hidden ones too.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[tokio::test]
async fn an_object_goes_there_and_back() {
    let (dir, store) = in_directory().await;
    assert_eq!(store.list("").await.unwrap(), [], "nothing was written yet");
    assert_eq!(store.upload_bytes("a/b.txt", Bytes::from_static(b"hello")).await.unwrap(), 5);
    let info = store.head("a/b.txt").await.unwrap().unwrap();
    assert_eq!((info.key.as_str(), info.size_bytes, info.modified.is_some()), ("a/b.txt", 5, true));
    assert_eq!(store.head("a/c.txt").await.unwrap(), None);
    assert_eq!(store.head("a/b.txt/c").await.unwrap(), None);
    assert_eq!(store.read_bytes("a/b.txt", 5).await.unwrap(), "hello");
    assert!(matches!(store.read_bytes("a/b.txt", 4).await, Err(StoreError::TooLarge { .. })));

    let told = AtomicU64::new(0);
    let to = dir.path().join("copy");
    let fetched = store.download("a/b.txt", &to, &|n| told.store(n, Ordering::Relaxed)).await.unwrap();
    assert_eq!(fetched, Downloaded { size_bytes: 5, sha256: HELLO_SHA256.into() });
    assert_eq!(told.into_inner(), 5);
    assert_eq!(fs::read(&to).unwrap(), b"hello");

    fs::write(&to, b"changed").unwrap();
    assert_eq!(store.upload("a/b.txt", &to).await.unwrap(), 7);
    assert_eq!(store.read_bytes("a/b.txt", 9).await.unwrap(), "changed");
    store.delete("a/b.txt").await.unwrap();
    store.delete("a/b.txt").await.unwrap();
    let missing = store.download("a/b.txt", &to, &|_| ()).await.unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
    assert_eq!(fs::read(&to).unwrap(), b"changed", "a failed download leaves the file alone");
    assert_eq!(names(dir.path()), ["copy", "store"], "no temporary file is left");
}

#[tokio::test]
async fn lists_are_deep_or_flat_and_sorted() {
    let (_dir, store) = in_directory().await;
    for key in ["b.csv", "a/2.csv", "a/deep/3.csv", "a.csv", "ab/4.csv"] {
        store.upload_bytes(key, Bytes::new()).await.unwrap();
    }
    assert_eq!(
        keys(&store.list("").await.unwrap()),
        ["a.csv", "a/2.csv", "a/deep/3.csv", "ab/4.csv", "b.csv"]
    );
    assert_eq!(keys(&store.list("a").await.unwrap()), ["a/2.csv", "a/deep/3.csv"]);
    assert_eq!(keys(&store.list_names("a/").await.unwrap()), ["a/2.csv"]);
    assert_eq!(keys(&store.list_names("").await.unwrap()), ["a.csv", "b.csv"]);
    assert_eq!(store.list("none").await.unwrap(), []);
    assert!(matches!(store.list("../x").await, Err(StoreError::BadKey { .. })));
}

#[tokio::test]
async fn links_do_not_lead_out_and_special_files_are_skipped() {
    let (dir, store) = in_directory().await;
    store.upload_bytes("in/real.zip", Bytes::from_static(b"x")).await.unwrap();
    let root = dir.path().join("store");
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "s").unwrap();
    symlink(outside.join("secret"), root.join("link.zip")).unwrap();
    symlink(&outside, root.join("out")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink(root.join("in"), root.join("alias")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe"), 0o600.into()).unwrap();

    assert_eq!(keys(&store.list("").await.unwrap()), ["in/real.zip", "link.zip"]);
    assert_eq!(store.read_bytes("link.zip", 9).await.unwrap(), "s", "a link to a file is followed");
    assert_eq!(store.read_bytes("alias/real.zip", 9).await.unwrap(), "x", "a link that stays inside too");
    for result in [
        store.read_bytes("out/secret", 9).await.map(drop),
        store.upload_bytes("out/new", Bytes::new()).await.map(drop),
        store.delete("out/secret").await,
        store.list("out").await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::Denied { .. })), "{result:?}");
    }
    let pipe = store.read_bytes("pipe", 9).await;
    assert!(matches!(pipe, Err(StoreError::NotFound { .. })), "and it does not hang: {pipe:?}");
}

#[tokio::test]
async fn an_object_appears_only_when_it_is_finished() {
    let (dir, store) = in_directory().await;
    store.upload_bytes("t.csv", Bytes::from_static(b"old")).await.unwrap();
    let root = dir.path().join("store");

    let mut writer = store.writer("t.csv").await.unwrap();
    writer.write(Bytes::from_static(b"hel")).await.unwrap();
    assert_eq!(keys(&store.list("").await.unwrap()), ["t.csv"], "the unfinished one is not listed");
    assert_eq!(store.read_bytes("t.csv", 9).await.unwrap(), "old");
    writer.write(Bytes::from_static(b"lo")).await.unwrap();
    let written = writer.finish().await.unwrap();
    assert_eq!(written, Written { size_bytes: 5, sha256: HELLO_SHA256.into() });
    assert_eq!(store.read_bytes("t.csv", 9).await.unwrap(), "hello");

    let mut dropped = store.writer("t.csv").await.unwrap();
    dropped.write(Bytes::from_static(b"half")).await.unwrap();
    drop(dropped);
    let mut aborted = store.writer("u.csv").await.unwrap();
    aborted.write(Bytes::from_static(b"half")).await.unwrap();
    aborted.abort().await;
    assert_eq!(store.read_bytes("t.csv", 9).await.unwrap(), "hello");
    assert_eq!(names(&root), ["t.csv"], "no temporary file is left");
}

#[tokio::test]
async fn a_source_directory_is_only_read_and_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.zip"), "x").unwrap();
    let store = open(&format!("dir:{}", dir.path().display())).await;
    assert_eq!(keys(&store.list_names("").await.unwrap()), ["a.zip"]);
    for result in [
        store.upload_bytes("b", Bytes::new()).await.map(drop),
        store.upload("b", &dir.path().join("a.zip")).await.map(drop),
        store.delete("a.zip").await,
    ] {
        assert!(matches!(result, Err(StoreError::Refused { .. })), "{result:?}");
    }
    let none = open(&format!("dir:{}", dir.path().join("typo").display())).await;
    let error = none.list("").await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("/typo"), "{error}");
}

#[tokio::test]
async fn bad_keys_are_refused_by_every_operation() {
    let (dir, store) = in_directory().await;
    let local = dir.path().join("f");
    fs::write(&local, "x").unwrap();
    for result in [
        store.read_bytes("../f", 9).await.map(drop),
        store.download("/etc/passwd", &local, &|_| ()).await.map(drop),
        store.upload("a//b", &local).await.map(drop),
        store.upload_bytes("a\0b", Bytes::new()).await.map(drop),
        store.delete("..").await,
        store.head("a/../../f").await.map(drop),
        store.writer("a/").await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::BadKey { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn an_opened_bucket_shows_no_secret() {
    let keys = Keys {
        access_key_id: "id".into(),
        secret_access_key: "sesame".into(),
        session_token: Some("sesame2".into()),
    };
    let options = S3Options {
        endpoint_url: Some("http://127.0.0.1:9".into()),
        credentials: Some(keys),
        ..S3Options::default()
    };
    let store = Store::open(&"s3://bucket/a".parse().unwrap(), &options).await.unwrap();
    assert!(!format!("{store:?}").contains("sesame"));
}
