//! The content of the ledger's tables, column by column, how they are created and upgraded, and how several users share
//! them.

use std::fs;

use zip::CompressionMethod::Stored;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::{DOCUMENT, Extract, zip};
use crate::support::pipeline::{Pipeline, TABLES};
use crate::support::{sha256, waiting};

const BAD: &str = "<Court>Kings</Court><FiledDate>soon</FiledDate>";

/// Two files. The second one supersedes and deletes cases, has a failed record, and has elements that no column takes.
async fn two_files(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")).case("b", &marked("1")));
    pipeline.run().await.exits(0);
    let extract = Extract::weekly("2024-01-08").case("a", &marked("first")).case("a", &marked("2"));
    let extract = extract.case("c", "<Judge><Name>A</Name></Judge><Judge/><Mood>good</Mood>").delete("b");
    pipeline.put(extract.delete("never seen").case("bad", BAD));
    pipeline.put(Extract::weekly("2023-12-01").case("a", &marked("0")).case("d", &marked("0")));
    pipeline.run().await.exits(3);
    pipeline
}

#[tokio::test]
async fn every_column_of_a_run_a_step_and_a_file_is_true() {
    let pipeline = two_files("ledger columns").await;
    let run = "select concat_ws('|', dataset, target_schema, kind, status, dry_run, host = $$HOST$$,
            versions ->> 'merganser', versions ->> 'postgresql' = current_setting('server_version'),
            db_user = session_user, started_at < finished_at and finished_at <= clock_timestamp(), error is null,
            error_chain is null, counts -> 'records', counts -> 'failures', counts ->> 'files',
            (counts ->> 'duration_ms')::int > 0, options ->> 'source', options ->> 'store', options ->> 'level',
            substr(run_id::text, 15, 1))
        from etl.runs order by started_at desc limit 1";
    let run = run.replace("HOST", &merganser::system::machine::host());
    let records = r#"{"seen": 8, "failed": 1, "loaded": 3, "deleted": 2, "superseded": 2}"#;
    let failures = r#"{"files": 0, "records": 1, "incomplete_files": 0}"#;
    let version = env!("CARGO_PKG_VERSION");
    let places = format!("dir:{}|file:{}", pipeline.source().display(), pipeline.store().display());
    let expected = format!(
        "oca|public|run|completed_with_failures|f|t|{version}|t|t|t|t|t|{records}|{failures}|2|t|{places}|1|7"
    );
    assert_eq!(pipeline.one(&run).await, expected);

    let steps = "select concat_ws('|', batch, step, steps.status, steps.started_at <= steps.finished_at, rows, bytes > 0)
        from etl.steps join etl.runs using (run_id)
        where run_id = (select run_id from etl.runs order by started_at desc limit 1) order by steps.started_at";
    let expected = [
        "0|select|completed|t|2|t",
        "1|fetch|completed|t|2|t",
        "1|parse|completed|t|8|t",
        "1|check|completed|t|1|f",
        "1|enrich|completed|t|0|f",
        "1|export|completed|t|12|t",
        "1|upload|completed|t|14|t",
    ];
    let steps = pipeline.column(steps).await;
    assert_eq!(steps[..7], expected);
    let rest: Vec<_> = steps[7..].iter().map(|step| step.split('|').nth(1).unwrap()).collect();
    assert_eq!(rest, ["load", "promote", "publish"]);

    let files = "select concat_ws('|', name, source, sha256, size_bytes, as_of, status, records_seen, records_loaded,
        records_failed, records_superseded, records_deleted, coalesce(error, '-')) from etl.parts order by part_id desc limit 2";
    let line = |name: &str, counts: &str| {
        let bytes = fs::read(pipeline.source().join(name)).unwrap();
        let date = name.trim_start_matches("LandlordTenant.Incr.").trim_end_matches(".zip");
        let source = pipeline.source();
        format!("{name}|dir:{}|{}|{}|{date}|{counts}|-", source.display(), sha256(&bytes), bytes.len())
    };
    let expected = [
        line("LandlordTenant.Incr.2024-01-08.zip", "done_with_failures|6|2|1|1|2"),
        line("LandlordTenant.Incr.2023-12-01.zip", "done|2|1|0|1|0"),
    ];
    assert_eq!(pipeline.column(files).await, expected);
    let unknown = "select unknown from etl.parts order by part_id desc limit 1";
    let unknown: serde_json::Value = serde_json::from_str(&pipeline.one(unknown).await).unwrap();
    let expected =
        serde_json::json!({ "Judge": {"count": 2, "example": "A"}, "Mood": {"count": 1, "example": "good"} });
    assert_eq!(unknown, expected);
}

#[tokio::test]
async fn every_column_of_a_failed_record_is_true() {
    let pipeline = two_files("ledger failures").await;
    let document = Extract::weekly("2024-01-08").case("a", &marked("first")).case("a", &marked("2"));
    let document = document.case("c", "<Judge><Name>A</Name></Judge><Judge/><Mood>good</Mood>").delete("b");
    let document = document.delete("never seen").case("bad", BAD).document();
    let offset = document.find("<Index><IndexNumberId>bad").unwrap();
    let failed = "select concat_ws('|', run_id = (select run_id from etl.runs order by started_at desc limit 1), name,
            record_id, ordinal, offset_bytes, table_name, field, value, reason, fragment,
            failed_at between started_at and finished_at, coalesce(resolved_by::text, '-'), coalesce(resolved_at::text, '-'))
        from etl.failed_records join etl.parts using (part_id, run_id) join etl.runs using (run_id)";
    let fragment = format!("<Index><IndexNumberId>bad</IndexNumberId>{BAD}</Index>");
    assert_eq!(
        pipeline.one(failed).await,
        format!(
            "t|LandlordTenant.Incr.2024-01-08.zip|bad|6|{offset}|oca_index|FiledDate|soon|not a date (YYYY-MM-DD)|{fragment}|t|-|-"
        )
    );
    // A fragment is truncated; with `--no-fragments`, none is kept.
    let long = format!("{BAD}<FirstPaper>{}</FirstPaper>", "é".repeat(20_000));
    pipeline.put(Extract::weekly("2024-01-15").case("long", &long));
    pipeline.run().await.exits(3);
    pipeline.put(Extract::weekly("2024-01-22").case("private", BAD));
    pipeline.run_with(&["--no-fragments"]).await.exits(3);
    let kept = "select concat_ws(' ', record_id, value, octet_length(fragment) between 16000 and 16384, fragment is null)
        from etl.failed_records where record_id in ('long', 'private') order by 1";
    assert_eq!(pipeline.column(kept).await, ["long soon t f", "private soon t"]);
}

#[tokio::test]
async fn the_change_of_every_table_is_that_of_its_rows() {
    let pipeline = Pipeline::new("ledger changes").await;
    let weeks = [
        Extract::weekly("2024-01-01").case("a", &marked("1")).case("b", &marked("1")),
        Extract::weekly("2024-01-08").case("a", "").case("c", &marked("1")).delete("b"),
        Extract::weekly("2024-01-15").case("a", &marked("2")).case("d", &marked("2")).delete("nobody"),
        Extract::weekly("2023-12-01").case("a", &marked("0")).case("e", &marked("0")),
    ];
    let mut before = vec!["0".to_owned(); TABLES.len()];
    for extract in weeks {
        pipeline.put(extract);
        pipeline.run().await.exits(0);
        let mut after = Vec::new();
        for (table, before) in TABLES.iter().zip(&before) {
            let count = pipeline.one(&format!("select count(*) from {table}")).await;
            let change = format!(
                "select concat_ws(' ', rows_before, rows_after, rows_before + inserted - deleted) from etl.table_changes
                 where table_name = '{table}' and run_id = (select run_id from etl.runs order by started_at desc limit 1)"
            );
            assert_eq!(pipeline.one(&change).await, format!("{before} {count} {count}"), "{table}");
            after.push(count);
        }
        before = after;
    }
    let parties = "select concat_ws(' ', inserted, replaced, deleted) from etl.table_changes join etl.runs using (run_id)
        where table_name = 'oca_parties' order by started_at";
    assert_eq!(pipeline.column(parties).await, ["2 0 0", "1 0 2", "2 0 0", "1 0 0"]);
    let index = parties.replace("oca_parties", "oca_index");
    assert_eq!(pipeline.column(&index).await, ["2 0 0", "1 1 1", "1 1 0", "1 0 0"]);
}

#[tokio::test]
async fn every_case_in_production_can_be_traced() {
    let pipeline = two_files("ledger origins").await;
    let untraced =
        "select indexnumberid from oca_index full join etl.record_origins on record_id = indexnumberid
        where record_id is null or indexnumberid is null";
    assert_eq!(pipeline.column(untraced).await, Vec::<String>::new());
    let origins = "select concat_ws('|', record_id, name, ordinal, sha256 is not null, kind, loaded_at between started_at and finished_at)
        from etl.record_origins join etl.parts using (part_id) join etl.runs using (run_id) order by record_id";
    let expected = [
        "a|LandlordTenant.Incr.2024-01-08.zip|2|t|run|t",
        "c|LandlordTenant.Incr.2024-01-08.zip|3|t|run|t",
        "d|LandlordTenant.Incr.2023-12-01.zip|2|t|run|t",
    ];
    assert_eq!(pipeline.column(origins).await, expected);
    // Names that no run's id can start or end with.
    pipeline.put(Extract::weekly("2024-01-15").case("x", "").case("y", ""));
    pipeline.run().await.exits(0);
    let run_id = pipeline.one("select run_id from etl.runs order by started_at desc limit 1").await;
    pipeline.put(Extract::weekly("2024-01-22").delete("y"));
    pipeline.run().await.exits(0);
    let shown = pipeline.other(&["status", "x"]).await.exits(0);
    shown.says("record 1 of LandlordTenant.Incr.2024-01-15.zip").says(&run_id);
    pipeline.other(&["status", "y"]).await.exits(2).says("of a deleted record nothing is kept");
}

#[tokio::test]
async fn several_processes_that_start_at_once_make_one_ledger() {
    let pipeline = Pipeline::new("ledger at once").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    let runs: Vec<_> = (0..6).map(|_| pipeline.start(&[])).collect();
    let mut codes = Vec::new();
    for run in runs {
        codes.push(run.await.unwrap().code);
    }
    assert!(codes.iter().all(|code| [0, 75].contains(code)) && codes.contains(&0), "{codes:?}");
    let migrations = "select string_agg(version || ' ' || name, ', ' order by version) from etl.migrations";
    let made = pipeline.one(migrations).await;
    assert!(made.starts_with("1 0001_ledger"), "{made}");
    assert_eq!(marks(&pipeline, "a").await, "1");
    assert_eq!(pipeline.one("select count(*) from etl.parts").await, "1");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_used_is_left_alone() {
    let pipeline = Pipeline::new("ledger unusable").await;
    for words in [["status", "last"], ["failures", "--all"]] {
        pipeline.other(&words).await.exits(1).says("there is no ledger `etl`").says("merganser run");
    }
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    pipeline.run().await.exits(0);
    // A ledger made by a newer version.
    pipeline
        .execute("insert into etl.migrations (version, name, applied_by) values (99, 'later', '9.9.9')")
        .await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("2")));
    let ran = pipeline.run().await.exits(1).says("is of version 99").says("use the newer merganser");
    ran.says("The database is unchanged.");
    for words in
        [&["status"][..], &["failures"], &["retry", "oca"], &["purge", "oca"], &["reprocess", "oca", "*"]]
    {
        pipeline.other(words).await.exits(1).says("is of version 99");
    }
    assert_eq!(marks(&pipeline, "a").await, "1");
    assert_eq!(pipeline.one("select count(*) from etl.runs").await, "1");
    pipeline.execute("delete from etl.migrations where version = 99").await;
    // A role without rights to the ledger.
    let role = format!("{}_nobody", pipeline.database.name());
    pipeline.execute(&format!("create role {role} login")).await;
    let url = pipeline.database.url_as(&role);
    let pipeline = pipeline.with("--database-url", url);
    for words in [&["status"][..], &["status", "last"], &["failures"], &["retry", "oca"], &["purge", "oca"]] {
        pipeline.other(words).await.exits(1).says("permission denied").says("42501");
    }
}

/// Two schemas share one ledger. A file that is done, failed or newer in one of them is not so in the other.
#[tokio::test]
async fn two_schemas_share_a_ledger() {
    let pipeline = Pipeline::new("ledger shared").await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("new")).case("bad", BAD));
    pipeline.run_with(&["--schema", "one"]).await.exits(3);
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("old")));
    fs::remove_file(pipeline.source().join("LandlordTenant.Incr.2024-01-08.zip")).unwrap();
    let two = pipeline.run_with(&["--schema", "two"]).await.exits(0);
    assert_eq!(two.count("records_loaded"), 1, "a record of one schema supersedes none of the other");
    let one = pipeline.run_with(&["--schema", "one"]).await.exits(0);
    assert_eq!(one.count("records_superseded"), 1);
    assert_eq!(
        pipeline.column("select status from one.oca_index union all select status from two.oca_index").await,
        ["new", "old"]
    );
    let origins = "select target_schema || ' ' || name from etl.record_origins join etl.parts using (part_id) order by 1";
    let expected = ["one LandlordTenant.Incr.2024-01-08.zip", "two LandlordTenant.Incr.2024-01-01.zip"];
    assert_eq!(pipeline.column(origins).await, expected);
    pipeline.other(&["retry", "oca", "--schema", "two"]).await.exits(0).says("Nothing to retry");
    pipeline.other(&["failures", "--json"]).await.exits(0).says("\"target_schema\": \"one\"");
    // A case that is sealed in one schema is deleted there alone, and each schema has its own counts.
    pipeline.put(Extract::weekly("2024-01-15").delete("a"));
    pipeline.run_with(&["--schema", "two"]).await.exits(0);
    assert_eq!(
        pipeline.column("select status from one.oca_index union all select status from two.oca_index").await,
        ["new"]
    );
    let change = "select target_schema || ' ' || rows_before || ' ' || rows_after from etl.table_changes
        join etl.runs using (run_id) where table_name = 'oca_index' order by started_at";
    assert_eq!(pipeline.column(change).await, ["one 0 1", "two 0 1", "one 1 1", "two 1 0"]);
}

/// The document breaks off: the records before the break are loaded, and the break's place is a failed record.
#[tokio::test]
async fn a_break_of_the_document_is_in_the_ledger() {
    let pipeline = Pipeline::new("ledger break").await;
    let document = Extract::weekly("2024-01-01").case("a", &marked("1")).case("cut", &marked("1")).document();
    // The break is in the middle of the second case.
    let broken = &document[..document.find("cut").unwrap() + 150];
    let archive = zip(&[(DOCUMENT, broken.as_bytes())], Stored);
    let name = pipeline.put_bytes("2024-01-01", &archive);
    pipeline.run().await.exits(3);
    let file = "select concat_ws('|', name, parts.status, records_seen, records_loaded, records_failed, error) from etl.parts";
    let expected =
        format!("{name}|incomplete|2|1|1|{name}: the document breaks off; what came before is loaded");
    assert_eq!(pipeline.one(file).await, expected);
    let failed = "select concat_ws('|', record_id, ordinal, reason like 'the document breaks off: %') from etl.failed_records";
    assert_eq!(pipeline.one(failed).await, "cut|2|t");
    // The complete file is posted again: the break is resolved.
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")).case("cut", &marked("1")));
    pipeline.run().await.exits(0);
    let settled = "select concat_ws(' ', resolution, resolved_by = (select run_id from etl.runs order by started_at desc limit 1))
        from etl.failed_records";
    assert_eq!(pipeline.one(settled).await, "loaded t");
}

/// A second command of any kind is told who holds the lock, since when and from where. Commands that only read work
/// meanwhile.
#[tokio::test]
async fn two_operators_at_once() {
    let pipeline = Pipeline::new("two operators").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &marked("1")));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-08").case("a", &marked("2")).case("bad", BAD));
    let holder = pipeline.database.client().await;
    holder.batch_execute("begin; lock table oca_parties in share mode").await.unwrap();
    let first = pipeline.start(&[]);
    let running = "select run_id || ' from host ' || host || ' as ' || db_user || ' since '
            || to_char(runs.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"')
        from etl.runs join etl.steps using (run_id) where runs.status = 'running' and step = 'promote'";
    let who = waiting::row(&pipeline, running).await;
    for words in [&["retry", "oca"][..], &["reprocess", "oca", "*"], &["purge", "oca"], &["adopt", "oca"]] {
        let ran = pipeline.other(words).await.exits(75).says(&format!("run {who}"));
        ran.says("another run of oca is under way")
            .says("wait until it has ended")
            .says("The database is unchanged.");
    }
    pipeline.other(&["status"]).await.exits(0).says(" is still running.");
    pipeline.other(&["failures"]).await.exits(0).says("1 open");
    holder.batch_execute("commit").await.unwrap();
    first.await.unwrap().exits(3);
    assert_eq!(marks(&pipeline, "a").await, "2");
    let kinds = "select string_agg(kind, ' ') from etl.runs";
    assert_eq!(pipeline.one(kinds).await, "run run", "a command that is refused leaves no trace");
}
