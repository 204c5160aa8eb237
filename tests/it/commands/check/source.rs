//! Faults of the source.

use std::collections::BTreeMap;
use std::fs;

use super::{Tonight, ends_in_time};
use crate::support::extract::Extract;
use crate::support::proxy::{Fault, Proxy};
use crate::support::ssh;

#[tokio::test]
async fn a_login_that_is_refused() {
    let tonight = Tonight::with_weeks("check login").await;
    let wrong = match tonight.env.contains_key("SFTP_PSWD") {
        true => ("SFTP_PSWD", "not that sesame".to_owned()),
        false => {
            let key = tonight.pipeline.folder().join("stranger");
            ssh::keygen(&key, "ed25519", "");
            ("MERGANSER_SFTP_KEY", key.display().to_string())
        }
    };
    let seen = tonight.check(&[(wrong.0, &wrong.1)]).await.exits(1);
    seen.only("source", "fail", &["refuses the login", "SFTP_PSWD"], &["files", "files open"]);
    let nowhere = format!("127.0.0.1:{}", ssh::free_port());
    let seen = tonight.check(&[("SFTP_HOST", &nowhere)]).await.exits(1);
    seen.only("source", "fail", &["cannot be reached", "firewall"], &["files", "files open"]);
    let seen = tonight.check(&[("SFTP_DIR", "/no/such/folder")]).await.exits(1);
    seen.only("source", "fail", &["no such folder", "SFTP_DIR"], &["files", "files open"]);
}

#[tokio::test]
async fn a_host_key_that_is_not_known_or_another_one() {
    let tonight = Tonight::with_weeks("check host key").await;
    let offered = tonight.server.fingerprint("ed25519");
    let unknown = ("MERGANSER_SFTP_HOST_KEY", "");
    let line = tonight.server.known_hosts_at(tonight.server.port);
    let seen = tonight.check(&[unknown]).await.exits(1);
    let words = ["is not known", &offered, line.trim(), "MERGANSER_SFTP_HOST_KEY="];
    seen.only("source", "fail", &words, &["files", "files open"]);
    let text = tonight.command(&["check", "oca"], &[unknown]).await.exits(1);
    assert!(
        text.stdout.contains("\nFAIL  source ") && text.stdout.contains("\n      Next: ask"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("\nskip  files ") && text.stdout.contains(line.trim()), "{}", text.stdout);
    assert!(text.stdout.ends_with("A run of oca would not work: source.\n"), "{}", text.stdout);

    // A run would store the key; a check does not.
    let seen = tonight.check_with(&["--sftp-trust-on-first-use"], &[unknown]).await.exits(0);
    seen.only("source", "warn", &[&offered, "a run would accept it"], &["files", "files open"]);
    assert!(!tonight.pipeline.folder().join("home/.ssh").exists());

    // A known_hosts file that does not exist yet: a run makes it, so a check must not fail because of it.
    let known_hosts = tonight.pipeline.folder().join("keys/known_hosts");
    let named = [unknown, ("MERGANSER_SFTP_KNOWN_HOSTS", known_hosts.to_str().unwrap())];
    let seen = tonight.check_with(&["--sftp-trust-on-first-use"], &named).await.exits(0);
    seen.only("source", "warn", &[&offered, "a run would accept it"], &["files", "files open"]);
    assert!(!known_hosts.exists());
    tonight.command(&["run", "oca", "--sftp-trust-on-first-use"], &named).await.exits(0);
    assert!(known_hosts.exists());
    tonight.check(&named).await.exits(0).others("ok", &[]);

    tonight.server.change_host_key();
    let seen = tonight.check(&[]).await.exits(1);
    let now = tonight.server.fingerprint("ed25519");
    seen.only("source", "fail", &["not the pinned one", &offered, &now], &["files", "files open"]);
}

#[tokio::test]
async fn a_name_that_leads_nowhere() {
    let tonight = Tonight::with_weeks("check names").await;
    // A label of more than 63 letters is refused without a query to any server.
    let name = format!("{}.invalid", "x".repeat(64));
    let seen = tonight.check(&[("SFTP_HOST", &name)]).await.exits(1);
    seen.only("source host", "fail", &[&name, "SFTP_HOST"], &["source", "files", "files open"]);
    let endpoint = format!("http://{name}:1");
    let seen = tonight.check(&[("AWS_ENDPOINT_URL_S3", &endpoint)]).await.exits(1);
    seen.only("store host", "fail", &[&name, "AWS_ENDPOINT_URL_S3"], &["store", "store writes"]);
    let url = format!("postgresql://me:sesame-sesame@{name}/court");
    let seen = tonight.check(&[("DATABASE_URL", &url)]).await.exits(1);
    assert!(!seen.ran.stdout.contains("sesame-sesame"));
    let skipped = [&["database"][..], &super::OF_DATABASE].concat();
    seen.only("database host", "fail", &[&name, "DATABASE_URL"], &skipped);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let tonight = Tonight::with_weeks("check hangs").await;
    for after_bytes in [1, 1_000, 2_500] {
        let proxy = Proxy::start(tonight.server.port, Fault::Hang, after_bytes, u32::MAX).await;
        let host = format!("127.0.0.1:{}", proxy.port);
        let seen = ends_in_time(&tonight, &[("SFTP_HOST", &host)], 10).await.exits(1);
        seen.only("source", "fail", &["within 1 s"], &["files", "files open"]);
    }
    // A connection that breaks is not tried again and again.
    let proxy = Proxy::start(tonight.server.port, Fault::Cut, 2_500, u32::MAX).await;
    let host = format!("127.0.0.1:{}", proxy.port);
    tonight.check(&[("SFTP_HOST", &host)]).await.exits(1).is("source", "fail", &["the connection broke"]);
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn files_that_would_stop_the_run_and_none_at_all() {
    let tonight = Tonight::new("check files").await;
    tonight.server.put("readme.txt", b"not ours");
    let seen = tonight.check(&[]).await.exits(0);
    seen.only("files", "warn", &["no file of oca among 1 name", "SFTP_DIR"], &[]);
    Extract::weekly("2999-01-01").case("a", "").put(&tonight.server.files);
    let seen = tonight.check(&[]).await.exits(1);
    seen.only("files", "fail", &["LandlordTenant.Incr.2999-01-01.zip", "--allow run_date"], &[]);
    tonight.command(&["run", "oca"], &[]).await.exits(1).says("run_date");
    tonight.check_with(&["--allow", "run_date"], &[]).await.exits(0);
}

#[tokio::test]
async fn a_folder_and_a_bucket_are_sources_too() {
    let tonight = Tonight::new("check sources").await;
    let folder = tonight.pipeline.source();
    Extract::weekly("2026-11-14").case("a", "").put(&folder);
    let dir = format!("dir:{}", folder.display());
    let store = format!("file:{}", tonight.pipeline.folder().join("new/store").display());
    let seen = tonight.check(&[("MERGANSER_SOURCE", &dir), ("MERGANSER_STORE", &store)]).await.exits(0);
    let seen = seen.others("ok", &[]).is("files", "ok", &["1 of 1"]);
    let names: Vec<_> = seen.probes().map(|probe| probe["name"].as_str().unwrap()).collect();
    assert!(!names.contains(&"source host") && !names.contains(&"store host"), "{names:?}");
    assert!(
        !tonight.pipeline.folder().join("new").exists(),
        "folders that a first write makes are taken back"
    );
    let seen = tonight.check(&[("MERGANSER_SOURCE", "dir:/no/such/folder")]).await.exits(1);
    seen.only("source", "fail", &["/no/such/folder", "check the path"], &["files", "files open"]);
    let name = Extract::weekly("2026-11-14").file_name();
    let bytes = fs::read(folder.join(&name)).unwrap();
    tonight.bucket.put(&format!("incoming/{name}"), bytes).await;
    let bucket = format!("s3://{}/incoming", tonight.bucket.name);
    tonight.check(&[("MERGANSER_SOURCE", &bucket)]).await.exits(0).is("files", "ok", &["1 of 1"]);
    assert_eq!(tonight.pipeline.objects(), BTreeMap::new());
}
