//! Bad input: each kind causes a clear error that names file and place, and everything else is loaded.

use std::fs::{self, File};
use std::io::Write;

use zip::CompressionMethod::{Deflated, Stored};
use zip::write::SimpleFileOptions;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::{DOCUMENT, Extract, zip};
use crate::support::pipeline::Pipeline;

/// An XML document around these cases.
fn document(cases: &str) -> String {
    Extract::weekly("2024-01-01").raw(cases).document()
}

/// The place where the archive's list of files begins.
fn central(archive: &[u8]) -> usize {
    archive.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("a list of files")
}

/// Changes a field of the only file of an archive, in the file's own header and in the list of files; `at` is its place
/// in the header.
fn set_field(archive: &mut [u8], at: usize, bytes: &[u8]) {
    // An entry of the list has two more bytes before the fields that both have.
    for start in [at, central(archive) + 2 + at] {
        archive[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

const FLAGS: usize = 6;
const CHECKSUM: usize = 14;
const UNPACKED_SIZE: usize = 22;

/// Archives that cannot be read, each with its name and words of the reason.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = document("<Index><IndexNumberId>bad</IndexNumberId></Index>");
    let stored = zip(&[(DOCUMENT, text.as_bytes())], Stored);
    let packed = zip(&[(DOCUMENT, text.as_bytes())], Deflated);
    let with = |archive: &[u8], at: usize, bytes: &[u8]| {
        let mut archive = archive.to_vec();
        set_field(&mut archive, at, bytes);
        archive
    };
    let damaged = {
        let mut archive = stored.clone();
        let at = archive.windows(5).position(|bytes| bytes == b">bad<").unwrap();
        archive[at + 1] = b'B';
        archive
    };
    let blanks = zip(&[(DOCUMENT, &vec![b' '; 20 << 20])], Deflated);
    let xml = |text: &str| zip(&[(DOCUMENT, text.as_bytes())], Deflated);
    let utf16: Vec<u8> = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\"?><Extract/>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let bomb: String =
        (1..10).map(|n| format!("<!ENTITY b{n} \"{}\">", format!("&b{};", n - 1).repeat(10))).collect();
    let bomb =
        format!("<!DOCTYPE Extract [<!ENTITY b0 \"ha\">{bomb}]>\n<Extract><RunDate>&b9;</RunDate></Extract>");
    vec![
        ("not a zip", b"this is not an archive at all, whatever its name says".to_vec(), "not a ZIP archive"),
        ("empty", Vec::new(), "not a ZIP archive"),
        ("no XML", zip(&[("notes.txt", b"nothing")], Deflated), "holds no XML file"),
        (
            "two XML",
            zip(&[("a.xml", text.as_bytes()), ("b.XML", text.as_bytes())], Deflated),
            "more than one XML",
        ),
        ("truncated", packed[..packed.len() - 30].to_vec(), "not a ZIP archive"),
        ("cut in the middle", stored[..stored.len() / 2].to_vec(), "not a ZIP archive"),
        ("encrypted", with(&stored, FLAGS, &[1, 0]), "encrypted"),
        ("wrong checksum", with(&packed, CHECKSUM, &[1, 2, 3, 4]), "damaged"),
        ("a changed byte", damaged, "damaged"),
        ("larger than it claims", with(&packed, UNPACKED_SIZE, &200_u32.to_le_bytes()), "larger than"),
        ("smaller than it claims", with(&packed, UNPACKED_SIZE, &9_000_u32.to_le_bytes()), "declares"),
        ("a bomb", with(&packed, UNPACKED_SIZE, &3_000_000_000_u32.to_le_bytes()), "one packed byte"),
        ("a bomb that lies", with(&blanks, UNPACKED_SIZE, &2_000_u32.to_le_bytes()), "larger than"),
        ("wrong root", xml("<html><body><p>Not found</p></body></html>"), "wrong root <html>"),
        ("no root", xml("404 Not found"), "no root element"),
        ("entities", xml(&bomb), "DOCTYPE"),
        (
            "external entity",
            xml("<!DOCTYPE e SYSTEM \"file:///etc/passwd\"><Extract><Indexes/></Extract>"),
            "DOCTYPE",
        ),
        ("another encoding", xml("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Extract/>"), "ISO-8859-1"),
        ("UTF-16", zip(&[(DOCUMENT, &utf16)], Deflated), "UTF-8"),
    ]
}

/// The run date of the unreadable file with that number.
fn date(number: usize) -> String {
    format!("2024-03-{:02}", number + 1)
}

#[tokio::test]
async fn an_unreadable_file_gives_nothing_and_the_others_go_on() {
    let pipeline = Pipeline::new("unreadable").await;
    pipeline.put(Extract::weekly("2024-02-01").case("good 1", &marked("1")));
    pipeline.put(Extract::weekly("2024-04-01").case("good 2", &marked("2")));
    let files = unreadable();
    for (number, (_, bytes, _)) in files.iter().enumerate() {
        pipeline.put_bytes(&date(number), bytes);
    }
    let ran = pipeline.run().await.exits(3);
    assert_eq!(ran.count("files_unreadable"), files.len() as u64);
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["good 1", "good 2"]);
    for (number, (what, bytes, reason)) in files.iter().enumerate() {
        let name = format!("LandlordTenant.Incr.{}.zip", date(number));
        let query = format!("select status || '|' || error from etl.parts where name = '{name}'");
        let row = pipeline.one(&query).await;
        let (status, error) = row.split_once('|').unwrap();
        assert_eq!(status, "failed", "{what}");
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(reason), "{what}: {error}");
        assert!(ran.stderr.contains(&name), "{what} is named in the log");
        // The unreadable file is kept beside the archive, because the sender deletes its own.
        let kept = pipeline.objects().remove(&format!("private/unreadable/{name}"));
        assert!(kept.as_ref() == Some(bytes), "{what} is kept");
    }
    let status = "select status from etl.runs";
    assert_eq!(pipeline.column(status).await, ["completed_with_failures"]);

    // The files are not done: the next run takes a good file with the same name.
    pipeline.put(Extract::weekly(&date(0)).case("good 3", &marked("3")));
    for number in 1..files.len() {
        fs::remove_file(pipeline.source().join(format!("LandlordTenant.Incr.{}.zip", date(number)))).unwrap();
    }
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "good 3").await, "3");
}

#[tokio::test]
async fn a_run_of_nothing_but_unreadable_files_has_failed() {
    let pipeline = Pipeline::new("all unreadable").await;
    let name = pipeline.put_bytes("2024-01-01", b"not a zip");
    let ran = pipeline.run().await.exits(1).says("no file could be read").says("The database is unchanged.");
    let error = ran.events.iter().rfind(|event| event["level"] == "ERROR").expect("an error");
    assert_eq!(error["step"], "parse", "the step that could not read them");
    assert!(ran.stderr.contains(&name), "{}", ran.stderr);
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    assert_eq!(
        pipeline
            .one("select runs.status || ' ' || parts.status from etl.runs join etl.parts using (run_id)")
            .await,
        "failed failed"
    );
}

#[tokio::test]
async fn a_name_with_dots_inside_leads_nowhere() {
    let pipeline = Pipeline::new("dots").await;
    let text = document("<Index><IndexNumberId>a</IndexNumberId></Index>");
    let names = ["../../escaped.xml", "/tmp/escaped-absolute.xml", "..\\..\\escaped.xml"];
    for (number, name) in names.into_iter().enumerate() {
        let text = text.replace(">a<", &format!(">{number}<"));
        pipeline.put_bytes(&date(number), &zip(&[(name, text.as_bytes())], Deflated));
    }
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["0", "1", "2"]);
    let escaped = ["../escaped.xml", "escaped.xml", "work/escaped.xml", "../../escaped.xml"];
    assert!(escaped.iter().all(|name| !pipeline.folder().join(name).exists()));
    assert!(!std::path::Path::new("/tmp/escaped-absolute.xml").exists());
}

#[tokio::test]
async fn a_broken_case_fails_alone() {
    let pipeline = Pipeline::new("broken cases").await;
    let mut text = document(
        "<Index><IndexNumberId>first</IndexNumberId></Index>\
         <Index><IndexNumberId>mismatched</IndexNumberId><Court>A</Courts></Index>\
         <Index><IndexNumberId>entity</IndexNumberId><Court>&nbsp;</Court></Index>\
         <Index><IndexNumberId>control</IndexNumberId><Court>&#8;</Court></Index>\
         <Index><IndexNumberId>bytes</IndexNumberId><Court>@@</Court></Index>\
         <Index><IndexNumberId>unclosed</IndexNumberId><Court>A</Court>\
         <Index><IndexNumberId>last</IndexNumberId></Index>",
    )
    .into_bytes();
    let at = text.windows(2).position(|bytes| bytes == b"@@").unwrap();
    text[at..at + 2].copy_from_slice(b"\xC3\x28");
    let name = pipeline.put_bytes("2024-01-01", &zip(&[(DOCUMENT, &text)], Deflated));
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (2, 5));
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["first", "last"]);
    let failed = "select concat_ws('|', name, ordinal, record_id, field) from etl.failed_records join etl.parts using (part_id) order by ordinal";
    let expected = ["2|mismatched|Court", "3|entity|Court", "4|control|Court", "5|bytes|Court", "6|unclosed"]
        .map(|line| format!("{name}|{line}"));
    assert_eq!(pipeline.column(failed).await, expected);
    let reasons = pipeline.column("select reason from etl.failed_records order by ordinal").await;
    for (reason, words) in
        reasons.iter().zip(["malformed XML", "nbsp", "U+0008", "UTF-8", "another record starts"])
    {
        assert!(reason.contains(words), "{reason}");
    }
    // The place is the record's first byte.
    let places = "select offset_bytes from etl.failed_records order by ordinal";
    for (place, id) in
        pipeline.column(places).await.iter().zip(["mismatched", "entity", "control", "bytes", "unclosed"])
    {
        let place: usize = place.parse().unwrap();
        assert!(
            text[place..].starts_with(format!("<Index><IndexNumberId>{id}<").as_bytes()),
            "{id} at {place}"
        );
    }
}

/// Writes a document with one case of such a large text, without ever having it in memory.
fn put_large_text(pipeline: &Pipeline, size: usize) {
    let text = document(
        "<Index><IndexNumberId>before</IndexNumberId></Index>\
        <Index><IndexNumberId>large</IndexNumberId><Court>@@</Court></Index>\
        <Index><IndexNumberId>after</IndexNumberId></Index>",
    );
    let (head, tail) = text.split_once("@@").unwrap();
    let file = File::create(pipeline.source().join("LandlordTenant.Incr.2024-01-01.zip")).unwrap();
    let mut archive = zip::ZipWriter::new(file);
    archive.start_file(DOCUMENT, SimpleFileOptions::default().compression_method(Stored)).unwrap();
    archive.write_all(head.as_bytes()).unwrap();
    let chunk = b"0123456789abcdef".repeat(1 << 16);
    for _ in 0..size / chunk.len() {
        archive.write_all(&chunk).unwrap();
    }
    archive.write_all(tail.as_bytes()).unwrap();
    archive.finish().unwrap();
}

#[tokio::test]
async fn a_huge_text_fails_its_case_with_memory_flat() {
    let small = Pipeline::new("small text").await;
    small.put(Extract::weekly("2024-01-01").case("a", ""));
    let base = small.run().await.exits(0).count("peak_memory_bytes");
    let pipeline = Pipeline::new("huge text").await;
    put_large_text(&pipeline, 100 << 20);
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (2, 1));
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["after", "before"]);
    let failed =
        "select concat_ws('|', record_id, ordinal, reason, length(fragment) < 20000) from etl.failed_records";
    assert_eq!(pipeline.one(failed).await, "large|2|the record is larger than 16777216 bytes|t");
    let more = ran.count("peak_memory_bytes").saturating_sub(base);
    assert!(more < 64 << 20, "{more} bytes more than for a small file ({base})");
}

#[tokio::test]
async fn fail_fast_stops_before_any_promotion() {
    let pipeline = Pipeline::new("fail fast").await.with("--batch-mib", "1");
    let fast = ["--fail-fast"];
    // The bad record is in the last of three files, which would have been three batches.
    pipeline.put(Extract::weekly("2024-01-01").case("a", "").padded(700 << 10));
    pipeline.put(Extract::weekly("2024-01-08").case("b", "").padded(700 << 10));
    let bad = "<FiledDate>2024-02-30</FiledDate>";
    pipeline.put(Extract::weekly("2024-01-15").case("c", "").case("bad date", bad).padded(700 << 10));
    let ran = pipeline.run_with(&fast).await.exits(1).says("The database is unchanged.");
    ran.says("LandlordTenant.Incr.2024-01-15.zip").says("bad date").says("FiledDate").says("not a date");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    assert_eq!(pipeline.one("select string_agg(distinct status, ' ') from etl.parts").await, "pending");
    // A file that cannot be read.
    let name = pipeline.put_bytes("2024-01-15", b"not a zip");
    pipeline.run_with(&fast).await.exits(1).says(&name).says("The database is unchanged.");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    // This fault shows only when the whole case is looked at.
    let twice = "<Decisions><Decision><Sequence>1</Sequence></Decision><Decision><Sequence>1</Sequence></Decision></Decisions>";
    pipeline.put(Extract::weekly("2024-01-15").case("twice", twice));
    pipeline.run_with(&fast).await.exits(1).says("more than once");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    // Without the fault, the same files are loaded.
    pipeline.put(Extract::weekly("2024-01-15").case("c", "").padded(700 << 10));
    pipeline.run_with(&fast).await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["a", "b", "c"]);
}

#[tokio::test]
async fn too_many_failures_stop_the_promotion() {
    let pipeline = Pipeline::new("too many").await;
    let extract = (0..11).fold(Extract::weekly("2024-01-01").case("good", ""), |extract, n| {
        extract.case(&format!("bad {n}"), "<FiledDate>soon</FiledDate>")
    });
    pipeline.put(extract);
    pipeline.run().await.exits(1).says("failures").says("The database is unchanged.");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    assert_eq!(pipeline.one("select count(*) from etl.failed_records").await, "11", "and they are listed");
    pipeline.run_with(&["--max-failures", "11"]).await.exits(3);
    assert_eq!(pipeline.column("select indexnumberid from oca_index").await, ["good"]);
}
