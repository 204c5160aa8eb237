//! Source and store on a real S3 server, over HTTP with checked signatures.

use std::collections::BTreeMap;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::csv::Csv;
use crate::support::extract::Extract;
use crate::support::pipeline::{DERIVED_CSVS, Pipeline, TABLES};
use crate::support::s3::{self, Bucket};

/// A pipeline whose source and store are in the bucket, below prefixes.
async fn pipeline(hint: &str, bucket: &Bucket) -> Pipeline {
    Pipeline::new(hint)
        .await
        .env(bucket.env())
        .with("--source", format!("s3://{}/from the court/weekly", bucket.name))
        .with("--store", format!("s3://{}/oca", bucket.name))
}

async fn put(bucket: &Bucket, extract: Extract) {
    bucket.put(&format!("from the court/weekly/{}", extract.file_name()), extract.bytes()).await;
}

/// The objects below the store's prefix.
async fn stored(bucket: &Bucket) -> BTreeMap<String, Vec<u8>> {
    let objects = bucket.objects().await.into_iter();
    objects.filter_map(|(key, bytes)| Some((key.strip_prefix("oca/")?.to_owned(), bytes))).collect()
}

#[tokio::test]
async fn a_run_from_s3_to_s3() {
    let bucket = s3::bucket("end to end").await;
    let pipeline = pipeline("s3", &bucket).await.with("--level", "2");
    let address = "<PropertyAddresses><PropertyAddress><Street1>742 EVERGREEN</Street1><City>Bronx</City>\
                   </PropertyAddress></PropertyAddresses>";
    let first = Extract::weekly("2024-01-01").case("a", &(marked("old") + address)).case("b", &marked("old"));
    put(&bucket, first.clone()).await;
    bucket.put("from the court/weekly/README.txt", b"not an extract".to_vec()).await;
    bucket.put("from the court/weekly/below/LandlordTenant.Incr.2024-02-05.zip", b"not there".to_vec()).await;
    pipeline.run().await.exits(0);
    let run_id = pipeline.one("select run_id from etl.runs").await;
    let objects = stored(&bucket).await;
    let mut expected = vec![
        format!("private/{}", first.file_name()),
        "private/oca_addresses_private.csv".into(),
        format!("private/runs/{run_id}/oca_records.csv"),
        "public/last-updated-date.txt".into(),
        "public/last-updated-shield.svg".into(),
        "public/manifest.json".into(),
    ];
    expected.extend(TABLES.iter().map(|table| format!("public/{table}.csv")));
    expected.extend(DERIVED_CSVS.map(|csv| format!("public/{csv}")));
    let staged = TABLES.iter().filter(|table| **table != "oca_metadata");
    expected.extend(staged.map(|table| format!("private/runs/{run_id}/{table}.csv")));
    expected.sort();
    assert_eq!(objects.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    assert_eq!(objects[&format!("private/{}", first.file_name())], first.bytes(), "archived as it came");
    for (key, bytes) in &objects {
        let text = String::from_utf8_lossy(bytes);
        assert!(!key.starts_with("public/") || !text.contains("EVERGREEN"), "{key}");
    }
    let tables = pipeline.tables("public").await;
    for table in TABLES.iter().filter(|table| **table != "oca_addresses") {
        let csv = String::from_utf8(objects[&format!("public/{table}.csv")].clone()).unwrap();
        assert_eq!(Csv::parse(&csv).sorted().rows, tables[*table], "{table}");
    }

    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(stored(&bucket).await, objects);
    put(&bucket, Extract::weekly("2024-01-08").case("a", &marked("new")).delete("b")).await;
    pipeline.run().await.exits(0);
    assert_eq!((marks(&pipeline, "a").await, marks(&pipeline, "b").await), ("new".into(), "none".into()));
    let csv = String::from_utf8(stored(&bucket).await.remove("public/oca_index.csv").unwrap()).unwrap();
    assert_eq!(Csv::parse(&csv).column("status"), [Some("new".to_owned())]);
}

#[tokio::test]
async fn several_batches_and_large_objects() {
    let bucket = s3::bucket("batches").await;
    let pipeline = pipeline("s3 batches", &bucket).await.with("--batch-mib", "1");
    // The last file is larger than a part of a multipart upload.
    let files = [("2024-01-01", 700 << 10), ("2024-01-08", 700 << 10), ("2024-01-15", 20 << 20)];
    for (date, padding) in files {
        let extract = Extract::weekly(date).case(date, &marked(date)).case("all", &marked(date));
        put(&bucket, extract.padded(padding)).await;
    }
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (3, 6));
    assert_eq!(pipeline.column("select batch from etl.parts order by name").await, ["1", "2", "3"]);
    assert_eq!(marks(&pipeline, "all").await, "2024-01-15");
    let objects = bucket.objects().await;
    for (date, _) in files {
        let name = Extract::weekly(date).file_name();
        let archived = &objects[&format!("oca/private/{name}")];
        assert!(*archived == objects[&format!("from the court/weekly/{name}")], "{name}");
    }
}

#[tokio::test]
async fn the_bucket_and_its_prefix_come_from_the_environment() {
    let bucket = s3::bucket("environment").await;
    let variables = [("AWS_S3_BUCKET_NAME", bucket.name.as_str()), ("S3_PREFIX", "housing/oca")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pipeline = Pipeline::new("s3 env").await.env(bucket.env()).env(variables).without("--store");
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    pipeline.run().await.exits(0);
    let objects = bucket.objects().await;
    assert!(objects.keys().all(|key| key.starts_with("housing/oca/p")), "{:?}", objects.keys());
    assert!(objects.contains_key("housing/oca/public/oca_index.csv"));
    assert_eq!(pipeline.objects(), BTreeMap::new());
}

#[tokio::test]
async fn a_wrong_key_and_a_missing_bucket_change_nothing() {
    let bucket = s3::bucket("refused").await;
    let secret = ("AWS_SECRET_ACCESS_KEY".to_owned(), "0123456789abcdef".repeat(4));
    let pipeline = Pipeline::new("s3 refused").await.env(bucket.env()).env([secret.clone()]);
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    let store = format!("s3://{}/oca", bucket.name);
    let ran = pipeline.run_with(&["--store", &store]).await.exits(1);
    let ran = ran.says("The database is unchanged.").says(&store).says("AWS_SECRET_ACCESS_KEY");
    for secret in [&secret.1, &bucket.secret_key] {
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret));
    }
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    assert_eq!(bucket.objects().await, BTreeMap::new());
    // The same for a source.
    pipeline.run_with(&["--source", &store]).await.exits(1).says(&store);

    let pipeline = Pipeline::new("s3 no bucket").await.env(bucket.env());
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    let nowhere = "s3://no-such-bucket-anywhere/oca";
    pipeline.run_with(&["--store", nowhere]).await.exits(1).says(nowhere).says("The database is unchanged.");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    let no_keys = Pipeline::new("s3 no keys").await.env(bucket.env().into_iter().skip(2));
    no_keys.put(Extract::weekly("2024-01-01").case("a", ""));
    no_keys.run_with(&["--store", &store]).await.exits(1).says("AWS_ACCESS_KEY_ID");
}

#[tokio::test]
async fn a_bucket_in_another_region_is_told_with_its_region() {
    let bucket = s3::bucket("region").await;
    let region = ("AWS_REGION".to_owned(), "eu-north-1".to_owned());
    let pipeline = Pipeline::new("s3 region").await.env(bucket.env()).env([region]);
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    let store = format!("s3://{}/oca", bucket.name);
    let ran = pipeline.run_with(&["--store", &store]).await.exits(1);
    ran.says("the bucket is in garage").says("set AWS_REGION=garage").says("The database is unchanged.");
    assert_eq!(bucket.objects().await, BTreeMap::new());
}

#[tokio::test]
async fn files_are_found_among_thousands_of_other_names() {
    let bucket = s3::bucket("thousands").await;
    // More than one page of a list comes before and after our names.
    let names = (0..1_200)
        .map(|number| format!("oca/incoming/{}{number:05}.log", if number % 2 == 0 { "A" } else { "Z" }));
    let puts = names.map(|name| async {
        let name = name;
        bucket.put(&name, b"x".to_vec()).await;
    });
    futures_util::StreamExt::collect::<Vec<_>>(futures_util::StreamExt::buffer_unordered(
        futures_util::stream::iter(puts),
        16,
    ))
    .await;
    for date in ["2024-01-01", "2024-01-08"] {
        let extract = Extract::weekly(date).case(date, "");
        bucket.put(&format!("oca/incoming/{}", extract.file_name()), extract.bytes()).await;
    }
    let source = format!("s3://{}/oca/incoming", bucket.name);
    let pipeline = Pipeline::new("s3 thousands").await.env(bucket.env()).with("--source", source);
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (2, 2));
}
