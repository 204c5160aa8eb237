//! Records that the database refuses: a constraint of any kind that somebody put on our tables fails the record that
//! breaks it, and no other.

mod kinds;
mod search;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};

/// A value that may appear nowhere but in the source file.
const PRIVATE: &str = "4 Hidden Lane";

fn status(text: &str) -> String {
    format!("<Status>{text}</Status>")
}

fn party(role: &str) -> String {
    format!("<Parties><Party><Role>{role}</Role><PartyType>x</PartyType></Party></Parties>")
}

/// A production with one case, which then gets a constraint.
async fn pipeline(hint: &str, constraint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    let inside = format!("{}{}", status("kept"), party("kept"));
    pipeline.put(Extract::weekly("2024-01-01").case("old", &inside));
    pipeline.run().await.exits(0);
    pipeline.execute(constraint).await;
    pipeline
}

async fn cases(pipeline: &Pipeline) -> Vec<String> {
    pipeline.column("select indexnumberid from oca_index order by 1").await
}

/// The open failed records of real runs, one line each.
async fn open(pipeline: &Pipeline) -> Vec<String> {
    let query = "select concat_ws('|', record_id, ordinal, table_name, reason, field, value, fragment)
        from etl.failed_records join etl.runs using (run_id)
        where resolved_at is null and not dry_run order by failed_record_id";
    pipeline.column(query).await
}

/// Neither the ledger nor the log has anything of the value.
async fn is_discreet(pipeline: &Pipeline, ran: &Ran) {
    assert!(!ran.stderr.contains("Hidden") && !ran.stdout.contains("Hidden"), "{}", ran.stderr);
    let ledger = "select count(*) from (select f::text from etl.failed_records f union all
            select r::text from etl.runs r union all select g::text from etl.guards g
            union all select s::text from etl.steps s) as t(line) where line like '%Hidden%'";
    assert_eq!(pipeline.one(ledger).await, "0");
}

#[tokio::test]
async fn a_check_fails_its_record_and_the_older_good_one_counts() {
    let constraint = format!("alter table oca_parties add constraint discreet check (role <> '{PRIVATE}')");
    let pipeline = pipeline("refused check", &constraint).await;
    pipeline.put(
        Extract::weekly("2024-01-08")
            .case("a", &party("first"))
            .case("b", &party("good"))
            .case("a", &party(PRIVATE))
            .case("bad", "<FiledDate>soon</FiledDate>")
            .case("old", &party("newer"))
            .case("c", &party(PRIVATE)),
    );
    let ran = pipeline.run().await.exits(3).says("constraint discreet of oca_parties refuses it (2)");
    is_discreet(&pipeline, &ran).await;
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (3, 3));
    assert_eq!(cases(&pipeline).await, ["a", "b", "old"]);
    let roles =
        "select string_agg(indexnumberid || ' ' || role, ', ' order by indexnumberid) from oca_parties";
    assert_eq!(pipeline.one(roles).await, "a first, b good, old newer");
    assert_eq!(
        open(&pipeline).await[1..],
        [
            "a|3|oca_parties|constraint discreet of oca_parties refuses it",
            "c|6|oca_parties|constraint discreet of oca_parties refuses it"
        ]
    );
    let counts =
        "select concat_ws(' ', status, records_seen, records_loaded, records_failed, records_superseded)
        from etl.parts order by part_id desc limit 1";
    assert_eq!(pipeline.one(counts).await, "done_with_failures 6 3 3 0");
    // The failed record has its place in the document, as if it could not be read.
    let document = Extract::weekly("2024-01-08")
        .case("a", &party("first"))
        .case("b", &party("good"))
        .case("a", &party(PRIVATE))
        .document();
    let place = pipeline.one("select offset_bytes from etl.failed_records where record_id = 'a'").await;
    let place: usize = place.parse().unwrap();
    assert!(document[place..].starts_with("<Index><IndexNumberId>a<"), "{}", &document[place..]);
    assert_eq!(document[place..].matches("<Index>").count(), 1);

    // The record is shown, refused again, and loaded once the constraint is gone.
    let shown = pipeline.other(&["failures"]).await.exits(0);
    shown.says("2 open: constraint discreet of oca_parties refuses it");
    let ran = pipeline.other(&["retry", "oca"]).await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (0, 3));
    assert_eq!(open(&pipeline).await.len(), 3);
    assert_eq!(pipeline.one(roles).await, "a first, b good, old newer");
    pipeline.execute("alter table oca_parties drop constraint discreet").await;
    let ran = pipeline.other(&["retry", "oca"]).await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (2, 1));
    assert_eq!(open(&pipeline).await.len(), 1);
    assert_eq!(cases(&pipeline).await, ["a", "b", "c", "old"]);
    let a = format!("a {PRIVATE}, b good, c {PRIVATE}, old newer");
    assert_eq!(pipeline.one(roles).await, a);
    pipeline.other(&["reprocess", "oca", "*2024-01-08*"]).await.exits(3);
    assert_eq!(pipeline.one(roles).await, a);
}

#[tokio::test]
async fn a_delete_that_is_refused_stops_the_run() {
    for deferred in ["", " deferrable initially deferred"] {
        let notes = format!(
            "create schema other; create table other.notes (id text constraint noted references oca_index{deferred});
             insert into other.notes values ('old')"
        );
        let pipeline = pipeline(&format!("refused delete{deferred}"), &notes).await;
        let before = pipeline.tables("public").await;
        // A refused record in the same batch does not hide the refused delete.
        pipeline.execute("alter table oca_index add constraint late check (status = 'kept') not valid").await;
        pipeline.put(Extract::weekly("2024-01-08").case("a", &status("kept")).delete("old"));
        for _ in 0..2 {
            let ran =
                pipeline.run_with(&["--allow", "drop"]).await.exits(1).says("The database is unchanged.");
            ran.says("promote").says("foreign key noted of other.notes").says("on delete cascade");
            assert_eq!(pipeline.tables("public").await, before);
            assert!(open(&pipeline).await.iter().all(|record| record.starts_with("bad|")));
            pipeline.put(Extract::weekly("2024-01-09").case("bad", &status("bad")));
        }
        pipeline.execute("delete from other.notes").await;
        pipeline.run_with(&["--allow", "drop"]).await.exits(3);
        assert_eq!(cases(&pipeline).await, ["a"]);
    }
}

fn many(extract: Extract, count: usize, bad: impl Fn(usize) -> Option<String>) -> Extract {
    (0..count).fold(extract, |extract, number| {
        let role = bad(number).unwrap_or_else(|| format!("role {number}"));
        extract.case(&format!("case {number}"), &party(&role))
    })
}

#[tokio::test]
async fn more_than_may_fail_is_a_breach_that_names_the_constraint() {
    for (hint, constraint, name) in [
        ("check", "alter table oca_parties add constraint odd check (role <> 'bad')", "odd"),
        ("unique", "alter table oca_parties add constraint one unique (role)", "one"),
    ] {
        let pipeline = pipeline(&format!("refused budget {hint}"), constraint).await;
        let before = pipeline.tables("public").await;
        let bad = |number: usize| number.is_multiple_of(10).then(|| "bad".to_owned());
        pipeline.put(many(Extract::weekly("2024-01-08"), 60, bad));
        let ran =
            pipeline.run_with(&["--max-failures", "3"]).await.exits(1).says("The database is unchanged.");
        ran.says("guard failures: at least 4 of 60 records failed").says(name).says("--allow failures");
        assert_eq!(pipeline.tables("public").await, before);
        let guard = "select concat_ws('|', name, passed, threshold) from etl.guards
            where run_id = (select run_id from etl.runs order by started_at desc limit 1)";
        assert_eq!(pipeline.one(guard).await, "failures|f|at most 3 failed records");
        assert_eq!(open(&pipeline).await.len(), 4, "the records that were found are listed");
        // A dry run says the same.
        let dry = pipeline.run_with(&["--max-failures", "3", "--dry-run"]).await.exits(1);
        dry.says("guard failures: at least 4 of 60 records failed").says(name);
        let all = if hint == "check" { 6 } else { 5 };
        let ran = pipeline.run_with(&["--max-failures", "3", "--allow", "failures"]).await.exits(3);
        assert_eq!(ran.count("records_failed"), all);
        assert_eq!(open(&pipeline).await.len() as u64, all);
    }
}

#[tokio::test]
async fn fail_fast_stops_at_the_first_and_a_dry_run_says_what_the_real_one_does() {
    let constraint = "alter table oca_parties add constraint odd check (role <> 'bad')";
    let pipeline = pipeline("refused dry run", constraint).await;
    let extract = Extract::weekly("2024-01-08").case("a", &party("x")).case("bad 1", &party("bad"));
    pipeline.put(extract.case("bad 2", &party("bad")).case("old", &party("newer")));
    let before = pipeline.tables("public").await;
    let ran = pipeline.run_with(&["--fail-fast"]).await.exits(1).says("The database is unchanged.");
    ran.says("record 2 (bad 1): constraint odd of oca_parties refuses it");
    assert_eq!(open(&pipeline).await.len(), 1);
    let dry =
        pipeline.run_with(&["--dry-run"]).await.exits(3).says("constraint odd of oca_parties refuses it (2)");
    assert_eq!(pipeline.tables("public").await, before);
    let real = pipeline.run().await.exits(3);
    for name in ["records_loaded", "records_failed", "records_superseded"] {
        assert_eq!(dry.count(name), real.count(name), "{name}");
    }
    assert_eq!(real.count("records_failed"), 2);
    let changes = |dry: bool| {
        format!(
            "select string_agg(concat_ws(' ', table_name, inserted, replaced, deleted, rows_after), ', ' order by table_name)
             from etl.table_changes where run_id = (
                 select run_id from etl.runs where dry_run = {dry} order by started_at desc limit 1)"
        )
    };
    assert_eq!(pipeline.one(&changes(true)).await, pipeline.one(&changes(false)).await);
    assert_eq!(open(&pipeline).await.len(), 2);
}

/// The first run of all, which makes the tables itself, and a batch of which no record is left.
#[tokio::test]
async fn the_first_run_and_a_batch_without_a_good_record() {
    let pipeline = Pipeline::new("refused first").await;
    pipeline
        .execute(
            "create function refuse() returns event_trigger language plpgsql as $$
                 begin
                     if exists (select from pg_event_trigger_ddl_commands()
                                where object_identity = 'public.oca_parties') then
                         alter table public.oca_parties add constraint odd check (role <> 'bad');
                     end if;
                 end $$;
             create event trigger refuse on ddl_command_end when tag in ('CREATE TABLE') execute function refuse()",
        )
        .await;
    pipeline.put(Extract::weekly("2024-01-01").case("bad", &party("bad")));
    pipeline.run().await.exits(3);
    assert_eq!(cases(&pipeline).await, Vec::<String>::new());
    pipeline.put(Extract::weekly("2024-01-08").case("a", &party("a")));
    pipeline.run().await.exits(0);
    assert_eq!(cases(&pipeline).await, ["a"]);
}
