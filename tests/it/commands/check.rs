//! `merganser check`: the real program against real servers, of which one at a time is at fault.

mod catalogue;
mod database;
mod machine;
mod source;
mod store;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support;
use crate::support::csv::Cell;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::s3::{self, Bucket};
use crate::support::ssh::{self, Login, Setup, SshServer};

/// The probes that come before those of the database, in the order in which they are shown.
const FIRST: [&str; 8] = [
    "configuration",
    "source host",
    "source",
    "store host",
    "store",
    "store writes",
    "database host",
    "database",
];
/// The probes that depend on the database.
const OF_DATABASE: [&str; 16] = [
    "server",
    "ledger",
    "lock",
    "rights",
    "tables",
    "constraints",
    "policies",
    "triggers",
    "partitions",
    "publications",
    "foreign keys",
    "records",
    "extensions",
    "geocode",
    "files",
    "files open",
];
/// The probes of the machine.
const OF_MACHINE: [&str; 3] = ["disk", "memory", "clock"];

/// All probes, in the order in which they are shown.
fn all() -> Vec<&'static str> {
    [&FIRST[..], &OF_DATABASE, &OF_MACHINE].concat()
}

/// The environment of a weekly run, as the older job's secret has it, and the servers behind it.
pub struct Tonight {
    pub pipeline: Pipeline,
    pub server: SshServer,
    pub bucket: Bucket,
    pub env: BTreeMap<String, String>,
}

/// The output and the report of a check.
#[derive(Debug)]
struct Seen {
    ran: Ran,
    report: Value,
}

impl Tonight {
    pub async fn new(hint: &str) -> Self {
        // Only root can start a server that checks passwords.
        let setup = Setup { login: Login::Password, ..Setup::default() };
        let server = ssh::start(setup).unwrap_or_else(ssh::server);
        let (pipeline, bucket) = (Pipeline::new(hint).await, s3::bucket(hint).await);
        fs::create_dir(pipeline.folder().join("home")).unwrap();
        let mut env: BTreeMap<_, _> = bucket.env().into_iter().collect();
        let login = match server.user == ssh::PASSWORD_USER {
            true => ("SFTP_PSWD", ssh::PASSWORD.to_owned()),
            false => ("MERGANSER_SFTP_KEY", server.dir.join("user_key").display().to_string()),
        };
        for (name, value) in [
            ("SFTP_HOST", format!("127.0.0.1:{}", server.port)),
            ("SFTP_USER", server.user.clone()),
            ("SFTP_DIR", server.files.display().to_string()),
            login,
            ("MERGANSER_SFTP_HOST_KEY", server.fingerprint("ed25519")),
            ("AWS_S3_BUCKET_NAME", bucket.name.clone()),
            ("S3_PREFIX", "court/".into()),
            ("DATABASE_URL", pipeline.database.tcp_url()),
            ("MODE", "2".into()),
            ("MERGANSER_WORK_DIR", pipeline.folder().join("work").display().to_string()),
            ("HOME", pipeline.folder().join("home").display().to_string()),
        ] {
            env.insert(name.into(), value);
        }
        Self { pipeline, server, bucket, env }
    }

    /// The same with a week that is loaded and one that is new.
    async fn with_weeks(hint: &str) -> Self {
        let tonight = Self::new(hint).await;
        Extract::weekly("2026-11-07").case("a", "").put(&tonight.server.files);
        tonight.command(&["run", "oca"], &[]).await.exits(0);
        Extract::weekly("2026-11-14").case("b", "").put(&tonight.server.files);
        tonight
    }

    pub async fn command(&self, words: &[&str], changed: &[(&str, &str)]) -> Ran {
        let mut env = self.env.clone();
        env.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let ran = tokio::task::spawn_blocking(move || Ran::new(support::merganser(words, env)));
        ran.await.expect("the command is over")
    }

    /// Checks with some variables changed. The database and the bucket must not change, and no secret may be shown.
    async fn check(&self, changed: &[(&str, &str)]) -> Seen {
        self.check_with(&[], changed).await
    }

    async fn check_with(&self, words: &[&str], changed: &[(&str, &str)]) -> Seen {
        let words = [&["check", "oca", "--json"], words].concat();
        let before = (self.database().await, self.bucket.objects().await);
        let ran = self.command(&words, changed).await;
        assert!(before.0 == self.database().await, "the database was changed\n{}", ran.stdout);
        assert!(before.1 == self.bucket.objects().await, "the bucket was changed\n{}", ran.stdout);
        for secret in self.secrets(changed) {
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(&secret), "{secret}\n{}", ran.stdout);
        }
        let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
        Seen { ran, report }
    }

    fn secrets(&self, changed: &[(&str, &str)]) -> Vec<String> {
        let url = &self.env["DATABASE_URL"];
        let password = url.split_once("password=").map(|(_, rest)| rest.split('&').next().unwrap());
        let in_front =
            url.split_once('@').and_then(|(front, _)| front.rsplit_once(':')).map(|(_, word)| word);
        let of_database = password.or(in_front).expect("the URL has a password");
        assert!(of_database.len() > 8);
        let set = changed.iter().filter(|(name, _)| ["SFTP_PSWD", "AWS_SECRET_ACCESS_KEY"].contains(name));
        let set = set.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty());
        set.chain([of_database.to_owned(), self.bucket.secret_key.clone(), ssh::PASSWORD.to_owned()])
            .collect()
    }

    /// The whole catalogue of the database, and the rows of the ledger and of the tables.
    async fn database(&self) -> Vec<Vec<Vec<Cell>>> {
        let mut found = Vec::new();
        for query in [
            "select oid, relname, relnamespace::regnamespace, relkind, relfilenode, relowner, relacl::text
             from pg_class order by oid",
            "select oid, nspname, nspowner, nspacl::text from pg_namespace order by oid",
            "select oid, typname from pg_type order by oid",
        ] {
            found.push(self.pipeline.rows(query).await);
        }
        let tables = "select format('select t::text from %I.%I as t order by 1', schemaname, tablename)
            from pg_tables where schemaname in ('etl', 'public') and tablename <> 'spatial_ref_sys' order by 1";
        for query in self.pipeline.column(tables).await {
            found.push(self.pipeline.rows(&query).await);
        }
        found
    }
}

impl Seen {
    /// Expects this exit code, and a report that agrees with it.
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(
            (self.ran.code, &self.report["works"]),
            (code, &Value::Bool(code == 0)),
            "{:#}",
            self.report
        );
        self
    }

    fn probes(&self) -> impl Iterator<Item = &Value> {
        self.report["probes"].as_array().expect("probes").iter()
    }

    #[track_caller]
    fn probe(&self, name: &str) -> &Value {
        let found = self.probes().find(|probe| probe["name"] == name);
        found.unwrap_or_else(|| panic!("no probe {name} in {:#}", self.report))
    }

    /// Expects the probe in this state, with these words in its finding or its hint.
    #[track_caller]
    fn is(self, name: &str, state: &str, words: &[&str]) -> Self {
        let probe = self.probe(name);
        assert_eq!(probe["state"], state, "{:#}", self.report);
        let text = |field: &str| probe[field].as_str().unwrap_or_default();
        let said = format!("{}\n{}", text("found"), text("hint"));
        for word in words {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
        assert!(state != "fail" || !text("hint").is_empty(), "nothing to do about it: {said}");
        assert!(!text("found").contains('\n'), "{said}");
        self
    }

    /// Expects these probes in this state, and no failure or warning but the one that was tested for.
    #[track_caller]
    fn others(self, state: &str, names: &[&str]) -> Self {
        for probe in self.probes() {
            let name = probe["name"].as_str().unwrap();
            let is_bad = ["fail", "warn"].contains(&probe["state"].as_str().unwrap());
            let expected = if names.contains(&name) { state } else { "ok" };
            assert!(is_bad && expected == "ok" || probe["state"] == expected, "{name}: {:#}", self.report);
        }
        self
    }

    /// Expects this probe alone to be bad, and these to be skipped because of it.
    #[track_caller]
    fn only(self, name: &str, state: &str, words: &[&str], skipped: &[&str]) -> Self {
        let bad: Vec<_> =
            self.probes().filter(|p| ["fail", "warn"].contains(&p["state"].as_str().unwrap())).collect();
        assert!(bad.len() == 1 && bad[0]["name"] == name, "{:#}", self.report);
        self.is(name, state, words).others("skipped", skipped)
    }
}

#[tokio::test]
async fn all_is_well_before_the_first_run_and_after_it() {
    let tonight = Tonight::new("check green").await;
    Extract::weekly("2026-11-07").case("a", "").put(&tonight.server.files);
    tonight.server.put("readme.txt", b"not ours");
    let seen = tonight.check(&[]).await.exits(0).others("ok", &[]);
    let seen = seen.is("ledger", "ok", &["none in schema etl yet"]).is(
        "tables",
        "ok",
        &["none in schema public yet"],
    );
    let seen = seen.is("source", "ok", &["2 files"]).is("files", "ok", &["1 of 1 to be taken", "2026-11-07"]);
    assert_eq!(seen.probes().map(|probe| probe["name"].as_str().unwrap()).collect::<Vec<_>>(), all());
    assert_eq!(tonight.bucket.objects().await, BTreeMap::new());
    tonight.command(&["run", "oca"], &[]).await.exits(0);

    Extract::weekly("2026-11-14").case("b", "").put(&tonight.server.files);
    let seen = tonight.check(&[]).await.exits(0).others("ok", &[]);
    let seen =
        seen.is("files", "ok", &["1 of 2 to be taken"]).is("tables", "ok", &["the 20 of schema public"]);
    let version = format!("version {}; 1 file done", merganser::ledger::NEWEST);
    seen.is("ledger", "ok", &[&version]).is("rights", "ok", &["belong to merganser"]);
    let text = tonight.command(&["check", "oca"], &[]).await.exits(0);
    assert_eq!(text.stdout.lines().count(), all().len() + 1, "{}", text.stdout);
    for (line, name) in text.stdout.lines().zip(all()) {
        assert!(line.starts_with(&format!("ok    {name}")), "{line}");
    }
    assert!(text.stdout.ends_with("A run of oca would work.\n"), "{}", text.stdout);
    tonight.command(&["run", "oca"], &[]).await.exits(0);
    tonight.check(&[]).await.exits(0).is("files", "ok", &["none of 2 is to be taken"]);
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_said_before_anything_is_tried() {
    let tonight = Tonight::new("check settings").await;
    for (name, value, word) in [
        ("DATABASE_URL", "mysql://me:sesame-sesame@host/db", "--database-url (DATABASE_URL)"),
        ("SFTP_HOST", "host:port", "SFTP_HOST"),
        ("AWS_S3_BUCKET_NAME", "", "AWS_S3_BUCKET_NAME"),
        ("MODE", "3", "MODE"),
    ] {
        let seen = tonight.check(&[(name, value)]).await.exits(2).is("configuration", "fail", &[word]);
        assert_eq!(seen.probes().count(), 1, "{:#}", seen.report);
    }
    // The parser of the command line reports its own errors, without a report.
    let wrong =
        tonight.command(&["check", "oca", "--json"], &[("MERGANSER_BATCH_MIB", "sesame")]).await.exits(2);
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("MERGANSER_BATCH_MIB"), "{wrong:?}");
}

#[tokio::test]
async fn what_may_have_been_forgotten_is_said() {
    let tonight = Tonight::with_weeks("check forgotten").await;
    let glob = ("REPROCESS_GLOB", "LandlordTenant.Incr.2026-11-07*");
    let seen = tonight.check(&[glob]).await.exits(0);
    let seen = seen.only("configuration", "warn", &["2026-11-07*", "nothing new", "REPROCESS_GLOB"], &[]);
    seen.is("files", "ok", &["none of 1 is to be taken"]);
    let seen = tonight.check(&[glob, ("FORCE_REPROCESS", "true")]).await.exits(0);
    seen.is("files", "ok", &["1 of 1 to be taken"]);
    let seen = tonight.check(&[("SKIP_PUBLIC_PUBLISH", "yes")]).await.exits(0);
    seen.only("configuration", "warn", &["no public file is written"], &[]).is(
        "store writes",
        "ok",
        &["work in private"],
    );
}

/// A probe ends in time, however far an answer has come, and the next one does not hang.
async fn ends_in_time(tonight: &Tonight, changed: &[(&str, &str)], limit: u64) -> Seen {
    let started = Instant::now();
    let seen = tonight.check_with(&["--timeout", "1"], changed).await;
    assert!(started.elapsed() < Duration::from_secs(limit), "{:?}: {:#}", started.elapsed(), seen.report);
    seen
}
