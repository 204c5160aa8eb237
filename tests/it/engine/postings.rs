//! A file that comes again under the same name: the newest posting counts, and the archive has the bytes that were
//! loaded.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use zip::CompressionMethod::Stored;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::{DOCUMENT, Extract, zip};
#[cfg(feature = "failpoints")]
use crate::support::held::{hold, let_go};
use crate::support::pipeline::Pipeline;
use crate::support::sha256;

const NAME: &str = "LandlordTenant.Incr.2024-01-08.zip";

/// A complete posting of the week. Its size does not depend on the mark.
fn whole(mark: &str) -> Vec<u8> {
    let extract = Extract::weekly("2024-01-08").case("a", &marked(mark)).case("b", &marked(mark));
    zip(&[(DOCUMENT, extract.document().as_bytes()), ("padding.txt", &[b' '; 1000])], Stored)
}

/// A posting of the same week and size, whose document breaks off inside the second case.
fn broken() -> Vec<u8> {
    let extract = Extract::weekly("2024-01-08").case("a", &marked("0")).case("b", &marked("0"));
    let document = extract.document();
    let cut = document.find(">b<").unwrap();
    let padding = vec![b' '; 1000 + document.len() - cut];
    zip(&[(DOCUMENT, &document.as_bytes()[..cut]), ("padding.txt", &padding)], Stored)
}

fn put(pipeline: &Pipeline, bytes: &[u8]) -> PathBuf {
    let path = pipeline.source().join(NAME);
    fs::write(&path, bytes).unwrap();
    path
}

/// The postings beside the archive: name with checksum, and bytes.
fn aside(pipeline: &Pipeline) -> Vec<(String, Vec<u8>)> {
    let objects = pipeline.objects().into_iter();
    objects
        .filter_map(|(key, bytes)| Some((key.strip_prefix("private/postings/")?.to_owned(), bytes)))
        .collect()
}

fn archived(pipeline: &Pipeline) -> Vec<u8> {
    pipeline.objects().remove(&format!("private/{NAME}")).expect("it is in the archive")
}

fn with_sum(bytes: &[u8]) -> (String, Vec<u8>) {
    (format!("{NAME}.{}", sha256(bytes)), bytes.to_vec())
}

#[tokio::test]
async fn the_archive_has_the_whole_file_that_came_after_a_broken_one() {
    assert_eq!(broken().len(), whole("1").len());
    let pipeline = Pipeline::new("postings broken").await;
    put(&pipeline, &broken());
    pipeline.run().await.exits(3).says("1 was cut off");
    assert_eq!((archived(&pipeline) == broken(), aside(&pipeline).len()), (true, 0));
    put(&pipeline, &whole("1"));
    pipeline.run().await.exits(0);
    assert!(archived(&pipeline) == whole("1"), "the archive keeps the broken bytes");
    assert!(aside(&pipeline) == [with_sum(&broken())]);
    let sums = "select sha256 from etl.parts where status = 'done'";
    assert_eq!(pipeline.one(sums).await, sha256(&archived(&pipeline)));

    // A rebuild from the archive alone, after the sender's file is gone. No glob finds the broken posting.
    fs::remove_file(pipeline.source().join(NAME)).unwrap();
    pipeline.execute("drop table oca_index cascade; drop schema public cascade; create schema public; create extension postgis").await;
    pipeline.execute("drop schema etl, etl_staging cascade").await;
    let ran = pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (1, 2));
    pipeline.other(&["reprocess", "oca", "**/*", "--force"]).await.exits(0);
    for glob in ["postings/*", "*.zip.*", "postings/**"] {
        pipeline.other(&["reprocess", "oca", glob, "--force"]).await.exits(1).says("no file of");
    }
    assert!(aside(&pipeline) == [with_sum(&broken())], "it stays");
}

/// Wherever a run is stopped, the archive has the file that production was made of.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posting_takes_its_place_when_it_is_committed() {
    let pipeline = Pipeline::new("postings killed").await;
    put(&pipeline, &whole("1"));
    pipeline.run().await.exits(0);
    put(&pipeline, &whole("2"));
    for fault in ["upload.archived=kill", "promote.before_commit=kill", "promote.begin=fail"] {
        pipeline.start_with(&[], &[("FAULTS", fault)]).await.unwrap();
        assert!(archived(&pipeline) == whole("1"), "{fault}");
        assert!(aside(&pipeline) == [with_sum(&whole("2"))], "{fault}");
    }
    // After a kill between the commit and the archive, the next run archives the file although nothing is new.
    pipeline.start_with(&[], &[("FAULTS", "promote.after_commit=kill")]).await.unwrap();
    assert_eq!(marks(&pipeline, "a").await, "2");
    assert!(archived(&pipeline) == whole("1"));
    pipeline.run_with(&["--dry-run"]).await.exits(0);
    assert!(archived(&pipeline) == whole("1"), "a dry run writes nothing");
    pipeline.run().await.exits(0).says("Nothing new");
    assert!(archived(&pipeline) == whole("2"));
    assert!(aside(&pipeline) == [with_sum(&whole("1"))]);
    // A dry run of a posting leaves no trace in the store.
    put(&pipeline, &whole("3"));
    pipeline.run_with(&["--dry-run"]).await.exits(0);
    assert!(archived(&pipeline) == whole("2") && aside(&pipeline).len() == 1);
}

/// The number of fetches in the last run.
const FETCHED: &str = "select count(*) from etl.steps where step = 'fetch'
    and run_id = (select run_id from etl.runs order by started_at desc limit 1)";

fn touch(path: &PathBuf, seconds: u64) {
    let time = SystemTime::now() + Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn the_newest_posting_of_a_name_counts() {
    let pipeline = Pipeline::new("postings newest").await;
    let path = put(&pipeline, &whole("1"));
    pipeline.run().await.exits(0);
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(pipeline.one(FETCHED).await, "0");
    // The same bytes at another time are fetched once, and not loaded.
    touch(&path, 10);
    let check = pipeline.other(&["check", "oca"]).await;
    check.says("1 of 1 to be taken");
    let ran = pipeline.run().await.exits(0).says("Nothing new").says("posted again, and the same");
    assert_eq!((ran.count("files"), pipeline.one(FETCHED).await), (0, "1".into()));
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(pipeline.one(FETCHED).await, "0");
    assert_eq!(pipeline.column("select status from etl.parts").await, ["done"]);
    // Other bytes of the same size.
    put(&pipeline, &whole("2"));
    touch(&path, 20);
    pipeline.run().await.exits(0).says("Committed");
    assert_eq!(marks(&pipeline, "a").await, "2");
    assert!(archived(&pipeline) == whole("2"));
    // A posting of another size, and then the older one again: the last posting counts.
    let longer = Extract::weekly("2024-01-08").case("a", &marked("3")).case("b", &marked("3")).padded(5000);
    put(&pipeline, &longer.bytes());
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "3");
    put(&pipeline, &whole("2"));
    touch(&path, 30);
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "a").await, "2");
    assert!(archived(&pipeline) == whole("2"));
    pipeline.run().await.exits(0).says("Nothing new");
    // A reprocess reads the archive's files, whose times say nothing about the source's.
    pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(0);
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(pipeline.one(FETCHED).await, "0");
    // An older ledger has no times: the bytes decide, once.
    pipeline.execute("update etl.parts set modified_at = null").await;
    touch(&path, 40);
    for fetched in ["1", "0"] {
        pipeline.run().await.exits(0).says("Nothing new");
        assert_eq!(pipeline.one(FETCHED).await, fetched);
    }
}

/// A file of which only the archive was read has no time of its source.
#[tokio::test]
async fn a_correction_of_the_same_size_is_loaded_after_a_reprocess() {
    let pipeline = Pipeline::new("postings reprocessed").await;
    pipeline.put(Extract::weekly("2024-01-01").case("z", ""));
    pipeline.run().await.exits(0);
    let path = put(&pipeline, &whole("1"));
    // As if the run had been killed: it took the file, and did not commit it.
    pipeline.run().await.exits(0);
    pipeline.execute("update etl.parts set status = 'pending' where name like '%01-08%'").await;
    pipeline.other(&["reprocess", "oca", NAME]).await.exits(0);
    put(&pipeline, &whole("2"));
    touch(&path, 20);
    pipeline.run().await.exits(0).says("Committed");
    assert_eq!(marks(&pipeline, "a").await, "2");
    assert!(archived(&pipeline) == whole("2"));
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(pipeline.one(FETCHED).await, "0");
}

/// What a sender has withdrawn comes back only if a person names it.
#[tokio::test]
async fn a_pattern_takes_no_file_that_no_run_has_committed() {
    let pipeline = Pipeline::new("postings withdrawn").await;
    pipeline.put(Extract::weekly("2024-01-01").case("z", ""));
    pipeline.run().await.exits(0);
    // A guard stops the run, and the file is withdrawn.
    let many = |extract: Extract, n: usize| extract.case(&format!("bad{n}"), "<FiledDate>soon</FiledDate>");
    let wrong = (0..12).fold(Extract::weekly("2024-01-08").case("a", ""), many);
    pipeline.put(wrong);
    pipeline.run().await.exits(1).says("guard failures");
    fs::remove_file(pipeline.source().join(NAME)).unwrap();
    pipeline.run().await.exits(0).says("Nothing new");
    let loaded = || pipeline.one("select count(*) from oca_index");
    for force in [&["--force"][..], &[]] {
        let words = [&["reprocess", "oca", "*"], force].concat();
        pipeline.other(&words).await.exits(0).says(&format!("no run has committed {NAME}"));
        assert_eq!(loaded().await, "1");
    }
    let words = [&["reprocess", "oca", "*01-08*"][..], &["retry", "oca"]];
    for words in words {
        pipeline
            .other(words)
            .await
            .exits(1)
            .says("no run has committed")
            .says("takes what is still at the source");
        assert_eq!(loaded().await, "1");
    }
    // A person may take it, and then it is done like any other.
    let chosen = ["reprocess", "oca", NAME, "--allow", "failures"];
    pipeline.other(&chosen).await.exits(3);
    assert_eq!(loaded().await, "2");
    pipeline.other(&["reprocess", "oca", "*", "--max-failures", "100%"]).await.exits(3);
    pipeline.other(&["retry", "oca"]).await.exits(3);
}

/// Two ledgers share one store: during a run of one, a purge of the other leaves that run's files alone.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_removes_what_its_own_ledger_knows() {
    let pipeline = Pipeline::new("purge two ledgers").await;
    put(&pipeline, &whole("1"));
    pipeline.run().await.exits(0);
    let elsewhere = ["--ledger-schema", "other_ledger", "--schema", "other"];
    let run = hold(&pipeline, &elsewhere, "load.begin").await;
    let other = pipeline.one("select run_id from other_ledger.runs").await;
    let staged = || {
        let keys = pipeline.objects().into_keys();
        keys.filter(|key| key.starts_with("private/runs/")).partition::<Vec<_>, _>(|key| key.contains(&other))
    };
    let (theirs, ours) = staged();
    assert!(theirs.len() > 10 && ours.len() > 10, "{theirs:?} {ours:?}");
    for words in [&["purge", "oca", "--dry-run"][..], &["purge", "oca"]] {
        let ran = pipeline.other(words).await.exits(0).says(&format!("private/runs/{other}"));
        let said =
            format!("private/runs: {} objects kept, of 1 run that this ledger does not know", theirs.len());
        ran.says(&said);
    }
    assert_eq!(staged(), (theirs, Vec::new()));
    let_go(run).await.exits(0);
    assert!(pipeline.store().join("private").join(NAME).exists(), "the archive stays");
}
