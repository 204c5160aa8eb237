//! The environment of the earlier job: only its variables, as its secret and its manifest have them.

use std::collections::BTreeMap;

use crate::datasets::oca::rules::{marked, marks};
use crate::support;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::s3;

/// A pipeline, and the environment that a run of it gets.
struct Job {
    pipeline: Pipeline,
    env: BTreeMap<String, String>,
}

impl Job {
    /// Everything as the older job's example sets it.
    async fn new(hint: &str) -> Self {
        let pipeline = Pipeline::new(hint).await;
        let bucket = s3::bucket(hint).await;
        let mut env: BTreeMap<_, _> = bucket.env().into_iter().collect();
        let source = format!("dir:{}", pipeline.source().display());
        for (name, value) in [
            ("DATABASE_URL", pipeline.database.tcp_url().as_str()),
            ("AWS_S3_BUCKET_NAME", &bucket.name),
            ("MODE", "2"),
            ("DB_SCHEMA", ""),
            ("S3_PREFIX", "refactor/"),
            ("REPROCESS_GLOB", ""),
            ("FORCE_REPROCESS", "false"),
            ("PARSE_FAIL_FAST", ""),
            ("SKIP_PUBLIC_PUBLISH", "  "),
            ("PARSE_WRITE_FLUSH_EVERY_N_CASES", "16"),
            ("PARSE_WRITE_BATCH_SIZE", "128"),
            ("MERGANSER_SOURCE", &source),
            ("MERGANSER_WORK_DIR", &pipeline.folder().join("work").display().to_string()),
        ] {
            env.insert(name.into(), value.into());
        }
        Self { pipeline, env }
    }

    /// Runs the job's one command, with some variables changed.
    async fn run(&self, changed: &[(&str, &str)]) -> Ran {
        self.command(&["run", "oca"], changed).await
    }

    async fn command(&self, words: &[&str], changed: &[(&str, &str)]) -> Ran {
        let mut env = self.env.clone();
        env.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let ran = tokio::task::spawn_blocking(move || Ran::new(support::merganser(words, env)));
        ran.await.expect("the command is over")
    }

    /// The keys of the bucket.
    async fn keys(&self) -> Vec<String> {
        let credentials = aws_sdk_s3::config::Credentials::new(
            &self.env["AWS_ACCESS_KEY_ID"],
            &self.env["AWS_SECRET_ACCESS_KEY"],
            None,
            None,
            "test",
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(credentials)
            .region(aws_sdk_s3::config::Region::new(self.env["AWS_REGION"].clone()))
            .endpoint_url(&self.env["AWS_ENDPOINT_URL_S3"])
            .force_path_style(true)
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let listed = client.list_objects_v2().bucket(&self.env["AWS_S3_BUCKET_NAME"]).send().await.unwrap();
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }
}

fn broken() -> Extract {
    Extract::weekly("2024-01-15").case("good", &marked("1")).case("bad", "<FiledDate>yesterday</FiledDate>")
}

#[tokio::test]
async fn the_variables_alone_make_a_run() {
    let job = Job::new("older run").await;
    let address = "<PropertyAddresses><PropertyAddress><Street1>1 MAIN ST</Street1></PropertyAddress></PropertyAddresses>";
    job.pipeline.put(Extract::weekly("2024-01-08").case("a", &(marked("1") + address)));
    let ran = job.run(&[]).await.exits(0);
    assert_eq!(ran.count("records_loaded"), 1);
    assert_eq!(job.pipeline.one("select street1 from public.oca_addresses").await, "1 MAIN ST");
    let options =
        "select concat_ws(' ', options ->> 'level', options ->> 'batch_records', options ->> 'fail_fast',
        options ->> 'skip_publish') from etl.runs";
    assert_eq!(job.pipeline.one(options).await, "2 16 false false");
    let keys = job.keys().await;
    assert!(keys.iter().all(|key| key.starts_with("refactor/p")), "{keys:?}");
    for key in ["refactor/private/LandlordTenant.Incr.2024-01-08.zip", "refactor/public/oca_index.csv"] {
        assert!(keys.iter().any(|known| known == key), "no {key} in {keys:?}");
    }
    // Another schema and another prefix in the same database and bucket.
    let elsewhere = [("DB_SCHEMA", "refactor"), ("S3_PREFIX", ""), ("SKIP_PUBLIC_PUBLISH", "True")];
    job.run(&elsewhere).await.exits(0);
    assert_eq!(job.pipeline.one("select count(*) from refactor.oca_index").await, "1");
    let keys = job.keys().await;
    assert!(keys.iter().any(|key| key == "private/LandlordTenant.Incr.2024-01-08.zip"), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("public/")), "{keys:?}");
}

#[tokio::test]
async fn a_glob_turns_the_run_to_the_archive() {
    let job = Job::new("older glob").await;
    job.pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("1")));
    job.run(&[]).await.exits(0);
    job.pipeline.put(Extract::weekly("2024-01-15").case("b", &marked("1")));
    let glob = ("REPROCESS_GLOB", "LandlordTenant.Incr.2024-*.zip");
    // Files that are done are left alone, new files are not taken, and the run says so.
    let ran = job.run(&[glob]).await.exits(0).says("REPROCESS_GLOB");
    assert_eq!((ran.count("files"), marks(&job.pipeline, "b").await), (0, "none".into()));
    for (force, files) in [("false", 0), ("No", 0), ("0", 0), ("", 0), ("true", 1), ("YES", 1), ("1", 1)] {
        let ran = job.run(&[glob, ("FORCE_REPROCESS", force)]).await.exits(0);
        assert_eq!(ran.count("files"), files, "{force}");
    }
    let kinds = "select string_agg(distinct kind, ' ' order by kind) from etl.runs";
    assert_eq!(job.pipeline.one(kinds).await, "reprocess run");
    // Without the glob, force has no effect.
    let ran = job.run(&[("FORCE_REPROCESS", "true")]).await.exits(0);
    assert_eq!((ran.count("files"), marks(&job.pipeline, "b").await), (1, "1".into()));
    job.run(&[("REPROCESS_GLOB", "*1999*")]).await.exits(1).says("no file of").says("*1999*");
}

#[tokio::test]
async fn a_switch_means_what_it_says() {
    let job = Job::new("older switch").await;
    job.pipeline.put(broken());
    for on in ["true", "Yes", "1", "ON"] {
        let ran = job.run(&[("PARSE_FAIL_FAST", on)]).await.exits(1).says("The database is unchanged.");
        assert!(ran.failure().contains("--fail-fast"), "{}", ran.failure());
    }
    assert_eq!(job.pipeline.one("select to_regclass('public.oca_index')").await, "NULL");
    let ran = job.run(&[("PARSE_FAIL_FAST", "false"), ("SKIP_PUBLIC_PUBLISH", "yes")]).await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (1, 1));
    assert!(!job.keys().await.iter().any(|key| key.contains("public/")));
    // The next run publishes.
    job.run(&[("SKIP_PUBLIC_PUBLISH", "false")]).await.exits(0);
    assert!(job.keys().await.iter().any(|key| key == "refactor/public/oca_index.csv"));
}

#[tokio::test]
async fn a_value_that_cannot_be_honoured_is_named_by_its_variable() {
    let job = Job::new("older values").await;
    for (name, value) in [
        ("FORCE_REPROCESS", "sesame"),
        ("PARSE_FAIL_FAST", "sesame"),
        ("SKIP_PUBLIC_PUBLISH", "sesame"),
        ("PARSE_WRITE_FLUSH_EVERY_N_CASES", "sesame"),
        ("PARSE_WRITE_FLUSH_EVERY_N_CASES", "0"),
        ("MODE", "3"),
        ("DATABASE_URL", "mysql://me:sesame@host/db"),
        ("DATABASE_URL", "postgresql://me:ses@me@host/db"),
        ("DB_SCHEMA", "pg_catalog"),
        ("AWS_S3_BUCKET_NAME", "sesame/"),
        ("S3_PREFIX", "sesame//x"),
        ("REPROCESS_GLOB", "[a"),
        ("AWS_ENDPOINT_URL_S3", "http://me:sesame@host"),
        ("MERGANSER_QUIET", "sesame"),
        ("MERGANSER_LOG_FORMAT", "sesame"),
        ("MERGANSER_BATCH_MIB", "sesame"),
        ("MERGANSER_MAX_FAILURES", "some"),
    ] {
        let ran = job.run(&[(name, value)]).await;
        assert_eq!(ran.code, 2, "{name}={value}\n{}", ran.stderr);
        assert!(ran.stderr.contains(name), "{name}={value}\n{}", ran.stderr);
        assert!(!ran.stderr.contains("sesame") && !ran.stderr.contains("ses@me"), "{name}\n{}", ran.stderr);
    }
    // A value on the command line is shown as it was typed.
    let typed = job.command(&["run", "oca", "--batch-mib", "many"], &[]).await.exits(2);
    assert!(
        typed.stderr.contains("'many'") && !typed.stderr.contains("MERGANSER_BATCH_MIB"),
        "{}",
        typed.stderr
    );
    // An option wins over its variable, and a variable that a command does not use does no harm.
    job.command(&["run", "oca", "--level", "2", "--batch-records", "9"], &[("MODE", "3")]).await.exits(0);
    job.command(&["status"], &[("FORCE_REPROCESS", "sesame"), ("MODE", "3")]).await.exits(0);
}

#[tokio::test]
async fn two_names_of_one_setting_must_agree() {
    let job = Job::new("older twice").await;
    let both = [("PARSE_FAIL_FAST", "true"), ("MERGANSER_FAIL_FAST", "false")];
    job.run(&both).await.exits(2).says("PARSE_FAIL_FAST").says("MERGANSER_FAIL_FAST");
    let both = [("PARSE_WRITE_FLUSH_EVERY_N_CASES", "7"), ("MERGANSER_BATCH_RECORDS", "7")];
    job.run(&both).await.exits(0);
}
