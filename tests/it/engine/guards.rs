//! The guards before the commit. Each one is breached once, stays just inside its threshold once, and is let through by
//! name.

use crate::datasets::oca::rules::marked;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::ssh;

const BAD: &str = "<FiledDate>soon</FiledDate>";

/// Adds `count` cases, each with this content.
fn cases(extract: Extract, count: usize, inside: &str) -> Extract {
    (0..count).fold(extract, |extract, number| extract.case(&format!("case {number:03}"), inside))
}

fn parties(count: usize) -> String {
    format!("<Parties>{}</Parties>", "<Party><Role>Petitioner</Role></Party>".repeat(count))
}

/// The breached guards of the last run that promoted or tried to.
async fn breaches(pipeline: &Pipeline) -> Vec<String> {
    let query = "select concat_ws('|', name, subject, found, threshold, allowed_by) from etl.guards
        where run_id = (select run_id from etl.runs order by started_at desc limit 1) and not passed
        order by name, subject";
    pipeline.column(query).await
}

/// Runs into a breach: nothing is committed, the message names the guard, and the ledger has it.
async fn refused(pipeline: &Pipeline, extra: &[&str], name: &str) -> Ran {
    let (tables, objects) = (pipeline.tables("public").await, pipeline.csv("public/oca_index.csv"));
    let ran = pipeline.run_with(extra).await.exits(1).says("The database is unchanged.");
    let ran = ran.says(&format!("guard {name}")).says("--allow").says("--dry-run");
    assert_eq!(pipeline.tables("public").await, tables);
    assert_eq!(pipeline.csv("public/oca_index.csv"), objects);
    let run =
        "select status || ' ' || (error like '%guard %') || ' ' || (error_chain is not null) from etl.runs
        order by started_at desc limit 1";
    assert_eq!(pipeline.one(run).await, "failed true true");
    ran
}

#[tokio::test]
async fn more_failures_than_the_budget() {
    let pipeline = Pipeline::new("guard failures").await.env([("USER".into(), "ada".into())]);
    pipeline.put(Extract::weekly("2024-01-01").case("a", ""));
    pipeline.run().await.exits(0);
    let extract = cases(Extract::weekly("2024-01-08"), 18, "").case("bad 1", BAD).case("bad 2", BAD);
    pipeline.put(extract);
    refused(&pipeline, &["--max-failures", "1"], "failures")
        .await
        .says("merganser failures lists what failed");
    refused(&pipeline, &["--max-failures", "9%"], "failures").await;
    let expected = ["failures||2 of 20 records failed|at most 1 failed records"];
    assert_eq!(breaches(&pipeline).await, expected);
    refused(&pipeline, &["--max-failures", "0", "--allow", "drop"], "failures").await;
    let allowed = pipeline.run_with(&["--max-failures", "0", "--allow", "failures"]).await.exits(3);
    assert_eq!(allowed.count("records_loaded"), 18);
    let host = merganser::system::machine::host();
    assert_eq!(
        breaches(&pipeline).await,
        [format!("failures||2 of 20 records failed|at most 0 failed records|ada at {host}")]
    );
    let shown = pipeline.other(&["status", "last"]).await.exits(0);
    shown.says(&format!("let through by ada at {host}"));
    // Just inside the threshold.
    for (date, budget) in [("2024-01-15", "2"), ("2024-01-22", "10%")] {
        pipeline.put(cases(Extract::weekly(date), 18, "").case("bad 1", BAD).case("bad 2", BAD));
        pipeline.run_with(&["--max-failures", budget]).await.exits(3);
        assert_eq!(breaches(&pipeline).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_table_that_would_lose_many_rows() {
    // The guard of deletes has its own tests (writers.rs).
    let pipeline = Pipeline::new("guard drop").await.with("--max-deletes", "100%");
    pipeline.put(cases(Extract::weekly("2024-01-01"), 200, ""));
    pipeline.run().await.exits(0);
    let delete = |date: &str, from: usize, to: usize| {
        (from..to).fold(Extract::weekly(date), |extract, number| extract.delete(&format!("case {number:03}")))
    };
    // One case more than ten per cent of the 200 cases.
    pipeline.put(delete("2024-01-08", 0, 21));
    refused(&pipeline, &[], "drop oca_index").await;
    let expected = ["oca_case_summary", "oca_index"]
        .map(|table| format!("drop|{table}|200 -> 179 rows (-10.5 %)|loses at most 10 % of its rows"));
    assert_eq!(breaches(&pipeline).await, expected);
    refused(&pipeline, &["--max-drop", "10.4%"], "drop oca_index").await;
    pipeline.run_with(&["--max-drop", "10.5%"]).await.exits(0);
    pipeline.put(delete("2024-01-15", 21, 38));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_index").await, "162");
    // Half of the cases, which somebody deletes on purpose and lets through by name.
    pipeline.put(delete("2024-01-22", 38, 119));
    refused(&pipeline, &[], "drop oca_index").await;
    pipeline.run_with(&["--allow", "drop"]).await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_index").await, "81");
    // `--allow` counts for one run only.
    pipeline.put(delete("2024-01-29", 119, 160));
    refused(&pipeline, &[], "drop oca_index").await;
}

#[tokio::test]
async fn an_extract_that_is_silently_short() {
    let pipeline = Pipeline::new("guard short").await;
    pipeline.put(cases(Extract::weekly("2024-01-01"), 1000, &parties(2)));
    pipeline.run().await.exits(0);
    // The new cases have no parties: no row is lost, but the extract is too short.
    let new = |date: &str, inside: &str| {
        (0..100)
            .fold(Extract::weekly(date), |extract, number| extract.case(&format!("{date} {number}"), inside))
    };
    pipeline.put(new("2024-01-08", ""));
    refused(&pipeline, &[], "short oca_parties: 0.000 rows a case").await;
    let expected =
        "short|oca_parties|0.000 rows a case|between a fifth and five times production's 2.000 rows a case";
    assert_eq!(breaches(&pipeline).await, [expected]);
    pipeline.put(new("2024-01-08", &parties(11)));
    refused(&pipeline, &["--allow", "drop"], "short oca_parties: 11.000 rows a case").await;
    pipeline.put(new("2024-01-08", &parties(10)));
    pipeline.run().await.exits(0);
    // Too few new cases to judge by.
    pipeline.put(cases(Extract::weekly("2024-01-15"), 99, ""));
    pipeline.run().await.exits(0);
    pipeline.put(new("2024-01-22", ""));
    pipeline.run_with(&["--allow", "short,drop"]).await.exits(0);
    assert!(breaches(&pipeline).await[0].contains(" at "));
}

#[tokio::test]
async fn a_run_date_that_cannot_be() {
    let today = jiff::Zoned::now().date();
    let day = |days: i64| (today + jiff::Span::new().days(days)).to_string();
    let server = ssh::server();
    let pipeline = Pipeline::new("guard run date").await.env([
        ("MERGANSER_SFTP_KEY".into(), std::fs::read_to_string(server.dir.join("user_key")).unwrap()),
        ("MERGANSER_SFTP_HOST_KEY".into(), server.fingerprint("ed25519")),
    ]);
    pipeline.put(Extract::weekly(&day(0)).case("a", &marked("1")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly(&day(3)).case("a", &marked("2")));
    refused(&pipeline, &[], "run_date LandlordTenant.Incr.").await.says("is in the future");
    let dry = pipeline.run_with(&["--dry-run"]).await.exits(1).says("The real run would be refused.");
    let (_, typed) = dry.stdout.split_once("Next: if the change is right: merganser ").expect("what to type");
    assert!(typed.starts_with("run oca ") && typed.ends_with(" --allow run_date\n"), "{typed}");
    assert!(!typed.contains("--dry-run"), "{typed}");
    pipeline.run().await.exits(1);
    let next = "Next: look at it with --dry-run; if it is right: merganser run oca --allow run_date\n";
    pipeline.other(&["status", "last"]).await.exits(0).says(next);
    let typed =
        crate::support::merganser(typed.replace('\'', "").split_whitespace(), [("MERGANSER_QUIET", "yes")]);
    assert!(typed.status.success(), "{}", String::from_utf8_lossy(&typed.stderr));
    std::fs::remove_file(pipeline.source().join(Extract::weekly(&day(3)).file_name())).unwrap();

    // The sender's server keeps a file for 60 days, so an older date cannot come from there. A folder may hold any
    // date.
    Extract::weekly(&day(3 - 61)).case("b", "").put(&server.files);
    let feed = ["--source", &server.url()];
    refused(&pipeline, &feed, "run_date LandlordTenant.Incr.").await.says("at most 60 days");
    std::fs::remove_file(server.files.join(Extract::weekly(&day(3 - 61)).file_name())).unwrap();
    Extract::weekly(&day(3 - 60)).case("b", "").put(&server.files);
    pipeline.run_with(&feed).await.exits(0);
    pipeline.put(Extract::weekly("2016-01-01").case("c", ""));
    pipeline.run().await.exits(0);
}

/// Only tables that were taken over without their keys can have such rows.
#[tokio::test]
async fn rows_without_their_case_and_keys_that_are_there_twice() {
    let pipeline = Pipeline::new("guard integrity").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")).case("b", &marked("1")));
    pipeline.run().await.exits(0);
    // Somebody gave another case the same appearance as the first. The run must not add to that.
    pipeline
        .execute(
            "insert into oca_index (indexnumberid) values ('x');
             insert into oca_appearances (indexnumberid, appearanceid)
             select 'x', appearanceid from oca_appearances where indexnumberid = 'a'",
        )
        .await;
    pipeline.put(Extract::weekly("2024-01-08").case("b", &marked("2")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-15").case("a", &marked("2")));
    refused(&pipeline, &[], "duplicates oca_appearances: 1 keys").await;
    pipeline.execute("delete from oca_index where indexnumberid = 'x'").await;
    pipeline.run().await.exits(0);
    // The same case twice, where no key forbids it.
    pipeline
        .execute(
            "alter table oca_index drop constraint oca_index_pkey cascade;
             insert into oca_index (indexnumberid) values ('b')",
        )
        .await;
    pipeline.put(Extract::weekly("2024-01-22").case("b", &marked("3")));
    refused(&pipeline, &[], "duplicates oca_index: 1 keys").await;
    pipeline.execute("delete from oca_index where indexnumberid = 'b' and status is null").await;

    // A party that loses its case on the way into staging.
    pipeline
        .execute(
            "create function lose() returns trigger language plpgsql as
                 $$ begin new.indexnumberid := 'lost'; return new; end $$;
             create function lose_each() returns event_trigger language plpgsql as
                 $$ begin
                     if exists (select from pg_event_trigger_ddl_commands()
                                where object_identity = 'etl_staging.oca_parties') then
                         create trigger lose before insert on etl_staging.oca_parties
                             for each row execute function public.lose();
                     end if;
                 end $$;
             create event trigger lose_each on ddl_command_end when tag in ('CREATE TABLE')
                 execute function lose_each()",
        )
        .await;
    refused(&pipeline, &[], "orphans oca_parties: 1 rows").await;
    pipeline.execute("drop event trigger lose_each").await;
    pipeline.run().await.exits(0);
}

#[tokio::test]
async fn a_guard_that_is_none_cannot_be_let_through() {
    let pipeline = Pipeline::new("no such guard").await;
    let ran = pipeline.run_with(&["--allow", "everything"]).await.exits(2).says("no guard `everything`");
    ran.says("deletes, drop, duplicates, failures, geocode, orphans, run_date, short");
}
