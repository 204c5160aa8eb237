//! Triggers, rules and children that swallow, change or bring back rows.

use super::{parties, refused, two_weeks};
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

/// Functions that triggers call.
const FUNCTIONS: &str = "
    create function public.swallow() returns trigger language plpgsql as $$ begin return null; end $$;
    create function public.alter_role() returns trigger language plpgsql as
        $$ begin new.role := 'Respondent'; return new; end $$;
    create function public.bring_back() returns trigger language plpgsql as
        $$ begin insert into public.oca_index (indexnumberid) values (old.indexnumberid); return null; end $$;
    create function public.take_out() returns trigger language plpgsql as
        $$ begin delete from public.oca_index where indexnumberid = 'c'; return null; end $$;
    create function public.again() returns trigger language plpgsql as
        $$ begin update etl.parts set status = 'pending' where part_id = new.part_id; return null; end $$;
    create table public.log (what text);
    create function public.log() returns trigger language plpgsql as
        $$ begin insert into public.log values (tg_op); return coalesce(new, old); end $$;";

/// An object that somebody puts on a table, and the run's message about it.
struct Thing {
    put: &'static str,
    take_off: &'static str,
    says: &'static [&'static str],
}

const fn thing(put: &'static str, take_off: &'static str, says: &'static [&'static str]) -> Thing {
    Thing { put, take_off, says }
}

async fn each_is_refused(pipeline: &Pipeline, things: &[Thing]) {
    for Thing { put, take_off, says } in things {
        pipeline.execute(put).await;
        refused(pipeline, says).await;
        pipeline.execute(take_off).await;
    }
}

/// Both weeks were loaded.
async fn passes(pipeline: &Pipeline) {
    pipeline.run_with(&["--max-drop", "100"]).await.exits(0);
    assert_eq!(pipeline.column("select indexnumberid from oca_index order by 1").await, ["a", "c"]);
    assert_eq!(pipeline.one("select count(*) || min(role) from oca_parties").await, "4Petitioner");
    assert_eq!(pipeline.one("select count(*) from oca_metadata where deletedate is not null").await, "1");
}

#[tokio::test]
async fn rows_that_a_trigger_swallows() {
    let pipeline = Pipeline::new("swallowing triggers").await;
    two_weeks(&pipeline).await;
    pipeline.execute(FUNCTIONS).await;
    let things = [
        thing(
            "create trigger no before insert on oca_parties for each row execute function swallow()",
            "drop trigger no on oca_parties",
            &["oca_parties: 4 rows to insert, and the server reports 0; oca_parties has trigger no ("],
        ),
        thing(
            "create trigger no before insert on oca_index for each row execute function swallow()",
            "drop trigger no on oca_index",
            &["oca_index: 1 row to insert, and the server reports 0; oca_index has trigger no ("],
        ),
        thing(
            "create trigger no before update on oca_index for each row execute function swallow()",
            "drop trigger no on oca_index",
            &["oca_index: 1 row to update, and the server reports 0; oca_index has trigger no ("],
        ),
        thing(
            "create trigger no before delete on oca_index for each row execute function swallow()",
            "drop trigger no on oca_index",
            &["oca_index: deleted records still have 1 row; oca_index has trigger no ("],
        ),
        thing(
            "create trigger no before delete on oca_parties for each row execute function swallow()",
            "drop trigger no on oca_parties",
            &["oca_parties: 0 rows of this batch", "and 3 rows there", "oca_parties has trigger no ("],
        ),
        thing(
            "create trigger no before insert on oca_metadata for each row execute function swallow()",
            "drop trigger no on oca_metadata",
            &["oca_metadata: 1 row to insert, and the server reports 0; oca_metadata has trigger no ("],
        ),
        thing(
            "create trigger no before update on oca_metadata for each row when (new.deletedate is not null)
                execute function swallow()",
            "drop trigger no on oca_metadata",
            &["oca_metadata: 2 rows to update, and the server reports 1; oca_metadata has trigger no ("],
        ),
        thing(
            "create table oca_parties_old () inherits (oca_parties); insert into oca_parties_old values ('a', 'Old');
             create trigger no before delete on oca_parties_old for each row execute function swallow()",
            "drop table oca_parties_old",
            &["oca_parties: ", "child public.oca_parties_old (inherits oca_parties); trigger no ("],
        ),
    ];
    each_is_refused(&pipeline, &things).await;
    passes(&pipeline).await;
}

#[tokio::test]
async fn rows_that_a_rule_swallows() {
    let pipeline = Pipeline::new("swallowing rules").await;
    two_weeks(&pipeline).await;
    let things = [
        thing(
            "create rule no as on insert to oca_parties do instead nothing",
            "drop rule no on oca_parties",
            &["oca_parties: 4 rows to insert, and the server reports 0; oca_parties has rule no ("],
        ),
        thing(
            "create rule no as on update to oca_index do instead nothing",
            "drop rule no on oca_index",
            &["oca_index: 1 row to update, and the server reports 0; oca_index has rule no ("],
        ),
        thing(
            "create rule no as on delete to oca_parties do instead nothing",
            "drop rule no on oca_parties",
            &["SQLSTATE 0A000", "oca_parties has rule no (", "drop the rule"],
        ),
        thing(
            "create rule no as on delete to oca_index where old.indexnumberid = 'b' do instead nothing",
            "drop rule no on oca_index",
            &["SQLSTATE 0A000", "oca_index has rule no (", "drop the rule"],
        ),
        thing(
            "create rule no as on insert to oca_metadata do instead nothing",
            "drop rule no on oca_metadata",
            &["SQLSTATE 0A000", "oca_metadata has rule no ("],
        ),
    ];
    each_is_refused(&pipeline, &things).await;
    passes(&pipeline).await;
}

/// The server's counts are right, but the rows are wrong.
#[tokio::test]
async fn contents_that_are_wrong_behind_right_numbers() {
    let pipeline = Pipeline::new("wrong contents").await;
    two_weeks(&pipeline).await;
    pipeline.execute(FUNCTIONS).await;
    let things = [
        thing(
            "create trigger other before insert on oca_parties for each row execute function alter_role()",
            "drop trigger other on oca_parties",
            &["oca_parties: 4 rows of this batch", "and 4 rows there", "oca_parties has trigger other ("],
        ),
        thing(
            "create trigger back after delete on oca_index for each row execute function bring_back()",
            "drop trigger back on oca_index",
            &["oca_index: deleted records still have 1 row; oca_index has trigger back ("],
        ),
        thing(
            "create constraint trigger late after insert on oca_index deferrable initially deferred
                for each row when (new.indexnumberid = 'c') execute function take_out()",
            "drop trigger late on oca_index",
            &["oca_index: 1 row of this batch not there", "oca_index has trigger late ("],
        ),
        thing(
            "create constraint trigger late after delete on oca_index deferrable initially deferred
                for each row execute function bring_back()",
            "drop trigger late on oca_index",
            &["oca_index: 0 rows of", "and 1 row there but not staged; oca_index has trigger late ("],
        ),
        thing(
            "create function forget() returns trigger language plpgsql as
                $$ begin new.deletedate := null; return new; end $$;
             create trigger forget before update on oca_metadata for each row execute function forget()",
            "drop function forget cascade",
            &["oca_metadata: 1 row of this batch", "oca_metadata has trigger forget ("],
        ),
    ];
    each_is_refused(&pipeline, &things).await;
    passes(&pipeline).await;
}

#[tokio::test]
async fn what_the_ledger_does_not_keep() {
    let pipeline = Pipeline::new("swallowing ledger").await;
    two_weeks(&pipeline).await;
    pipeline.execute(FUNCTIONS).await;
    let things = [
        thing(
            "create trigger no before update on etl.parts for each row when (new.status = 'done')
                execute function swallow()",
            "drop trigger no on etl.parts",
            &["parts: 1 row to update, and the server reports 0; parts has trigger no ("],
        ),
        thing(
            "create constraint trigger late after update on etl.parts deferrable initially deferred
                for each row when (new.status = 'done') execute function again()",
            "drop trigger late on etl.parts",
            &["parts: 1 row of", "parts has trigger late ("],
        ),
        thing(
            "create trigger no before insert on etl.record_origins for each row execute function swallow()",
            "drop trigger no on etl.record_origins",
            &["record_origins: 2 rows to insert, and the server reports 0"],
        ),
        thing(
            "create trigger no before delete on etl.record_origins for each row execute function swallow()",
            "drop trigger no on etl.record_origins",
            &["record_origins: deleted records still have 1 row"],
        ),
        thing(
            "create trigger no before insert on etl.table_changes for each row execute function swallow()",
            "drop trigger no on etl.table_changes",
            &["of 13 rows for the ledger's table_changes, the server reports 0"],
        ),
    ];
    each_is_refused(&pipeline, &things).await;
    passes(&pipeline).await;
    // Failed records are noted before anything else.
    let bad = "<FiledDate>2024-02-30</FiledDate>";
    pipeline.put(Extract::weekly("2024-03-18").case("d", bad));
    let noted = thing(
        "create trigger no before insert on etl.failed_records for each row execute function swallow()",
        "drop trigger no on etl.failed_records",
        &["of 1 row for the ledger's failed_records, the server reports 0", "a trigger"],
    );
    each_is_refused(&pipeline, &[noted]).await;
    pipeline.run().await.exits(3);
}

/// Objects that only watch do not stop a run.
#[tokio::test]
async fn an_audit_is_no_offence() {
    let pipeline = Pipeline::new("audit").await;
    two_weeks(&pipeline).await;
    pipeline.execute(FUNCTIONS).await;
    pipeline
        .execute(
            "alter table oca_parties add note text;
             create function note() returns trigger language plpgsql as $$ begin new.note := 'seen'; return new; end $$;
             create trigger note before insert on oca_parties for each row execute function note();
             create trigger audit after insert or update or delete on oca_index for each row execute function log();
             create trigger audit after insert or update or delete on oca_metadata for each row execute function log();
             create constraint trigger late after insert on oca_parties deferrable initially deferred
                for each row execute function log();
             create rule audit as on insert to oca_events do also insert into log values ('event');
             create trigger never before insert on oca_parties for each row execute function swallow();
             alter table oca_parties disable trigger never;
             alter table oca_parties alter role set data type text collate \"C\"",
        )
        .await;
    passes(&pipeline).await;
    assert_eq!(pipeline.one("select count(*) from log").await, (3 + 3 + 4).to_string());
    assert_eq!(pipeline.one("select count(note) from oca_parties").await, "4");
    // A case that is not promoted is not compared.
    pipeline.put(Extract::weekly("2024-02-05").case("a", &parties(5)));
    passes(&pipeline).await;
}

#[tokio::test]
async fn rows_that_somebody_deleted_are_not_counted_for_ever() {
    let pipeline = Pipeline::new("deleted by hand").await;
    let first = (0..20).fold(Extract::weekly("2024-03-04"), |extract, number| {
        extract.case(&format!("case {number:02}"), &parties(2))
    });
    pipeline.put(first);
    pipeline.run().await.exits(0);
    let before = "select string_agg(rows_before::text, ' ' order by table_name) from etl.table_changes
        where table_name in ('oca_index', 'oca_parties') and run_id =
            (select run_id from etl.runs order by started_at desc limit 1)";
    pipeline.execute("delete from oca_index where indexnumberid < 'case 05'").await;
    pipeline.put(Extract::weekly("2024-03-11").case("new", &parties(1)));
    let ran = pipeline.run().await.exits(0);
    let ran = ran.says("oca_index has 16 rows, and the ledger expected 21");
    let ran = ran.says("oca_parties has 31 rows, and the ledger expected 41");
    assert!(!ran.stderr.contains("oca_metadata has"), "{}", ran.stderr);
    assert_eq!(pipeline.one(before).await, "20 40");
    pipeline.put(Extract::weekly("2024-03-18").case("newer", &parties(1)));
    let ran = pipeline.run().await.exits(0);
    assert!(!ran.stderr.contains("the ledger expected"), "{}", ran.stderr);
    assert_eq!(pipeline.one(before).await, "16 31");
    // A table that is not published is not counted and keeps its last count.
    pipeline.put(Extract::weekly("2024-03-25").case("newest", &parties(1)));
    pipeline.run_with(&["--skip-publish"]).await.exits(0);
    pipeline.put(Extract::weekly("2024-04-01").case("last", &parties(1)));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one(before).await, "18 33");
}
