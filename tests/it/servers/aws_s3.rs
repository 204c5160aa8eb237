//! The database itself reads and writes the store, through working functions that stand in for Amazon's.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::engine::quoting::{escaped, texts};
use crate::support;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::postgres;
use crate::support::s3::{self, Bucket};

/// A prefix that must be quoted in a URL but not in SQL.
const PREFIX: &str = "it's a+b/ü%20";

/// A pipeline whose store is a bucket.
async fn pipeline(hint: &str) -> (Pipeline, Bucket) {
    let bucket = s3::bucket(hint).await;
    let pipeline = Pipeline::new(hint).await;
    let store = format!("s3://{}/{PREFIX}", bucket.name);
    (pipeline.with("--store", store).with("--level", "2").env(bucket.env()), bucket)
}

/// Makes the functions in the pipeline's database, with the bucket's keys as their role.
async fn install(pipeline: &Pipeline, bucket: &Bucket) {
    pipeline.execute(include_str!("../support/aws_s3.sql")).await;
    let (host, port) = bucket.endpoint.trim_start_matches("http://").split_once(':').unwrap();
    let role = "insert into aws_stand_in.role (host, port, access_key, secret_key) values ($1, $2, $3, $4)";
    let client = pipeline.database.client().await;
    let port: i32 = port.parse().unwrap();
    client.execute(role, &[&host, &port, &bucket.access_key, &bucket.secret_key]).await.unwrap();
}

/// Cases that are hard to quote, and one to be deleted.
fn first_week() -> Extract {
    let extract = Extract::weekly("2024-04-01").case("gone", "<Status>Active</Status>");
    texts().iter().fold(extract, |extract, (name, text)| {
        let text = escaped(text);
        let case = format!(
            "<Status>{text}</Status>\
             <PropertyAddresses><PropertyAddress><Street1>{text}</Street1><City>{text}</City></PropertyAddress>\
             </PropertyAddresses>\
             <Parties><Party><Role>{text}</Role></Party></Parties>\
             <Events><Event><EventName>{text}</EventName><FilingParties><FilingParty><Role>{text}</Role>\
             </FilingParty><FilingParty><Role>{text}</Role></FilingParty></FilingParties></Event></Events>\
             <Decisions><Decision><Sequence>1</Sequence>\
             <HighlightNoPersonallyIdentifyingInfo>{text}</HighlightNoPersonallyIdentifyingInfo>\
             </Decision></Decisions>"
        );
        extract.case(name, &case)
    })
}

fn second_week() -> Extract {
    Extract::weekly("2024-04-08").case("comma", "<Status>Disposed</Status>").delete("gone")
}

/// The objects below a folder of the store, without the prefix.
async fn objects(bucket: &Bucket, folder: &str) -> BTreeMap<String, (String, Vec<u8>)> {
    let prefix = format!("{PREFIX}/");
    let objects = bucket.typed_objects().await.into_iter();
    let objects =
        objects.map(|(key, object)| (key.strip_prefix(&prefix).expect("the prefix").to_owned(), object));
    objects.filter(|(key, _)| key.starts_with(folder)).collect()
}

/// The published objects, without what differs from run to run.
async fn published(bucket: &Bucket) -> BTreeMap<String, (String, Vec<u8>)> {
    let mut published = objects(bucket, "").await;
    published.retain(|key, _| !key.starts_with("private/runs/") && !key.ends_with(".zip"));
    let manifest = &mut published.get_mut("public/manifest.json").expect("a manifest").1;
    let mut value: Value = serde_json::from_slice(manifest).expect("JSON");
    for field in ["run_id", "published_at"] {
        value[field] = Value::Null;
    }
    *manifest = value.to_string().into_bytes();
    published
}

/// How the last run's step moved its rows.
async fn via(pipeline: &Pipeline, step: &str) -> String {
    let query = format!(
        "select details ->> 'via' from etl.steps join etl.runs using (run_id)
         where step = '{step}' order by runs.started_at desc limit 1"
    );
    pipeline.one(&query).await
}

async fn two_weeks(pipeline: &Pipeline) -> Ran {
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    // The private file has a column that somebody added to the table, but not one that PostgreSQL generates.
    let add =
        "alter table oca_addresses add note text default 'x', add made int generated always as (7) stored";
    pipeline.execute(add).await;
    pipeline.put(second_week());
    pipeline.run().await.exits(0)
}

#[tokio::test]
async fn the_result_is_that_of_copy() {
    let (direct, direct_bucket) = pipeline("aws_s3").await;
    let direct = direct.with("--load-via", "aws_s3");
    install(&direct, &direct_bucket).await;
    let ran = two_weeks(&direct).await;
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    assert_eq!(
        (via(&direct, "load").await, via(&direct, "publish").await),
        ("aws_s3".into(), "aws_s3".into())
    );

    // By default, a server other than Amazon's means copy, whatever functions the database has.
    let (copied, copied_bucket) = pipeline("copy").await;
    install(&copied, &copied_bucket).await;
    two_weeks(&copied).await;
    assert_eq!((via(&copied, "load").await, via(&copied, "publish").await), ("copy".into(), "copy".into()));

    assert_eq!(direct.tables("public").await, copied.tables("public").await);
    let (ours, theirs) = (published(&direct_bucket).await, published(&copied_bucket).await);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (key, (kind, bytes)) in &ours {
        let text = String::from_utf8_lossy;
        assert_eq!((kind, text(bytes)), (&theirs[key].0, text(&theirs[key].1)), "{key}");
    }
    let private = String::from_utf8(ours["private/oca_addresses_private.csv"].1.clone()).unwrap();
    assert!(private.lines().next().unwrap().ends_with(",geom,note"), "{private}");
    assert!(ours["public/manifest.json"].1.windows(8).any(|part| part == b"\"sha256\""));
    let left = objects(&direct_bucket, "private/runs/").await;
    assert!(left.keys().all(|key| !key.contains("/exports/")), "{:?}", left.keys());
}

#[tokio::test]
async fn tables_in_parts_are_exported_whole() {
    let (direct, direct_bucket) = pipeline("aws_s3 parts").await;
    let direct = direct.with("--load-via", "aws_s3");
    install(&direct, &direct_bucket).await;
    let (copied, copied_bucket) = pipeline("copy parts").await;
    for pipeline in [&direct, &copied] {
        pipeline.execute(&crate::engine::partitioned::by_hash()).await;
        two_weeks(pipeline).await;
    }
    assert_eq!(
        (via(&direct, "publish").await, via(&copied, "publish").await),
        ("aws_s3".into(), "copy".into())
    );
    let (ours, theirs) = (published(&direct_bucket).await, published(&copied_bucket).await);
    assert!(ours["public/oca_index.csv"].1.len() > 200 && ours == theirs);
}

#[tokio::test]
async fn no_key_is_in_a_statement_or_a_log() {
    let (pipeline, bucket) = pipeline("aws_s3 secrets").await;
    let pipeline = pipeline.with("--load-via", "aws_s3");
    install(&pipeline, &bucket).await;
    // The log has statements with their parameters, and the contexts of errors.
    for setting in
        ["log_statement = 'all'", "log_error_verbosity = 'default'", "log_min_error_statement = 'error'"]
    {
        pipeline.execute(&format!("alter database {} set {setting}", pipeline.database.name())).await;
    }
    pipeline.put(first_week());
    let watcher = pipeline.database.client().await;
    let run = pipeline.start(&["-vv"]);
    let mut seen = String::new();
    while !run.is_finished() {
        let rows =
            watcher.query("select query from pg_stat_activity where pid <> pg_backend_pid()", &[]).await;
        seen.extend(rows.unwrap().iter().filter_map(|row| row.get::<_, Option<String>>(0)));
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let ran = run.await.unwrap().exits(0);
    assert_eq!(via(&pipeline, "publish").await, "aws_s3");
    let log = postgres::log().await;
    assert!(
        log.contains("aws_commons.create_s3_uri($4::text") && log.contains(&bucket.name),
        "it logs parameters"
    );
    assert!(seen.contains("aws_s3.table_import_from_s3("), "the statement was seen while it ran");
    let places = [("log", &log), ("activity", &seen), ("stderr", &ran.stderr), ("stdout", &ran.stdout)];
    for (place, text) in places {
        assert!(!text.contains(&bucket.secret_key), "the secret key is in the {place}");
    }
    // Amazon's library names the access key, which is no secret, in its details; the database is never given it.
    for (place, text) in &places[..2] {
        assert!(!text.contains(&bucket.access_key), "the access key is in the {place}");
    }
    assert!(!seen.contains(&bucket.name), "the objects' places are parameters:\n{seen}");
}

/// An object is missing, which happens only if somebody removes it in between.
#[tokio::test]
async fn a_missing_object_is_named_and_nothing_changes() {
    let (pipeline, bucket) = pipeline("aws_s3 missing").await;
    let pipeline = pipeline.with("--load-via", "aws_s3");
    install(&pipeline, &bucket).await;
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    let (tables, files) = (pipeline.tables("public").await, published(&bucket).await);

    let lookup = |key: &str| {
        format!(
            "create or replace function aws_commons.create_s3_uri(s3_bucket text, s3_key text, aws_region text)
             returns aws_commons._s3_uri_1 language sql immutable as $$
                 select row(s3_bucket, {key}, aws_region)::aws_commons._s3_uri_1
             $$"
        )
    };
    pipeline.execute(&lookup("replace(s3_key, 'parties.csv', 'gone.csv')")).await;
    pipeline.put(second_week());
    let ran = pipeline.run().await.exits(1);
    let object = format!("s3://{}/{PREFIX}/private/runs/", bucket.name);
    ran.says("load oca_parties from")
        .says(&object)
        .says("/oca_parties.csv failed: ")
        .says("HTTP 404")
        .says("unchanged");
    assert_eq!(pipeline.tables("public").await, tables);
    assert_eq!(published(&bucket).await, files);

    pipeline.execute(&lookup("s3_key")).await;
    pipeline.run().await.exits(0);
    assert_ne!(pipeline.tables("public").await, tables);

    // The export fails too: the data is committed, the files are those of before, and the next run writes them.
    let files = published(&bucket).await;
    pipeline.execute(&lookup("replace(s3_key, '-oca_warrants.csv', repeat('x', 1024))")).await;
    pipeline.put(Extract::weekly("2024-04-15").case("late", "<Status>Active</Status>"));
    let ran = pipeline.run().await.exits(4);
    ran.says("export oca_warrants to").says("committed");
    assert_eq!(published(&bucket).await, files);
    let left = objects(&bucket, "private/runs/").await;
    assert!(left.keys().all(|key| !key.contains("/exports/")), "{:?}", left.keys());
    pipeline.execute(&lookup("s3_key")).await;
    pipeline.run().await.exits(0);
    assert_ne!(published(&bucket).await, files);
}

/// A configuration file in which an endpoint looks like Amazon's.
fn as_at_amazon(pipeline: Pipeline, bucket: &Bucket) -> Pipeline {
    let path = pipeline.folder().join("aws-config");
    fs::write(&path, format!("[default]\nendpoint_url = {}\n", bucket.endpoint)).unwrap();
    let mut envs = bucket.env();
    envs.retain(|(name, _)| name != "AWS_ENDPOINT_URL_S3");
    envs.push(("AWS_ENDPOINT_URL_S3".into(), String::new()));
    envs.push(("AWS_CONFIG_FILE".into(), path.display().to_string()));
    pipeline.env(envs)
}

#[tokio::test]
async fn by_itself_it_is_used_where_it_works() {
    let (pipeline, bucket) = pipeline("aws_s3 auto").await;
    let pipeline = as_at_amazon(pipeline, &bucket);
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    assert_eq!(via(&pipeline, "load").await, "copy", "the database does not have the extension");

    install(&pipeline, &bucket).await;
    pipeline.put(second_week());
    pipeline.run().await.exits(0);
    assert_eq!(
        (via(&pipeline, "load").await, via(&pipeline, "publish").await),
        ("aws_s3".into(), "aws_s3".into())
    );

    // Without a role that may read the bucket, a run warns once for each direction and still succeeds.
    pipeline.execute("update aws_stand_in.role set secret_key = reverse(secret_key)").await;
    pipeline.put(Extract::weekly("2024-04-15").case("late", "<Status>Active</Status>"));
    let ran = pipeline.run().await.exits(0).says("HTTP 403").says("go through the connection instead");
    let warnings: Vec<_> = ran.events.iter().filter(|event| event["level"] == "WARN").collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(
        (via(&pipeline, "load").await, via(&pipeline, "publish").await),
        ("copy".into(), "copy".into())
    );
    let public = objects(&bucket, "public/").await;
    assert!(String::from_utf8_lossy(&public["public/oca_index.csv"].1).contains("\nlate,"));
    pipeline.put(Extract::weekly("2024-04-22").case("later", ""));
    pipeline.run_with(&["--load-via", "aws_s3"]).await.exits(1).says("HTTP 403").says("a role of its own");
}

#[tokio::test]
async fn an_export_in_several_objects_goes_through_the_connection() {
    let (pipeline, bucket) = pipeline("aws_s3 parts").await;
    let pipeline = pipeline.with("--load-via", "aws_s3");
    install(&pipeline, &bucket).await;
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    let whole = published(&bucket).await;
    assert!(whole["public/oca_decisions.csv"].1.len() > 10_000);
    pipeline.execute("update aws_stand_in.role set part_bytes = 10000").await;
    let ran = pipeline.start(&[]).await.unwrap().exits(0);
    assert!(!ran.stderr.contains("too large"), "nothing new, nothing to publish: {}", ran.stderr);
    pipeline.put(Extract::weekly("2024-04-02").case("gone", "<Status>Active</Status>"));
    pipeline.run().await.exits(0).says("public/oca_decisions.csv is too large");
    let split = published(&bucket).await;
    assert_eq!(split.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    assert_eq!(split["public/oca_decisions.csv"], whole["public/oca_decisions.csv"]);
    let left = objects(&bucket, "private/runs/").await;
    assert!(left.keys().all(|key| !key.contains("/exports/")), "{:?}", left.keys());
}

#[tokio::test]
async fn a_dry_run_copies_for_it_uploads_nothing() {
    let (pipeline, bucket) = pipeline("aws_s3 dry").await;
    install(&pipeline, &bucket).await;
    pipeline.put(first_week());
    pipeline.run_with(&["--load-via", "aws_s3", "--dry-run"]).await.exits(0);
    assert_eq!(via(&pipeline, "load").await, "copy");
    assert_eq!(objects(&bucket, "").await.len(), 0);
}

#[tokio::test]
async fn the_key_to_encrypt_with_is_the_database_s_too() {
    let (pipeline, bucket) = pipeline("aws_s3 kms").await;
    let pipeline = pipeline.with("--load-via", "aws_s3");
    install(&pipeline, &bucket).await;
    pipeline.put(first_week());
    let key = format!("key-of-{}", bucket.name);
    pipeline.run().await.exits(0);
    assert!(!postgres::log().await.contains(&key));
    pipeline.put(second_week());
    pipeline.run_with(&["--s3-encryption", &format!("aws:kms:{key}")]).await.exits(0);
    assert_eq!(via(&pipeline, "publish").await, "aws_s3");
    assert!(postgres::log().await.contains(&format!("exported with the key {key}")));
}

#[tokio::test]
async fn a_purge_publishes_the_same_way() {
    let (pipeline, bucket) = pipeline("aws_s3 purge").await;
    install(&pipeline, &bucket).await;
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    let store = format!("s3://{}/{PREFIX}", bucket.name);
    for way in ["copy", "aws_s3"] {
        let before = published(&bucket).await;
        let mut envs = bucket.env();
        envs.push(("MERGANSER_LOAD_VIA".into(), way.into()));
        let url = pipeline.database.url();
        let words = ["purge", "oca", "--database-url", &url, "--store", &store].map(str::to_owned);
        let purged = tokio::task::spawn_blocking(move || Ran::new(support::merganser(words, envs)));
        purged.await.unwrap().exits(0);
        assert_eq!(via(&pipeline, "publish").await, way);
        assert_eq!(published(&bucket).await, before);
    }
    let folder = format!("file:{}", pipeline.store().display());
    let words = ["purge", "oca", "--load-via", "aws_s3", "--store", &folder, "--database-url", "embedded"];
    let none: [(&str, &str); 0] = [];
    Ran::new(support::merganser(words, none)).exits(2).says("is for a store in S3");
}

#[tokio::test]
async fn where_it_cannot_work_it_is_refused() {
    let (pipeline, bucket) = pipeline("aws_s3 refused").await;
    let pipeline = pipeline.with("--load-via", "aws_s3");
    pipeline.put(first_week());
    let ran = pipeline.run().await.exits(2);
    ran.says("does not have the extension aws_s3").says("create extension aws_s3 cascade");

    install(&pipeline, &bucket).await;
    let (database, user) = (pipeline.database.name(), format!("{}_user", pipeline.database.name()));
    pipeline
        .execute(&format!("create role {user} login; grant create on database {database} to {user};"))
        .await;
    let url = pipeline.database.url().replace("user=merganser", &format!("user={user}"));
    let pipeline = pipeline.with("--database-url", url).with("--ledger-schema", "etl_of_user");
    let ran = pipeline.run().await.exits(2);
    ran.says("may not call aws_commons.create_s3_uri, aws_s3.query_export_to_s3")
        .says("grant usage on schema");

    let folder = format!("file:{}", pipeline.store().display());
    let pipeline = pipeline.with("--store", folder);
    let ran = pipeline.run().await.exits(2);
    ran.says("--load-via aws_s3 is for a store in S3").says("--load-via copy");
    let runs = "select (select count(*) from etl.runs) + (select count(*) from etl_of_user.runs)";
    assert_eq!(pipeline.one(runs).await, "0");
}
