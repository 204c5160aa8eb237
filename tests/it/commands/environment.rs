//! Options from environment variables, and wrong usage.

use crate::support;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};

fn variables<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Removes every option and sets the environment's variables in their place.
fn by_environment(pipeline: Pipeline) -> Pipeline {
    let set = variables([
        ("DATABASE_URL", pipeline.database.url()),
        ("MERGANSER_SOURCE", format!("dir:{}", pipeline.source().display())),
        ("MERGANSER_STORE", format!("file:{}", pipeline.store().display())),
        ("MERGANSER_WORK_DIR", pipeline.folder().join("work").display().to_string()),
    ]);
    let options = ["--database-url", "--source", "--store", "--work-dir"];
    options.into_iter().fold(pipeline, Pipeline::without).env(set)
}

fn extract() -> Extract {
    let address = "<PropertyAddresses><PropertyAddress><Street1>1 MAIN ST</Street1></PropertyAddress></PropertyAddresses>";
    Extract::weekly("2024-01-01").case("a", address)
}

#[tokio::test]
async fn every_option_comes_from_the_environment() {
    let set = variables([
        ("DB_SCHEMA", "housing".into()),
        ("MERGANSER_LEDGER_SCHEMA", "housing_ledger".into()),
        ("MODE", "2".into()),
        ("MERGANSER_BATCH_RECORDS", "1".into()),
        ("MERGANSER_LOG_FORMAT", "text".into()),
    ]);
    let pipeline = by_environment(Pipeline::new("environment").await).env(set);
    pipeline.put(extract());
    let ran = pipeline.run().await.exits(0);
    assert!(ran.events.is_empty(), "text, not JSON: {}", ran.stderr);
    assert_eq!(pipeline.one("select street1 from housing.oca_addresses").await, "1 MAIN ST");
    assert_eq!(pipeline.one("select status from housing_ledger.runs").await, "completed");
    // An option on the command line wins.
    pipeline.run_with(&["--schema", "elsewhere", "--level", "1"]).await.exits(0);
    assert_eq!(pipeline.one("select coalesce(street1, 'none') from elsewhere.oca_addresses").await, "none");
}

#[tokio::test]
async fn an_empty_variable_is_an_unset_one() {
    let names = [
        "DB_SCHEMA",
        "MERGANSER_LEDGER_SCHEMA",
        "MODE",
        "AWS_S3_BUCKET_NAME",
        "S3_PREFIX",
        "MERGANSER_S3_ENCRYPTION",
        "MERGANSER_BATCH_RECORDS",
        "MERGANSER_BATCH_MIB",
        "MERGANSER_DUCKDB_MEMORY_MIB",
        "MERGANSER_FAIL_FAST",
        "MERGANSER_MAX_FAILURES",
        "MERGANSER_MAX_DELETES",
        "MERGANSER_MAX_DROP",
        "MERGANSER_SKIP_PUBLISH",
        "MERGANSER_NO_FRAGMENTS",
        "MERGANSER_LOG_FORMAT",
        "MERGANSER_QUIET",
        "AWS_REGION",
        "AWS_ENDPOINT_URL_S3",
        "PGSSLMODE",
    ];
    let empty = names.map(|name| (name.to_owned(), String::new()));
    let pipeline = by_environment(Pipeline::new("empty environment").await).env(empty);
    pipeline.put(extract());
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select coalesce(street1, 'none') from public.oca_addresses").await, "none");
    assert_eq!(pipeline.one("select status from etl.runs").await, "completed");
    assert!(pipeline.store().join("public/oca_index.csv").exists());
}

fn run(args: &str, envs: &[(&str, &str)]) -> Ran {
    Ran::new(support::merganser(args.split_whitespace(), envs.iter().copied()))
}

#[test]
fn what_is_missing_is_named_with_both_ways_to_give_it() {
    let database = ("DATABASE_URL", "postgresql://me@127.0.0.1:1/db");
    let none = run("run oca --source dir:/tmp --store file:/tmp/x", &[]);
    none.exits(2).says("the database is not given").says("--database-url").says("DATABASE_URL");
    let empty = run("run oca --source dir:/tmp --store file:/tmp/x", &[("DATABASE_URL", "")]);
    empty.exits(2).says("the database is not given");
    let source = run("run oca --store file:/tmp/x", &[database]).exits(2);
    source.says("--source").says("MERGANSER_SOURCE");
    let store = run("run oca --source dir:/tmp", &[database]).exits(2);
    store.says("--store").says("MERGANSER_STORE").says("AWS_S3_BUCKET_NAME");
    run("run", &[database]).exits(2);
    run("run nothing", &[database]).exits(2);
}

#[test]
fn wrong_values_are_refused_before_anything_is_tried() {
    let base =
        "run oca --source dir:/nowhere --store file:/tmp/x --database-url postgresql://me@127.0.0.1:1/db";
    for wrong in [
        "--level 3",
        "--max-failures 101%",
        "--max-deletes -1",
        "--max-drop x",
        "--batch-records 0",
        "--schema etl",
        "--no-such",
    ] {
        run(&format!("{base} {wrong}"), &[]).exits(2);
    }
    run(base, &[("MODE", "three")]).exits(2).says("MODE");
    run("transform run v --lease 0", &[]).exits(2).says("--lease");
    run("transform status v", &[("MERGANSER_LOG_FORMAT", "bad")]).exits(2).says("MERGANSER_LOG_FORMAT");
    let secret = "run oca --source dir:/nowhere --store file:/tmp/x --database-url";
    for url in ["mysql://me:sesame-sesame@host/db", "postgresql://me:sesame-sesame@host/db?sslmode=maybe"] {
        let ran = run(&format!("{secret} {url}"), &[]).exits(2);
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    for wrong in ["--source ftp://host/x", "--store dir:/tmp", "--store s3://A_B/x", "--source somewhere"] {
        let (option, _) = wrong.split_once(' ').unwrap();
        let others: Vec<_> =
            base.split(" --").filter(|part| !format!("--{part}").starts_with(option)).collect();
        run(&format!("{} {wrong}", others.join(" --")), &[]).exits(2);
    }
}

/// If such a variable were ignored, a password or a pinned key would be missing without a message.
#[test]
fn a_value_that_is_not_text_is_named_by_its_variable() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let base =
        "run oca --source dir:/nowhere --store file:/tmp/x --database-url postgresql://me@127.0.0.1:1/db";
    let bad = OsStr::from_bytes(b"sesame\xff");
    for name in
        ["SFTP_PSWD", "MERGANSER_SFTP_HOST_KEY", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "MODE", "DB_SCHEMA"]
    {
        let ran = Ran::new(support::merganser(base.split_whitespace(), [(name, bad)])).exits(2);
        assert!(ran.stderr.contains(&format!("the variable {name} is not UTF-8")), "{name}: {}", ran.stderr);
        assert!(!ran.stderr.contains("sesame"), "{}", ran.stderr);
    }
    Ran::new(support::merganser(["run", "--help"], [("SFTP_PSWD", bad)])).exits(0);
    let elsewhere = [("SOMEBODY_ELSES", bad), ("MERGANSER_WORK_DIR", bad)];
    let ran = Ran::new(support::merganser(base.split_whitespace(), elsewhere)).exits(1);
    assert!(!ran.stderr.contains("UTF-8"), "{}", ran.stderr);
}

#[test]
fn the_help_names_every_variable_and_shows_no_value() {
    let set = [("DATABASE_URL", "postgresql://me:sesame@host/db"), ("MERGANSER_SOURCE", "dir:/x")];
    let help = run("run --help", &set).exits(0);
    for name in [
        "DATABASE_URL",
        "DB_SCHEMA",
        "MODE",
        "AWS_S3_BUCKET_NAME",
        "S3_PREFIX",
        "MERGANSER_SOURCE",
        "MERGANSER_STORE",
        "MERGANSER_WORK_DIR",
        "MERGANSER_BATCH_RECORDS",
        "MERGANSER_BATCH_MIB",
        "MERGANSER_FAIL_FAST",
        "MERGANSER_LOG_FORMAT",
    ] {
        assert!(help.stdout.contains(&format!("[env: {name}")), "{name}\n{}", help.stdout);
    }
    assert!(!help.stdout.contains("sesame"), "{}", help.stdout);
}
