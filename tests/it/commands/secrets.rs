//! Secrets are planted in every setting that can hold one. Then every command runs, with success and with every kind of
//! failure, with the most verbose logs. No secret may appear in anything printed, stored or visible to others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use merganser::cli::{Cli, Command};
use merganser::config::RunConfig;

use crate::commands::check::Tonight;
use crate::support::extract::Extract;
use crate::support::fire::{Fault, Fire};
use crate::support::pipeline::Ran;
use crate::support::{postgres, ssh};

/// Part of every secret that we can choose, in a form that no encoding changes.
const STEM: &str = "pl4nt3d";

/// Every command that takes a secret, in an order in which each has something to do.
const COMMANDS: [&[&str]; 15] = [
    &["check", "oca"],
    &["run", "oca", "--dry-run"],
    &["run", "oca"],
    &["check", "oca", "--json"],
    &["status"],
    &["status", "last", "--json"],
    &["failures"],
    &["failures", "--show", "1"],
    &["reprocess", "oca", "*", "--force", "--max-failures", "100%"],
    &["retry", "oca"],
    &["adopt", "oca", "--dry-run"],
    &["adopt", "oca", "--fix"],
    &["purge", "oca", "--dry-run"],
    &["purge", "oca"],
    &["run", "oca", "--help"],
];

/// Variables with other values.
type Changes = Vec<(&'static str, String)>;

/// The environment of a weekly run with secrets that are known.
struct Planted {
    tonight: Tonight,
    /// Texts that may be found nowhere; in lower case.
    secrets: Vec<String>,
}

impl Planted {
    async fn new() -> Self {
        let mut tonight = Tonight::new("secrets").await;
        let role = format!("{}_role", tonight.pipeline.database.name());
        let make = format!("create role {role} login superuser password '{STEM} db/pass@w:rd%'");
        tonight.pipeline.execute(&make).await;
        let url = tonight.pipeline.database.tcp_url();
        let (_, host) = url.split_once('@').expect("the URL has a password");
        let url = format!("postgresql://{role}:{STEM}%20db%2Fpass%40w%3Ard%25@{host}");
        // The key that the server accepts, with a passphrase, as text.
        let key = tonight.pipeline.folder().join("key");
        fs::copy(tonight.server.dir.join("user_key"), &key).expect("a key can be copied");
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
        let passphrase = format!("{STEM} passphrase");
        let change = std::process::Command::new("ssh-keygen")
            .args(["-q", "-p", "-P", "", "-N", &passphrase, "-f"])
            .arg(&key)
            .stdout(std::process::Stdio::null())
            .status();
        assert!(change.expect("ssh-keygen runs").success());
        let key = fs::read_to_string(key).expect("a key is text");
        let line = key.lines().nth(3).expect("a key has lines").to_lowercase();
        for (name, value) in [
            ("DATABASE_URL", url),
            ("SFTP_PSWD", ssh::PASSWORD.to_owned()),
            ("MERGANSER_SFTP_KEY", key),
            ("MERGANSER_SFTP_KEY_PASSPHRASE", passphrase),
            ("AWS_SESSION_TOKEN", format!("{STEM}/session+token==")),
        ] {
            tonight.env.insert(name.into(), value);
        }
        let secret_key = tonight.bucket.secret_key.to_lowercase();
        let secrets = vec![STEM.to_owned(), secret_key, line, ssh::PASSWORD.to_owned()];
        Self { tonight, secrets }
    }

    /// Fails if the text has a secret.
    #[track_caller]
    fn search(&self, place: &str, text: &str) {
        let text = text.to_lowercase();
        for secret in &self.secrets {
            if let Some(at) = text.find(secret.as_str()) {
                let around = String::from_utf8_lossy(
                    &text.as_bytes()[at.saturating_sub(200)..text.len().min(at + 100)],
                )
                .into_owned();
                panic!("{secret:?} is in {place}: …{around}…");
            }
        }
    }

    /// Runs a command and searches its output.
    async fn run(&self, words: &[&str], changed: &[(&str, &str)]) -> Ran {
        let ran = self.tonight.command(words, changed).await;
        let what = format!("what {words:?} says with {changed:?}");
        self.search(&what, &ran.stdout);
        self.search(&what, &ran.stderr);
        ran
    }

    /// Searches what is stored: every table but the system's, the server's log, every object, every folder.
    async fn search_stored(&self) {
        let pipeline = &self.tonight.pipeline;
        let tables = "select format('%I.%I', schemaname, tablename) from pg_tables
            where schemaname not in ('pg_catalog', 'information_schema') and tablename <> 'spatial_ref_sys'";
        let tables = pipeline.column(tables).await;
        assert!(tables.iter().any(|table| table == "etl.runs") && tables.len() > 18, "{tables:?}");
        for table in tables {
            let rows = pipeline.column(&format!("select t::text from {table} as t")).await;
            self.search(&table, &rows.join("\n"));
        }
        self.search("the server's log", &postgres::log().await);
        let objects = self.tonight.bucket.objects().await;
        assert!(objects.len() > 16, "{:?}", objects.keys());
        for (key, bytes) in objects {
            self.search(&key, &String::from_utf8_lossy(&bytes));
        }
        for folder in ["work", "home"] {
            search_folder(&self.tonight.pipeline.folder().join(folder), &|path, text| {
                self.search(path, text);
            });
        }
    }
}

fn search_folder(folder: &Path, search: &dyn Fn(&str, &str)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // A file that is being removed is searched the next time.
        let bytes = fs::read(&path).unwrap_or_default();
        search(
            &path.display().to_string(),
            &format!("{} {}", path.display(), String::from_utf8_lossy(&bytes)),
        );
        if path.is_dir() && !path.is_symlink() {
            search_folder(&path, search);
        }
    }
}

/// Looks at all processes and at the folders of runs, again and again, and returns everything it saw and what it saw of
/// merganser.
fn watch(
    work: std::path::PathBuf,
    over: Arc<AtomicBool>,
) -> std::thread::JoinHandle<(String, BTreeSet<String>)> {
    std::thread::spawn(move || {
        let (mut lines, mut files) = (BTreeSet::new(), BTreeSet::new());
        while !over.load(Ordering::Relaxed) {
            for process in fs::read_dir("/proc").expect("processes").flatten() {
                let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                // The tests make keys this way themselves.
                if !line.starts_with("ssh-keygen ") {
                    lines.insert(line);
                }
            }
            let seen = std::cell::RefCell::new(&mut files);
            search_folder(&work, &|_, text| {
                seen.borrow_mut().insert(text.to_owned());
            });
            std::thread::sleep(Duration::from_millis(10));
        }
        (lines.into_iter().collect::<Vec<_>>().join("\n"), files)
    })
}

#[tokio::test]
async fn no_secret_is_in_anything_that_is_printed_stored_or_to_be_seen() {
    let planted = Planted::new().await;
    let tonight = &planted.tonight;
    let extract = Extract::weekly("2026-11-07").case("a", "").case("bad", "<FiledDate>soon</FiledDate>");
    extract.delete("gone").put(&tonight.server.files);
    let over = Arc::new(AtomicBool::new(false));
    let watcher = watch(tonight.pipeline.folder().join("work"), over.clone());
    let mut redacted = 0;
    // Every command succeeds, and the libraries log as much as they can.
    for (format, log) in [("json", "trace"), ("text", "debug,merganser=trace")] {
        for words in COMMANDS {
            if words[0] == "purge" {
                // A purge removes rows and objects, so search before it.
                planted.search_stored().await;
            }
            let words = [words, &["-vv", "--log-format", format]].concat();
            let ran = planted.run(&words, &[("MERGANSER_LOG", log)]).await;
            assert!([0, 3].contains(&ran.code), "{words:?}: {}\n{}", ran.code, ran.stderr);
            redacted += ran.stderr.matches("token:** redacted").count();
        }
    }
    assert!(redacted > 10, "the libraries show their requests");
    over.store(true, Ordering::Relaxed);
    let (processes, files) = watcher.join().expect("it looked");
    assert!(processes.contains("reprocess oca"), "the commands were seen while they ran");
    assert!(
        files.iter().any(|text| text.contains("indexnumberid")),
        "the folder for work was seen while they ran"
    );
    planted.search("the list of processes", &processes);
    files.iter().for_each(|text| planted.search("the folder for work", text));
    planted.search_stored().await;
}

#[tokio::test]
async fn no_secret_is_in_what_is_said_when_something_is_wrong() {
    let planted = Planted::new().await;
    let tonight = &planted.tonight;
    let extract = Extract::weekly("2026-11-07").case("a", "").case("bad", "<FiledDate>soon</FiledDate>");
    extract.put(&tonight.server.files);
    planted.run(&["run", "oca"], &[]).await.exits(3);
    Extract::weekly("2026-11-14").case("b", "").put(&tonight.server.files);
    let url = &tonight.env["DATABASE_URL"];
    let (user, host) = url.split_once('@').unwrap();
    let (role, _) = user.trim_start_matches("postgresql://").split_once(':').unwrap();
    let (address, name) = host.split_once('/').unwrap();
    let (host, port) = address.split_once(':').unwrap();
    let name = name.split('?').next().unwrap();
    let home = tonight.pipeline.folder().join("profile");
    fs::create_dir_all(home.join(".aws")).unwrap();
    let profile =
        format!("[default]\naws_access_key_id = GKprofile\naws_secret_access_key = {STEM}/profile\n");
    fs::write(home.join(".aws/credentials"), profile).unwrap();
    let home = home.display().to_string();

    // Other ways to give the database's password, all of which work.
    let other_ways = [
        (format!("host={host} port={port} dbname={name} user={role} password='{STEM} db/pass@w:rd%'"), ""),
        (format!("postgresql://{role}@{address}/{name}?password={STEM}%20db%2Fpass%40w%3Ard%25"), ""),
        (format!("postgresql://{role}@{address}/{name}?options=-c%20a.b%3D{STEM}"), "pl4nt3d db/pass@w:rd%"),
    ];
    for (url, password) in &other_ways {
        let changed = [("DATABASE_URL", url.as_str()), ("PGPASSWORD", password), ("MERGANSER_LOG", "trace")];
        for words in [&["status"][..], &["check", "oca"], &["run", "oca", "--dry-run"]] {
            planted.run(words, &changed).await.exits(0);
        }
    }

    let wrong = |text: &str| text.replace("pass%40", "wrong%40");
    let secret = format!("{STEM}{}", "0".repeat(60));
    let token = format!("{STEM}-wrong");
    // (exit codes, changed variables)
    let broken: Vec<(&[i32], Changes)> = vec![
        (&[1], vec![("DATABASE_URL", wrong(url))]),
        (&[1], vec![("DATABASE_URL", url.replace(port, "1"))]),
        (&[1], vec![("DATABASE_URL", url.replace(&format!("/{name}"), "/nowhere"))]),
        (&[1], vec![("DATABASE_URL", format!("{url}?sslmode=verify-full"))]),
        (&[1], vec![("DATABASE_URL", other_ways[0].0.replace("pass@", "wrong@"))]),
        (&[2], vec![("DATABASE_URL", format!("{url}?{STEM}=1"))]),
        (&[2], vec![("DATABASE_URL", url.replace("postgresql:", "mysql:"))]),
        (&[2], vec![("DATABASE_URL", format!("postgresql://u:{STEM}%zz@host/db"))]),
        (&[2], vec![("DATABASE_URL", format!("host=h password='{STEM}"))]),
        (&[0, 1, 3], vec![("AWS_SECRET_ACCESS_KEY", secret)]),
        (&[0, 1, 3], vec![("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1".into())]),
        (
            &[0, 1, 3],
            vec![
                ("AWS_ACCESS_KEY_ID", String::new()),
                ("AWS_SECRET_ACCESS_KEY", String::new()),
                ("AWS_SESSION_TOKEN", token),
                ("HOME", home),
            ],
        ),
        (&[0, 2], vec![("AWS_ENDPOINT_URL_S3", format!("http://u:{STEM}@127.0.0.1:1"))]),
        (&[0, 2], vec![("MERGANSER_STORE", format!("s3://id:{STEM}@bucket/x"))]),
        (&[0, 1, 2, 3], vec![("MERGANSER_SOURCE", format!("sftp://u:{STEM}@127.0.0.1/x"))]),
        (&[0, 1, 2, 3], vec![("MERGANSER_SOURCE", format!("s3://id:{STEM}@bucket/x"))]),
        (
            &[0, 1, 3],
            vec![
                ("SFTP_PSWD", format!("{STEM}\n")),
                ("MERGANSER_SFTP_KEY", String::new()),
                ("MERGANSER_SFTP_KEY_PASSPHRASE", String::new()),
            ],
        ),
        (&[0, 1, 3], vec![("MERGANSER_SFTP_KEY_PASSPHRASE", format!("{STEM}-wrong"))]),
        (
            &[0, 1, 2, 3],
            vec![("MERGANSER_SFTP_KEY", format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{STEM}\n"))],
        ),
        (&[0, 1, 3], vec![("SFTP_HOST", "127.0.0.1:1".into())]),
        (&[0, 1, 3], vec![("HTTP_PROXY", format!("http://u:{STEM}@127.0.0.1:1"))]),
    ];
    let commands: [&[&str]; 6] = [
        &["run", "oca"],
        &["check", "oca"],
        &["status"],
        &["retry", "oca", "--dry-run"],
        &["adopt", "oca", "--dry-run"],
        &["purge", "oca", "--dry-run"],
    ];
    for (codes, changed) in &broken {
        let changed: Vec<_> = changed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut bad = 0;
        // The program asks a store several times if it does not answer.
        let most =
            if changed[0] == ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1") { 2 } else { commands.len() };
        for (number, words) in commands.iter().take(most).enumerate() {
            let format = if number % 2 == 0 { "json" } else { "text" };
            let words = [words, &["-vv", "--log-format", format][..]].concat();
            let log = [("MERGANSER_LOG", "trace")];
            let ran = planted.run(&words, &[&changed[..], &log].concat()).await;
            assert!(codes.contains(&ran.code), "{words:?} {changed:?}: {}\n{}", ran.code, ran.stderr);
            bad += u32::from([1, 2].contains(&ran.code));
        }
        println!("{bad} of {} commands fail with {:?}", commands.len(), changed[0].0);
    }
    // S3 repeats an expired token in its answer.
    let fire = Fire::start(&tonight.bucket.endpoint).await;
    let answer = "ExpiredToken</Code><Token-0>pl4nt3d/session+token==</Token-0><Code>";
    for method in ["GET", "PUT"] {
        fire.strike(method, "", Fault::Answer(400, answer), 999);
    }
    for words in [["check", "oca", "-vv"], ["retry", "oca", "-vv"], ["run", "oca", "-vv"]] {
        for log in ["", "trace"] {
            planted.run(&words, &[("AWS_ENDPOINT_URL_S3", &fire.endpoint), ("MERGANSER_LOG", log)]).await;
        }
    }
    assert!(fire.asked("GET", "").len() > 3);
    planted.search_stored().await;
}

/// A panic could print the configuration.
#[test]
fn a_configuration_can_be_printed() {
    let url = format!("postgresql://me:{STEM}%2F@h/db?password={STEM}&options=-c%20a.b%3D{STEM}");
    for url in [url, format!("host=h user=me password='{STEM}'")] {
        let args =
            ["merganser", "run", "oca", "--source", "dir:/in", "--store", "file:/out", "--database-url"];
        let Command::Run(run) = Cli::parse_from(args.iter().copied().chain([url.as_str()])).command else {
            panic!("it is a run");
        };
        let config = RunConfig::from_run(&run).unwrap_or_else(|_| panic!("a good configuration"));
        let shown = format!("{config:?} {config:#?} {:?}", config.for_ledger());
        assert!(!shown.contains(STEM), "{shown}");
        assert!(shown.contains("me:***@"), "{shown}");
    }
}
