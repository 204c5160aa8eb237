//! Variations that XML writers, packers and manual edits cause in files of the feed, through the whole pipeline. The
//! run reports what it does not take, and seals no case because of it.

use std::fs;

use zip::CompressionMethod::Deflated;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::{DOCUMENT, Extract, zip};
use crate::support::pipeline::{Pipeline, Ran};

/// The messages of the warnings.
fn warnings(ran: &Ran) -> Vec<&str> {
    let warnings = ran.events.iter().filter(|event| event["level"] == "WARN");
    warnings.filter_map(|event| event["message"].as_str()).collect()
}

/// This many cases with this content.
fn cases(extract: Extract, count: usize, inside: &str) -> Extract {
    (0..count).fold(extract, |extract, number| extract.case(&format!("case {number:03}"), inside))
}

#[tokio::test]
async fn nothing_but_a_delete_seals_a_case() {
    let pipeline = Pipeline::new("nil and names").await;
    pipeline.put(Extract::weekly("2024-01-01").case("nil", &marked("1")).case("foreign", &marked("1")));
    pipeline.run().await.exits(0);
    let nil = "<Delete xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"/>";
    let foreign = "<Status>2</Status><a:Delete xmlns:a=\"urn:audit\">no</a:Delete>\
                   <a:Status xmlns:a=\"urn:audit\">3</a:Status><Court code=\"7\"/>stray";
    pipeline.put(Extract::weekly("2024-01-08").case("nil", nil).case("foreign", foreign));
    let ran = pipeline.run().await.exits(3);
    assert_eq!(pipeline.one("select count(*) from oca_metadata where deletedate is not null").await, "0");
    assert_eq!(pipeline.one("select status from oca_index where indexnumberid = 'foreign'").await, "2");
    // The case of the failed record is unchanged.
    assert_eq!(pipeline.one("select count(*) from oca_index where indexnumberid = 'nil'").await, "1");
    let failed = "select concat_ws('|', record_id, field, reason like '%nil%') from etl.failed_records";
    assert_eq!(pipeline.column(failed).await, ["nil|Delete|t"]);
    let unknown =
        "select string_agg(key, ' ' order by key collate \"C\") from etl.parts, jsonb_each(unknown)";
    assert_eq!(pipeline.one(unknown).await, "Court/@code a:Delete a:Status text()");
    assert!(warnings(&ran).iter().any(|warning| warning.contains("Court/@code (1)")), "{:?}", ran.stderr);
}

#[tokio::test]
async fn data_beside_a_delete_is_a_warning_once_a_run() {
    let pipeline = Pipeline::new("delete beside data").await.with("--batch-mib", "1");
    for date in ["2024-01-01", "2024-01-08"] {
        let extract = Extract::weekly(date).case(&format!("{date} a"), "<Status>x</Status><Delete/>");
        pipeline.put(extract.delete(&format!("{date} b")).padded(3 << 18));
    }
    let ran = pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(distinct batch) from etl.parts").await, "2");
    let said: Vec<_> =
        warnings(&ran).into_iter().filter(|warning| warning.contains("also carries data")).collect();
    assert_eq!(said.len(), 1, "{}", ran.stderr);
    assert!(said[0].starts_with("2 cases came as a delete that also carries data"), "{said:?}");
    pipeline.put(Extract::weekly("2024-01-15").delete("b"));
    let ran = pipeline.run().await.exits(0);
    assert!(!ran.stderr.contains("also carries data"), "{}", ran.stderr);
}

/// Sealing is permanent, so a flood of deletes is not accepted without an option.
#[tokio::test]
async fn a_flood_of_deletes_waits_for_somebody() {
    // Data beside each delete looks like a defect, whatever production holds.
    let pipeline = Pipeline::new("flood of deletes").await;
    pipeline.put(cases(Extract::weekly("2024-01-01"), 120, "<Status>Active</Status><Delete/>"));
    let said = "guard deletes: 120 of 120 cases are newly sealed";
    let ran = pipeline.run().await.exits(1).says(said).says("stay visible").says("--allow deletes");
    ran.says("The database is unchanged.");
    assert_eq!(pipeline.one("select to_regclass('oca_metadata')").await, "NULL");
    assert_eq!(pipeline.one("select passed from etl.guards where name = 'deletes'").await, "f");
    // Plain deletes in an empty production have nothing to lose.
    pipeline.put(cases(Extract::weekly("2024-01-01"), 120, "<Delete/>"));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_metadata where deletedate is not null").await, "120");
    // These cases are sealed already, so they lose nothing more.
    pipeline.put(cases(Extract::weekly("2024-01-08"), 120, "<Status>Active</Status><Delete/>"));
    pipeline.run().await.exits(0);
}

#[tokio::test]
async fn as_many_deletes_as_are_allowed() {
    let pipeline = Pipeline::new("budget of deletes").await;
    let named = |date: &str, kind: &str, count: usize, inside: &str| {
        let add = |extract: Extract, number| extract.case(&format!("{kind} {number}"), inside);
        (0..count).fold(Extract::weekly(date), add)
    };
    let more = |extract: Extract, kind: &str, count: usize| {
        (0..count).fold(extract, |extract, number| extract.delete(&format!("{kind} {number}")))
    };
    let all = ["a", "b", "c", "d", "e"].iter().fold(Extract::weekly("2024-01-01"), |extract, kind| {
        (0..60).fold(extract, |extract, number| extract.case(&format!("{kind} {number}"), &marked("1")))
    });
    pipeline.put(all);
    pipeline.run().await.exits(0);
    // Nine deletes are never a flood; of two hundred cases twenty may go, and twenty-one may not.
    pipeline.put(more(Extract::weekly("2024-01-08"), "a", 9));
    pipeline.run().await.exits(0);
    pipeline.put(more(named("2024-01-15", "new", 180, ""), "b", 20));
    pipeline.run_with(&["--allow", "short"]).await.exits(0);
    pipeline.put(more(named("2024-01-22", "new", 180, ""), "c", 21));
    let refused = pipeline.run_with(&["--allow", "short"]).await.exits(1);
    refused.says("guard deletes: 21 of 201 cases are newly sealed").says("at most 20 of them");
    for enough in [["--max-deletes", "21"], ["--max-deletes", "10.5%"]] {
        pipeline.run_with(&[&enough[..], &["--allow", "short", "--dry-run"]].concat()).await.exits(0);
    }
    pipeline.run_with(&["--max-deletes", "20", "--allow", "short"]).await.exits(1).says("guard deletes");
    pipeline.run_with(&["--allow", "deletes,short"]).await.exits(0);
    let allowed = "select allowed_by is not null from etl.guards where name = 'deletes' and not passed
        order by run_id desc limit 1";
    assert_eq!(pipeline.one(allowed).await, "t");
    // Some cases are live and sealed in one batch. Each case that production holds counts once.
    pipeline.put(more(named("2024-01-29", "d", 60, &marked("2")), "d", 7));
    pipeline.run().await.exits(0);
    pipeline.put(more(named("2024-02-05", "e", 60, &marked("2")), "e", 10));
    pipeline.run_with(&["--max-drop", "100"]).await.exits(1).says("10 of 60 cases are newly sealed");
}

#[tokio::test]
async fn a_file_without_a_case_is_a_warning_where_production_is_full() {
    let pipeline = Pipeline::new("no case").await;
    pipeline.put(Extract::weekly("2024-01-01"));
    let ran = pipeline.run().await.exits(0);
    assert!(!ran.stderr.contains("holds no case"), "{}", ran.stderr);
    pipeline.put(Extract::weekly("2024-01-08").case("a", ""));
    pipeline.run().await.exits(0);
    let empty = Extract::weekly("2024-01-15");
    let name = empty.file_name();
    pipeline.put(empty);
    let ran = pipeline.run().await.exits(0);
    let warning = format!("{name} holds no case, and production does: is that right?");
    assert!(warnings(&ran).contains(&warning.as_str()), "{}", ran.stderr);
    let file = "select status || '|' || error from etl.parts order by part_id desc limit 1";
    assert_eq!(pipeline.one(file).await, format!("done|{warning}"));
    pipeline.other(&["status", "last"]).await.exits(0).says("holds no case");
    // The file is done: the next run does not take it again.
    assert_eq!(pipeline.run().await.exits(0).count("files"), 0);
}

#[tokio::test]
async fn names_that_nearly_match_are_listed_once() {
    let pipeline = Pipeline::new("near names").await;
    let extract = Extract::weekly("2024-01-01").case("a", &marked("1"));
    let near = [
        "LandlordTenant.Incr.2024-01-01.ZIP",
        "LandlordTenant.Incr.2024-01-01 (1).zip",
        "LandlordTenant.Incr.2024-01-01-corrected.zip",
        "LandlordTenant.Level2.Incr.2024-01-01.zip",
    ];
    for name in near.iter().chain(&["readme.txt", "other.zip"]) {
        fs::write(pipeline.source().join(name), extract.bytes()).unwrap();
    }
    pipeline.put(extract);
    let ran = pipeline.run().await.exits(0);
    let said: Vec<_> = warnings(&ran).into_iter().filter(|warning| warning.contains("not taken")).collect();
    assert_eq!(said.len(), 1, "{}", ran.stderr);
    assert!(near.iter().all(|name| said[0].contains(name)), "{said:?}");
    assert!(!said[0].contains("readme") && !said[0].contains("other.zip"), "{said:?}");
    assert_eq!(pipeline.one("select count(*) from etl.parts").await, "1");
}

#[tokio::test]
async fn what_packers_and_old_writers_add_does_no_harm() {
    let pipeline = Pipeline::new("packers").await;
    let document = Extract::weekly("2024-01-01").case("a", &marked("1")).document() + "\0\0\r\n\x1A";
    let resource = b"\0\x05\x16\x07";
    let files = [
        ("__MACOSX/._LandlordTenantExtract.xml", &resource[..]),
        ("._LandlordTenantExtract.xml", resource),
        (DOCUMENT, document.as_bytes()),
    ];
    pipeline.put_bytes("2024-01-01", &zip(&files, Deflated));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select status from etl.parts").await, "done");
    assert!(!marks(&pipeline, "a").await.is_empty());
    let two = zip(&[("old.xml", document.as_bytes()), ("new.xml", document.as_bytes())], Deflated);
    pipeline.put_bytes("2024-01-08", &two);
    pipeline.run().await.says("holds more than one XML file: old.xml, new.xml");
}
