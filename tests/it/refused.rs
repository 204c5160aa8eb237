//! Records that the database refuses: each kind of constraint that somebody may have put on our tables fails the record
//! that breaks it, and no other.

use std::time::{Duration, Instant};

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};

/// A value that must be seen nowhere but in the file.
const PRIVATE: &str = "4 Hidden Lane";

fn status(text: &str) -> String {
    format!("<Status>{text}</Status>")
}

fn party(role: &str) -> String {
    format!("<Parties><Party><Role>{role}</Role><PartyType>x</PartyType></Party></Parties>")
}

/// A production with one case, which a constraint is then put on.
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

/// The open failed records of real runs, in words.
async fn open(pipeline: &Pipeline) -> Vec<String> {
    let query = "select concat_ws('|', record_id, ordinal, table_name, reason, field, value, fragment)
        from etl.failed_records join etl.runs using (run_id)
        where resolved_at is null and not dry_run order by failed_record_id";
    pipeline.column(query).await
}

/// Nothing of the value is in the ledger or the log.
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
        from etl.files order by file_id desc limit 1";
    assert_eq!(pipeline.one(counts).await, "done_with_failures 6 3 3 0");
    // Where it is in the document, as for a record that could not be read.
    let document = Extract::weekly("2024-01-08")
        .case("a", &party("first"))
        .case("b", &party("good"))
        .case("a", &party(PRIVATE))
        .document();
    let place = pipeline.one("select offset_bytes from etl.failed_records where record_id = 'a'").await;
    let place: usize = place.parse().unwrap();
    assert!(document[place..].starts_with("<Index><IndexNumberId>a<"), "{}", &document[place..]);
    assert_eq!(document[place..].matches("<Index>").count(), 1);

    // Shown, refused again, and loaded once the constraint is gone.
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

/// Each with the statement that makes it, and the words of the failed record. Of these three, the first two cases pass.
#[tokio::test]
async fn each_kind_of_constraint_on_a_rows_own_values() {
    for (hint, constraint, inside, table, reason) in [
        (
            "not null",
            "alter table oca_parties alter column role set not null",
            "<Parties><Party><PartyType>x</PartyType></Party></Parties>".to_owned(),
            "oca_parties",
            "column role of oca_parties takes no NULL",
        ),
        (
            "domain",
            "create domain base_role as text;
             create domain short_role as base_role constraint short check (length(value) < 10);
             alter table oca_parties alter column role type short_role",
            party(PRIVATE),
            "oca_parties",
            "constraint short of oca_parties refuses it",
        ),
        (
            "two columns",
            "alter table oca_index add constraint \"Odd, one\" check (court is not null or status <> 'it''s : $1')",
            status("it's : $1"),
            "oca_index",
            "constraint Odd, one of oca_index refuses it",
        ),
        (
            "not valid",
            "alter table oca_index add constraint late check (status = 'kept') not valid",
            status("other"),
            "oca_index",
            "constraint late of oca_index refuses it",
        ),
        (
            // Its value is known to the server alone.
            "their own column",
            "alter table oca_index add owner text default 'us', add constraint theirs check (owner || status <> 'usbad')",
            status("bad"),
            "oca_index",
            "constraint theirs of oca_index refuses it",
        ),
        (
            // The trigger mends one of them before the constraint looks.
            "a trigger before",
            "create function mend() returns trigger language plpgsql as $$
                 begin if new.indexnumberid = 'b' then new.status := 'kept'; end if; return new; end $$;
             create trigger mend before insert or update on oca_index for each row execute function mend();
             alter table oca_index add constraint late check (status = 'kept')",
            status("bad"),
            "oca_index",
            "constraint late of oca_index refuses it",
        ),
    ] {
        let pipeline = pipeline(&format!("refused {hint}"), constraint).await;
        let other = if hint == "a trigger before" { status("bad") } else { status("kept") };
        let extract = Extract::weekly("2024-01-08").case("b", &other).case("old", &status("kept"));
        pipeline.put(extract.case("bad", &inside));
        let ran = pipeline.run().await.exits(3);
        is_discreet(&pipeline, &ran).await;
        assert_eq!(open(&pipeline).await, [format!("bad|3|{table}|{reason}")], "{hint}");
        assert_eq!(cases(&pipeline).await, ["b", "old"], "{hint}");
    }
}

/// A row that is not loaded at all breaks the expression itself.
#[tokio::test]
async fn an_expression_that_cannot_be_tried_on_all_rows() {
    let constraint = "alter table oca_index add constraint fraught check (1 / (length(status) - 6) <> 1)";
    let pipeline = pipeline("refused fraught", constraint).await;
    pipeline.put(Extract::weekly("2023-12-01").case("old", &status("sixsix")));
    pipeline.put(Extract::weekly("2024-01-08").case("a", &status("kept")).case("bad", &status("seven77")));
    pipeline.run().await.exits(3);
    assert_eq!(open(&pipeline).await, ["bad|2|oca_index|constraint fraught of oca_index refuses it"]);
    assert_eq!(cases(&pipeline).await, ["a", "old"]);
}

#[tokio::test]
async fn of_two_cases_with_one_value_the_later_fails() {
    let unique = "alter table oca_index add constraint one_status unique (status)";
    let pipeline = pipeline("refused unique", unique).await;
    // Against production, within a file, and across files of a batch; the one that has it may take it anew.
    pipeline.put(
        Extract::weekly("2024-01-08")
            .case("production", &status("kept"))
            .case("a", &status("a"))
            .case("b", &status("b"))
            .case("twice", &status("a"))
            .case("old", &status("kept")),
    );
    pipeline.put(Extract::weekly("2024-01-15").case("across", &status("b")).case("d", &status("d")));
    let ran = pipeline.run().await.exits(3).says("constraint one_status of oca_index refuses it (3)");
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (4, 3));
    assert_eq!(cases(&pipeline).await, ["a", "b", "d", "old"]);
    let reason = "oca_index|constraint one_status of oca_index refuses it";
    let expected = ["production|1", "twice|4", "across|1"].map(|place| format!("{place}|{reason}"));
    assert_eq!(open(&pipeline).await, expected);
    // Its value is free when the other one is deleted.
    pipeline.put(Extract::weekly("2024-01-22").delete("a").case("again", &status("a")));
    pipeline.run_with(&["--allow", "drop"]).await.exits(0);
    assert_eq!(cases(&pipeline).await, ["again", "b", "d", "old"]);
}

/// A row that goes in the same batch does not stand in the way of another record's.
#[tokio::test]
async fn a_value_that_another_record_gives_up_is_free() {
    let unique = "alter table oca_parties add constraint one_role unique (role);
        alter table oca_parties add constraint odd check (role <> 'odd' or random() < 0)";
    let pipeline = pipeline("refused moved", unique).await;
    pipeline.put(
        Extract::weekly("2024-01-08")
            .case("takes", &party("kept"))
            .case("old", &party("moved"))
            .case("also", &party("moved"))
            .case("fine", &party("fine")),
    );
    pipeline.run().await.exits(3);
    let reason = "oca_parties|constraint one_role of oca_parties refuses it";
    assert_eq!(open(&pipeline).await, [format!("also|3|{reason}")]);
    assert_eq!(cases(&pipeline).await, ["fine", "old", "takes"]);
}

#[tokio::test]
async fn exclusion_foreign_keys_partitions_triggers_and_deferred_constraints() {
    for (hint, constraint, reason) in [
        (
            "exclude",
            "alter table oca_parties add constraint alone exclude (role with =) where (role = 'bad')
                deferrable initially deferred;
             insert into oca_index (indexnumberid) values ('there');
             insert into oca_parties (indexnumberid, role) values ('there', 'bad')",
            "constraint alone of oca_parties refuses it",
        ),
        (
            "foreign key",
            "create table roles (role text primary key); insert into roles values ('kept'), ('good'), ('newer');
             alter table oca_parties add constraint known foreign key (role) references roles",
            "constraint known of oca_parties refuses it",
        ),
        (
            "deferred",
            "create table roles (role text primary key); insert into roles values ('kept'), ('good'), ('newer');
             alter table oca_parties add constraint known foreign key (role) references roles
                deferrable initially deferred",
            "constraint known of oca_parties refuses it",
        ),
        (
            "partition",
            "drop table oca_parties;
             create table oca_parties (indexnumberid text references oca_index on delete cascade, role text,
                 partytype text, representationtype text, undertenant text) partition by list (role);
             create table of_kept partition of oca_parties for values in ('kept', 'good', 'newer');
             insert into oca_parties values ('old', 'kept', 'x')",
            "no partition of oca_parties takes it",
        ),
        (
            "trigger",
            "create function refuse() returns trigger language plpgsql as $$
                 begin
                     if new.role = 'bad' then
                         raise 'no % here, 4 Hidden Lane', new.role using errcode = 'integrity_constraint_violation';
                     end if;
                     return new;
                 end $$;
             create trigger refuse after insert on oca_parties for each row execute function refuse()",
            "the database refuses it (SQLSTATE 23000)",
        ),
        (
            // It is no delete that is refused, although the key is not on a table of ours.
            "trigger with a key",
            "create table roles (role text primary key); insert into roles values ('kept'), ('good'), ('newer');
             create table audit (role text constraint known references roles);
             create function note() returns trigger language plpgsql as $$
                 begin insert into public.audit values (new.role); return new; end $$;
             create trigger note after insert on oca_parties for each row execute function note()",
            "constraint known of audit refuses it",
        ),
    ] {
        let pipeline = pipeline(&format!("refused {hint}"), constraint).await;
        let extract = Extract::weekly("2024-01-08").case("a", &party("good")).case("bad", &party("bad"));
        pipeline.put(extract.case("old", &party("newer")));
        let ran = pipeline.run_with(&["--skip-publish"]).await.exits(3).says(reason);
        is_discreet(&pipeline, &ran).await;
        let open = open(&pipeline).await;
        assert!(open.len() == 1 && open[0].starts_with("bad|2|") && open[0].ends_with(reason), "{hint} {open:?}");
        let cases = cases(&pipeline).await;
        assert!(!cases.contains(&"bad".to_owned()) && cases.contains(&"a".to_owned()), "{hint} {cases:?}");
        let newer = "select role from oca_parties where indexnumberid = 'old'";
        assert_eq!(pipeline.one(newer).await, "newer", "{hint}");
    }
}

/// Tables that the plan keeps itself are no exception.
#[tokio::test]
async fn a_constraint_on_the_metadata() {
    let constraint = "alter table oca_metadata add constraint odd check (indexnumberid <> 'bad')";
    let pipeline = pipeline("refused metadata", constraint).await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", "").case("bad", "").case("c", ""));
    pipeline.run().await.exits(3);
    assert_eq!(open(&pipeline).await, ["bad|2|oca_metadata|constraint odd of oca_metadata refuses it"]);
    assert_eq!(cases(&pipeline).await, ["a", "c", "old"]);
    // Here it is a delete that is refused.
    pipeline.put(Extract::weekly("2024-01-15").delete("bad").case("d", ""));
    pipeline.run().await.exits(1).says("constraint odd").says("The database is unchanged.");
    assert_eq!(cases(&pipeline).await, ["a", "c", "old"]);
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
        // A record that is refused, too, does not hide it.
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
        let bad = |number: usize| (number % 10 == 0).then(|| "bad".to_owned());
        pipeline.put(many(Extract::weekly("2024-01-08"), 60, bad));
        let ran =
            pipeline.run_with(&["--max-failures", "3"]).await.exits(1).says("The database is unchanged.");
        ran.says("guard failures: at least 4 of 60 records failed").says(name).says("--allow failures");
        assert_eq!(pipeline.tables("public").await, before);
        let guard = "select concat_ws('|', name, passed, threshold) from etl.guards
            where run_id = (select run_id from etl.runs order by started_at desc limit 1)";
        assert_eq!(pipeline.one(guard).await, "failures|f|at most 3 failed records");
        assert_eq!(open(&pipeline).await.len(), 4, "those that were found are listed");
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

/// When the later record is out, an older one of its case counts, which may be refused, too; and there may be two kinds.
#[tokio::test]
async fn what_is_refused_the_second_time_is_left_out_then() {
    let constraint = "alter table oca_parties add constraint odd check (role not like 'bad%');
        alter table oca_parties add constraint one unique (role)";
    let pipeline = pipeline("refused twice", constraint).await;
    let extract = Extract::weekly("2024-01-08").case("a", &party("good")).case("b", &party("x"));
    let extract = extract.case("a", &party("bad 1")).case("a", &party("bad 2")).case("a", &party("bad 3"));
    pipeline.put(extract.case("c", &party("x")).case("d", &party("d")));
    let ran = pipeline.run().await.exits(3);
    assert_eq!((ran.count("records_loaded"), ran.count("records_failed")), (3, 4));
    let roles =
        "select string_agg(indexnumberid || ' ' || role, ', ' order by indexnumberid) from oca_parties";
    assert_eq!(pipeline.one(roles).await, "a good, b x, d d, old kept");
}

/// The first run of all, whose tables are made by it, and a batch of which nothing is left.
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

/// However many there are: one statement a table.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn what_a_rows_own_values_decide_is_not_searched_for() {
    let constraint = "alter table oca_parties add constraint odd check (role <> 'bad')";
    let pipeline = pipeline("refused at once", constraint).await;
    pipeline
        .put(many(Extract::weekly("2024-01-08"), 100, |number| (number % 2 == 0).then(|| "bad".to_owned())));
    let trace = pipeline.folder().join("trace");
    let faults = format!("*=trace {}", trace.display());
    let ran = pipeline.start_with(&["--max-failures", "50%"], &[("FAULTS", &faults)]).await.unwrap().exits(3);
    assert_eq!(ran.count("records_failed"), 50);
    let trace = std::fs::read_to_string(trace).unwrap();
    assert_eq!(trace.lines().filter(|point| *point == "promote.attempt").count(), 1);
}

#[tokio::test]
async fn thousands_of_cases_with_a_handful_of_offenders() {
    let constraint = "alter table oca_parties add constraint one unique (role)";
    let pipeline = pipeline("refused many", constraint).await;
    let bad = |number: usize| (number % 997 == 5).then(|| "kept".to_owned());
    pipeline.put(many(Extract::weekly("2024-01-08"), 6000, bad));
    let began = Instant::now();
    let ran = pipeline.run().await.exits(3);
    let duration = began.elapsed();
    assert_eq!(ran.count("records_failed"), 7);
    println!("7 of 6000 refused: {duration:?}");
    assert!(duration < Duration::from_secs(60), "{duration:?}");
}

/// Killed, or broken, in the middle of the search: nothing of it stays, and the next run does it again.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_search_that_is_broken_leaves_nothing() {
    let constraint = "alter table oca_parties add constraint one unique (role)";
    let pipeline = pipeline("refused broken", constraint).await;
    let before = pipeline.tables("public").await;
    let bad = |number: usize| (number == 7).then(|| "kept".to_owned());
    pipeline.put(many(Extract::weekly("2024-01-08"), 16, bad));
    for point in [
        "promote.refused",
        "promote.attempt@1",
        "promote.attempt@2",
        "promote.attempt@5",
        "promote.found",
        "parse.begin@2",
        "promote.before_commit",
    ] {
        for action in ["kill", "fail"] {
            let ran = pipeline.start_with(&[], &[("FAULTS", &format!("{point}={action}"))]).await.unwrap();
            assert!([1, -1].contains(&ran.code), "{point} {action}: {}", ran.stderr);
            assert_eq!(pipeline.tables("public").await, before, "{point} {action}");
            let left = "select count(*) from pg_tables where schemaname like 'pg_temp%'";
            let start = Instant::now();
            while pipeline.one(left).await != "0" && start.elapsed() < Duration::from_secs(10) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(pipeline.one(left).await, "0", "{point} {action}");
        }
    }
    // The sessions of a process that was killed go a moment later.
    let mut code = 75;
    while code == 75 {
        code = pipeline.start(&[]).await.unwrap().code;
    }
    assert_eq!(code, 3);
    assert_eq!(open(&pipeline).await, ["case 7|8|oca_parties|constraint one of oca_parties refuses it"]);
    assert_eq!(cases(&pipeline).await.len(), 16);
}
