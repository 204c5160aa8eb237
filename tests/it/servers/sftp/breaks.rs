//! Connections that hang or break, and files that change.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use merganser::clients::sftp::SftpError;

use super::{fetch, noise, open, open_at};
use crate::support::proxy::{Fault, Proxy};
use crate::support::sha256;
use crate::support::ssh;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_stood() {
    let server = ssh::server();
    let content = noise(8 * MIB);
    server.put("a.zip", &content);
    let proxy = Proxy::start(server.port, Fault::Cut, 3 * MIB as u64, 2).await;
    let sftp = open_at(&server, proxy.port, &server.options_at(proxy.port));
    let got = fetch(&sftp, "a.zip").await.unwrap();
    assert_eq!(sha256(&got), sha256(&content));
    assert_eq!(proxy.connections(), 3);
    // Each break costs at most the requests that were under way.
    let passed = proxy.bytes();
    println!("{passed} bytes came for a file of {}", content.len());
    assert!(passed < (content.len() + 5 * MIB) as u64, "{passed}");
}

#[tokio::test]
async fn a_connection_that_always_breaks_is_given_up() {
    let server = ssh::server();
    server.put("a.zip", &noise(4 * MIB));
    let proxy = Proxy::start(server.port, Fault::Cut, MIB as u64 / 4, u32::MAX).await;
    let mut options = server.options_at(proxy.port);
    options.limits.retries = 2;
    let error = fetch(&open_at(&server, proxy.port, &options), "a.zip").await.unwrap_err();
    assert!(matches!(error, SftpError::Lost { .. }), "{error}");
    println!("{error}");
    assert!(error.is_transient());
    // The count restarts after each MiB; with breaks at every quarter, four MiB never arrive.
    assert!((3..20).contains(&proxy.connections()), "{}", proxy.connections());
}

#[tokio::test]
async fn a_server_that_hangs_in_a_file_is_an_error_within_the_limit() {
    let server = ssh::server();
    server.put("a.zip", &noise(4 * MIB));
    let proxy = Proxy::start(server.port, Fault::Hang, MIB as u64, u32::MAX).await;
    let mut options = server.options_at(proxy.port);
    options.limits.idle = Duration::from_millis(700);
    options.limits.retries = 0;
    let started = Instant::now();
    let error = fetch(&open_at(&server, proxy.port, &options), "a.zip").await.unwrap_err();
    assert!(matches!(error, SftpError::Timeout { .. }), "{error}");
    assert!(error.to_string().ends_with("timed out: no byte came within 0.7 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());

    // A shorter interval between signs of life also finds the hang.
    options.limits.idle = Duration::from_secs(60);
    options.limits.keepalive = Duration::from_millis(200);
    let started = Instant::now();
    let error = fetch(&open_at(&server, proxy.port, &options), "a.zip").await.unwrap_err();
    assert!(error.to_string().ends_with("the server shows no sign of life"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_hangs_once_is_asked_again() {
    let server = ssh::server();
    let content = noise(2 * MIB);
    server.put("a.zip", &content);
    let proxy = Proxy::start(server.port, Fault::Hang, MIB as u64, 1).await;
    let mut options = server.options_at(proxy.port);
    options.limits.idle = Duration::from_millis(500);
    let got = fetch(&open_at(&server, proxy.port, &options), "a.zip").await.unwrap();
    assert!(got == content);
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_server_that_hangs_in_the_login_is_an_error_within_the_limit() {
    let server = ssh::server();
    for after_bytes in [1, 1_000, 2_500] {
        let proxy = Proxy::start(server.port, Fault::Hang, after_bytes, u32::MAX).await;
        let mut options = server.options_at(proxy.port);
        options.limits.connect = Duration::from_millis(600);
        options.limits.login = Duration::from_millis(600);
        options.limits.idle = Duration::from_millis(600);
        options.limits.retries = 0;
        let started = Instant::now();
        let result = open_at(&server, proxy.port, &options).list_names("").await;
        let error = result.expect_err("nothing comes any more");
        println!("{error}");
        assert!(matches!(error, SftpError::Timeout { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_connection_that_was_lost_between_two_files_is_made_again() {
    let server = ssh::server();
    server.put("a.zip", b"1");
    let proxy = Proxy::start(server.port, Fault::Cut, 5_000, 1).await;
    let sftp = open_at(&server, proxy.port, &server.options_at(proxy.port));
    for _ in 0..40 {
        assert_eq!(sftp.list_names("").await.unwrap().len(), 1);
    }
    assert_eq!(fetch(&sftp, "a.zip").await.unwrap(), b"1");
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_file_that_grows_or_shrinks_while_it_is_read_is_left_to_the_next_run() {
    let server = ssh::server();
    let path = server.put("a.zip", &noise(4 * MIB));
    let sftp = open(&server);
    let dir = tempfile::tempdir().unwrap();
    let changes: [(&str, &(dyn Fn() + Sync)); 2] = [
        ("grows", &|| OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap()),
        ("shrinks", &|| OpenOptions::new().write(true).open(&path).unwrap().set_len(100_000).unwrap()),
    ];
    for (what, change) in changes {
        let done = AtomicBool::new(false);
        let once = |_| {
            if !done.swap(true, Ordering::Relaxed) {
                change();
            }
        };
        let error = sftp.download("a.zip", &dir.path().join("got"), &once).await.unwrap_err();
        assert!(matches!(error, SftpError::Changed { .. }), "{what}: {error}");
        assert!(error.to_string().contains("still being written"), "{error}");
        assert_eq!(error.hint().unwrap(), "nothing to do: the next run takes it");
        println!("{error}");
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    assert_eq!(fetch(&sftp, "a.zip").await.unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_file_that_is_replaced_during_a_break_is_not_put_together_from_two() {
    let server = ssh::server();
    server.put("a.zip", &noise(4 * MIB));
    let proxy = Proxy::start(server.port, Fault::Cut, MIB as u64, 1).await;
    let sftp = open_at(&server, proxy.port, &server.options_at(proxy.port));
    let dir = tempfile::tempdir().unwrap();
    let replaced = AtomicBool::new(false);
    let replace = |_| {
        if !replaced.swap(true, Ordering::Relaxed) {
            server.put("new", &noise(4 * MIB + 1));
            std::fs::rename(server.files.join("new"), server.files.join("a.zip")).unwrap();
        }
    };
    let error = sftp.download("a.zip", &dir.path().join("got"), &replace).await.unwrap_err();
    assert!(matches!(error, SftpError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_of_this_machine_that_is_missing_is_an_error_of_this_machine() {
    let server = ssh::server();
    server.put("a.zip", &noise(MIB));
    let error = open(&server).download("a.zip", "/no/such/folder/got".as_ref(), &|_| {}).await.unwrap_err();
    assert!(matches!(&error, SftpError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
    assert!(error.to_string().starts_with("cannot write /no/such/folder/got"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_round_trip_is_not_paid_for_each_request() {
    let server = ssh::server();
    server.put("a.zip", &noise(8 * MIB));
    let proxy = Proxy::far(server.port, Duration::from_millis(40)).await;
    let sftp = open_at(&server, proxy.port, &server.options_at(proxy.port));
    sftp.list_names("").await.unwrap();
    let started = Instant::now();
    assert_eq!(fetch(&sftp, "a.zip").await.unwrap().len(), 8 * MIB);
    // One after the other, 256 requests of 32 KiB would take ten seconds.
    println!("8 MiB in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Prints the speed on this machine: `cargo test --test it speed -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed_of_a_download() {
    let server = ssh::server();
    let size =
        std::env::var("MERGANSER_TEST_SFTP_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
    server.put("a.zip", &noise(size * MIB));
    let sftp = open(&server);
    sftp.list_names("").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let fetched = sftp.download("a.zip", &dir.path().join("got"), &|_| {}).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!("{size} MiB in {seconds:.2} s, {:.0} MiB/s", size as f64 / seconds);
    assert_eq!(fetched.size_bytes, (size * MIB) as u64);
}
