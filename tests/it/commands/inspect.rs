//! `status` and `failures`, for people and for machines, and what they say to do next.

use serde_json::Value;

use crate::datasets::oca::rules::marked;
use crate::support::csv::Csv;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;
use crate::support::waiting;

const BAD: &str = "<FiledDate>soon</FiledDate>";
const FILE: &str = "LandlordTenant.Incr.2024-01-08.zip";

async fn run_ids(pipeline: &Pipeline) -> Vec<String> {
    pipeline.column("select run_id from etl.runs order by started_at desc").await
}

async fn json(pipeline: &Pipeline, words: &[&str]) -> Value {
    let said = pipeline.other(words).await.exits(0);
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}\n{}", said.stdout))
}

/// A good week, then one with four failures of two kinds.
async fn two_weeks(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-01").case("x", &marked("1")));
    pipeline.run().await.exits(0);
    let no_id = "<Index><Status>Active</Status></Index>";
    let extract =
        Extract::weekly("2024-01-08").case("b", "").raw(no_id).case("bad 1", BAD).case("bad 2", BAD);
    pipeline.put(extract.case("bad \"3\", x", "<PrimaryClaimTotal>a \"lot\",\nreally</PrimaryClaimTotal>"));
    pipeline.run().await.exits(3);
    pipeline
}

#[tokio::test]
async fn status_shows_the_last_runs_one_run_and_one_file() {
    let pipeline = two_weeks("status").await;
    let ids = run_ids(&pipeline).await;
    let list = pipeline.other(&["status"]).await.exits(0);
    let lines: Vec<_> = list.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[1][..4], [ids[0].as_str(), "oca", "run", "completed_with_failures"]);
    assert_eq!((lines[1].len(), lines[1].last()), (10, Some(&"4")));
    assert_eq!(lines[2][..4], [ids[1].as_str(), "oca", "run", "completed"]);
    let next = format!("Next: merganser failures --run {} lists 4 that are open.", ids[0]);
    assert!(list.stdout.ends_with(&format!("{next}\n")), "{}", list.stdout);
    let one = pipeline.other(&["status", "--last", "1"]).await.exits(0);
    assert_eq!(one.stdout.lines().filter(|line| line.contains("  run  ")).count(), 1, "{}", one.stdout);
    pipeline.other(&["status", "--last", "0"]).await.exits(2);

    // One run: by its id, its start, its end, or as the last one.
    for name in [&ids[0], &ids[0].to_uppercase(), &ids[0][24..], "last"] {
        let run = pipeline.other(&["status", name]).await.exits(0);
        assert!(
            run.stdout.starts_with(&format!("Run {} of oca (run), schema public\n", ids[0])),
            "{}",
            run.stdout
        );
        assert_eq!(run.row(FILE)[1..], ["done_with_failures", "5", "1", "4", "0", "0"]);
        let run = run.says("promote  1      completed").says("Failed records: 4 open, 0 settled").says(&next);
        let change = run.stdout.lines().find(|line| line.trim_start().starts_with("oca_index")).unwrap();
        assert_eq!(change.split_whitespace().collect::<Vec<_>>()[1..], ["1", "1", "0", "0", "2"]);
    }
    let file = pipeline.other(&["status", FILE]).await.exits(0).says(&ids[0]);
    file.says(&format!("Next: merganser failures --file {FILE}"));
    for none in ["01999999", "LandlordTenant.Incr.1999-01-01.zip", "x' or '1'='1", ""] {
        let ran = pipeline.other(&["status", none]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{none}: {}", ran.stderr);
    }
    pipeline.other(&["status", "0"]).await.exits(2).says("fits several runs").says(&ids[1]);
}

#[tokio::test]
async fn status_for_machines_says_the_same() {
    let pipeline = two_weeks("status json").await;
    let ids = run_ids(&pipeline).await;
    let list = json(&pipeline, &["status", "--json"]).await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!((&list[0]["run_id"], &list[0]["failures_open"]), (&ids[0].as_str().into(), &4.into()));
    assert_eq!((&list[1]["status"], &list[1]["records_loaded"]), (&"completed".into(), &1.into()));
    let run = json(&pipeline, &["status", "last", "--json"]).await;
    assert_eq!(run["run_id"], ids[0].as_str());
    assert_eq!((&run["files"][0]["name"], &run["files"][0]["records_failed"]), (&FILE.into(), &4.into()));
    let steps: Vec<_> =
        run["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    let expected =
        ["select", "fetch", "parse", "check", "enrich", "export", "upload", "load", "promote", "publish"];
    assert_eq!(steps, expected);
    assert_eq!(run["table_changes"].as_array().unwrap().len(), 13);
    assert_eq!(run["failures"]["open"], 4);
    assert!(run["guards"].as_array().unwrap().iter().all(|guard| guard["passed"] == true));
    let file = json(&pipeline, &["status", FILE, "--json"]).await;
    assert_eq!((&file[0]["run_id"], &file[0]["failures_open"]), (&ids[0].as_str().into(), &4.into()));
    // A name that no run's id can start or end with.
    let case = json(&pipeline, &["status", "x", "--json"]).await;
    assert_eq!((&case[0]["run_id"], &case[0]["ordinal"]), (&ids[1].as_str().into(), &1.into()));
}

#[tokio::test]
async fn failures_are_grouped_and_those_that_are_open_come_first() {
    let pipeline = two_weeks("failures").await;
    let said = pipeline.other(&["failures"]).await.exits(0);
    let heads: Vec<_> = said.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(heads[0], "2 open: not a date (YYYY-MM-DD)");
    assert!(heads[1..3].iter().all(|line| line.starts_with("1 open: ")), "{heads:?}");
    assert!(
        heads[3].starts_with(
            "Next: merganser failures --show ID; when the cause is removed: merganser retry oca"
        )
    );
    said.says("bad 1 oca_index FiledDate = \"soon\"")
        .says("without id")
        .says(&format!("{FILE} record 3 at byte "));

    // A failure that a later file settled comes last, and only on request.
    pipeline.put(Extract::weekly("2024-01-15").case("bad 1", "").case("bad 4", BAD));
    pipeline.run().await.exits(3);
    let ids = run_ids(&pipeline).await;
    let open = pipeline.other(&["failures"]).await.exits(0).says("bad 4");
    assert!(!open.stdout.contains("bad 1"), "{}", open.stdout);
    let all = pipeline.other(&["failures", "--all"]).await.exits(0);
    let heads: Vec<_> = all.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(heads[3], "1 settled: not a date (YYYY-MM-DD)", "{heads:?}");
    all.says("bad 1 oca_index FiledDate = \"soon\" [loaded]");

    let of_run = pipeline.other(&["failures", "--run", &ids[1]]).await.exits(0).says("bad 1").says("bad 2");
    assert!(!of_run.stdout.contains("bad 4"), "{}", of_run.stdout);
    let of_file =
        pipeline.other(&["failures", "--file", "LandlordTenant.Incr.2024-01-15.zip"]).await.exits(0);
    assert!(of_file.stdout.contains("bad 4") && !of_file.stdout.contains("bad 2"), "{}", of_file.stdout);
    pipeline.other(&["failures", "--dataset", "oca"]).await.exits(0).says("bad 4");
    pipeline.other(&["failures", "--dataset", "other"]).await.exits(2);
    pipeline.other(&["failures", "--file", "none.zip"]).await.exits(0).says("No failed records.");
    pipeline.other(&["failures", "--run", "none"]).await.exits(2).says("no run `none`");
    pipeline.other(&["failures", "--run", "0"]).await.exits(2).says("fits several runs");

    let id = pipeline.one("select failed_record_id from etl.failed_records where record_id = 'bad 2'").await;
    let one = pipeline
        .other(&["failures", "--show", &id])
        .await
        .exits(0)
        .says("<FiledDate>soon</FiledDate></Index>");
    one.says("field             FiledDate").says("value             soon").says(&ids[1]);
    pipeline.other(&["failures", "--show", "999"]).await.exits(2).says("no failed record 999");
}

#[tokio::test]
async fn failures_for_machines_hold_every_character() {
    let pipeline = two_weeks("failures json").await;
    let rows = json(&pipeline, &["failures", "--json"]).await;
    let odd = rows.as_array().unwrap().iter().find(|row| row["field"] == "PrimaryClaimTotal").unwrap();
    assert_eq!((&odd["record_id"], &odd["value"]), (&"bad \"3\", x".into(), &"a \"lot\",\nreally".into()));
    assert!(odd.get("fragment").is_none(), "only of one that is asked for");
    let id = odd["failed_record_id"].to_string();
    let one = json(&pipeline, &["failures", "--show", &id, "--json"]).await;
    assert!(one[0]["fragment"].as_str().unwrap().starts_with("<Index>"));
    let csv = Csv::parse(&pipeline.other(&["failures", "--csv"]).await.exits(0).stdout);
    assert_eq!(csv.rows.len(), 4);
    assert!(csv.column("value").contains(&Some("a \"lot\",\nreally".into())));
    assert!(
        csv.column("record_id").contains(&None)
            && csv.column("file").iter().all(|file| file.as_deref() == Some(FILE))
    );
    assert_eq!(csv.column("resolved_at"), vec![None; 4]);
    pipeline.other(&["failures", "--csv", "--json"]).await.exits(2);
    let none =
        Csv::parse(&pipeline.other(&["failures", "--file", "none.zip", "--csv"]).await.exits(0).stdout);
    assert_eq!((none.rows.len(), none.columns.len()), (0, 17));
    assert_eq!(json(&pipeline, &["failures", "--file", "none.zip", "--json"]).await, serde_json::json!([]));
}

#[tokio::test]
async fn elements_never_seen_before_are_news_once() {
    let pipeline = Pipeline::new("drift").await;
    let judge = "<Hearing><Judge>Ruth</Judge></Hearing><Parties><Party><Mood>calm</Mood></Party></Parties>";
    pipeline.put(Extract::weekly("2024-01-01").case("a", judge).case("b", judge));
    let first = pipeline.run().await.exits(0).says("Hearing (2)").says("Parties/Party/Mood (2)");
    let warning =
        first.events.iter().find(|event| event["elements"] == 2).expect("a warning at the end of the run");
    assert_eq!(warning["level"], "WARN");
    let shown = pipeline.other(&["status", "last"]).await.exits(0).says("Elements that no column takes");
    shown.says("LandlordTenant.Incr.2024-01-01.zip has Parties/Party/Mood 2 times, for example \"calm\"");
    pipeline.put(Extract::weekly("2024-01-08").case("a", judge).case("c", "<Novel/>"));
    let second = pipeline.run().await.exits(0).says("Novel (1)");
    assert!(!second.stderr.contains("Mood"), "it is known by now: {}", second.stderr);
    pipeline.other(&["status", "LandlordTenant.Incr.2024-01-08.zip"]).await.exits(0).says("has Novel 1 time");
}

/// One batch is committed with failures, the next run fails, and then everything succeeds.
#[tokio::test]
async fn after_a_failure_the_next_run_ends_well_and_what_is_open_is_still_named() {
    let pipeline = Pipeline::new("status after").await.with("--batch-mib", "1");
    pipeline.put(Extract::weekly("2023-12-25").case("0", ""));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-01").case("a", "").case("bad", BAD).padded(700 << 10));
    pipeline.put(Extract::weekly("2024-01-08").case("b", &marked("1")).case("worse", BAD).padded(700 << 10));
    pipeline
        .execute(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'not this one'; end $$;
             create trigger refuse before insert on oca_warrants for each row execute function refuse()",
        )
        .await;
    pipeline.run().await.exits(1).says("1 earlier batch");
    let failed = run_ids(&pipeline).await.remove(0);
    let list = pipeline.other(&["status"]).await.exits(0);
    let list = list.says(&format!("1 batch of run {failed} is committed and whole."));
    list.says(&format!("Next: merganser status {failed}"))
        .says("Open failed records: 2; merganser failures lists them.");
    let one =
        pipeline.other(&["status", &failed]).await.exits(0).says("1 batch of it is committed and whole.");
    let one = one.says("Next: remove the cause, then merganser run oca.").says("Failed records: 2 open");
    assert_eq!(one.row("LandlordTenant.Incr.2024-01-08.zip")[1], "pending");
    one.says("not this one");

    pipeline.execute("drop trigger refuse on oca_warrants").await;
    pipeline.run().await.exits(3);
    let done = run_ids(&pipeline).await.remove(0);
    pipeline
        .other(&["status"])
        .await
        .exits(0)
        .says(&format!("Next: merganser failures --run {done} lists 1 that are open."));
    // Each failed record is open only once.
    let one = pipeline.other(&["status", &failed]).await.exits(0);
    one.says("Failed records: 1 open, 0 settled, 1 failed again later and are listed there");
    // A run that finds nothing new does not hide the open failures.
    pipeline.run().await.exits(0).says("Nothing new");
    for words in [&["status"][..], &["status", "last"]] {
        pipeline.other(words).await.exits(0).says("Next: merganser failures lists 2 that are open.");
    }
    pipeline.put(Extract::weekly("2024-01-15").case("bad", "").case("worse", ""));
    pipeline.run().await.exits(0);
    pipeline.other(&["status"]).await.exits(0).says("Nothing to do for oca.");
    pipeline.other(&["failures"]).await.exits(0).says("No failed records.");
}

/// Kills a command at a point, and waits until the database has ended its sessions.
async fn killed(pipeline: &Pipeline, words: &[&str], point: &str) {
    let fault = format!("{point}=kill");
    let started = match words {
        [] => pipeline.start_with(&[], &[("FAULTS", &fault)]),
        words => pipeline.start_other(words, &[("FAULTS", &fault)]),
    };
    started.await.unwrap().exits(-1);
    let free = "select 1 where not exists (select from pg_locks join pg_database on oid = database
        where locktype = 'advisory' and datname = current_database())";
    waiting::row(pipeline, free).await;
}

#[tokio::test]
async fn a_run_whose_process_is_gone_is_not_shown_as_running() {
    let pipeline = Pipeline::new("status killed").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    for (point, says) in [
        ("promote.before_commit", "left the database unchanged."),
        ("promote.after_commit", "is committed and whole."),
    ] {
        killed(&pipeline, &[], point).await;
        let run = &run_ids(&pipeline).await[0];
        let next = "Next: merganser run oca; it continues where this one stopped.\n";
        let list = pipeline.other(&["status"]).await.exits(0).says(says).says(next).says(run);
        assert_eq!(list.row(run)[3], "abandoned");
        let one = pipeline.other(&["status", "last"]).await.exits(0).says(says).says(next);
        let one = one.says("  abandoned, started").says("error: its process is gone");
        assert!(!one.stdout.contains("running"), "{}", one.stdout);
        assert_eq!(json(&pipeline, &["status", "last", "--json"]).await["status"], "abandoned");
        let file = pipeline.other(&["status", "LandlordTenant.Incr.2024-01-01.zip"]).await.exits(0);
        assert!(file.says("abandoned").stdout.find("running").is_none());
        // Looking changes nothing.
        let status = format!("select status from etl.runs where run_id = '{run}'");
        assert_eq!(pipeline.one(&status).await, "running");
    }
    pipeline.run().await.exits(0);
    // An undo that has committed is whole, and a run publishes.
    killed(&pipeline, &["undo", "last", "--allow", "drop"], "promote.after_commit").await;
    let one =
        pipeline.other(&["status", "last"]).await.exits(0).says("1 batch of it is committed and whole.");
    one.says("Next: merganser run oca; it writes the public files.");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_listed_until_it_can() {
    let pipeline = Pipeline::new("failures unreadable").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    let name = pipeline.put_bytes("2024-01-08", b"no zip");
    let ran = pipeline.run().await.exits(3).says("Committed: 1 case loaded from 1 file;");
    ran.says("0 records failed, 1 file could not be read, 0 were cut off");
    let next = "Next: have it put right at the source, then merganser run oca\n";
    for words in [&["failures"][..], &["failures", "--run", "last"], &["failures", "--file", &name]] {
        let said = pipeline.other(words).await.exits(0).says("1 file could not be read:\n").says(next);
        assert!(said.says(&name).stdout.find("No failed records").is_none());
    }
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("2")));
    pipeline.run().await.exits(0);
    pipeline.other(&["failures"]).await.exits(0).says("No failed records.");
    // Nobody can put right what its sender has deleted.
    let name = pipeline.put_bytes("2024-01-15", b"no zip");
    pipeline.run().await.exits(1);
    pipeline.other(&["failures"]).await.exits(0).says(&name);
    std::fs::remove_file(pipeline.source().join(&name)).unwrap();
    pipeline.run().await.exits(0).says(&format!("{name} could not be read and is gone from the source"));
    let open = pipeline.other(&["failures"]).await.exits(0).says("No failed records.");
    assert!(!open.stdout.contains(&name), "{}", open.stdout);
    pipeline.other(&["failures", "--all"]).await.exits(0).says(&name).says("They are gone from their source");
    let again = pipeline.run().await.exits(0);
    assert!(!again.stderr.contains(&name), "once is enough: {}", again.stderr);
    pipeline.put_bytes("2024-01-15", b"no zip either");
    pipeline.run().await.exits(1);
    pipeline.other(&["failures"]).await.exits(0).says("1 file could not be read:\n").says(&name);
}
