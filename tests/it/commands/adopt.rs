//! `adopt` takes over existing tables: it refuses tables of another shape, lists and adds what they lack, and enters
//! archived files as done.

use std::fs;

use crate::datasets::oca::rules::{dates, marked, marks};
use crate::engine::takeover::{PRODUCTION, production};
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, TABLES};

/// The keys, foreign keys and indexes of all twelve tables of a schema, whatever their names.
async fn keys(pipeline: &Pipeline, schema: &str) -> Vec<String> {
    let constraints = format!(
        "select replace(conrelid::regclass || ' ' || pg_get_constraintdef(pg_constraint.oid), '{schema}.', '')
         from pg_constraint where connamespace = '{schema}'::regnamespace and contype in ('p', 'f')
             and conrelid::regclass::text like '%oca\\_%' order by 1"
    );
    let indexes = format!(
        "select replace(regexp_replace(indexdef, 'INDEX .* ON', 'INDEX ON'), '{schema}.', '')
         from pg_indexes where schemaname = '{schema}' and tablename like 'oca\\_%' order by 1"
    );
    [pipeline.column(&constraints).await, pipeline.column(&indexes).await].concat()
}

/// A production without any key, as a program may leave it that makes tables anew.
fn keyless() -> String {
    let indexes = PRODUCTION.lines().filter(|line| !line.starts_with("create index on oca_"));
    let text: String = indexes.flat_map(|line| [line, "\n"]).collect();
    text.replace(" primary key", "")
        .replace(" references oca_index on delete cascade", "")
        .replace(" references oca_metadata", "")
}

#[tokio::test]
async fn every_column_that_differs_is_named_and_nothing_is_changed() {
    let pipeline = production("adopt shape").await;
    pipeline
        .execute(
            "drop view open_cases, parties_of_cases;
             alter table oca_index alter column court type varchar(40);
             alter table oca_causes alter column amount type double precision, drop column interestfromdate;
             alter table oca_events add column clerk text not null;
             alter table oca_motions add column filed_by text not null default 'nobody';
             alter table oca_judgments drop column withpossession,
                 add column withpossession boolean generated always as (sequence > 0) stored;
             alter table oca_warrants rename to oca_warrants_table;
             create view oca_warrants as select * from oca_warrants_table",
        )
        .await;
    let before = pipeline.tables("public").await;
    let expected = [
        "oca_index.court is character varying(40), expected text",
        "oca_causes.interestfromdate (date) is not there",
        "oca_causes.amount is double precision, expected numeric",
        "oca_events.clerk (text) is not one of ours and has no default",
        "oca_judgments.withpossession takes no value",
        "oca_warrants is a view, not a table",
    ];
    pipeline.put(Extract::weekly("2024-03-04").case("untouched", ""));
    let adopt = pipeline.other(&["adopt", "oca", "--fix"]).await;
    for ran in [pipeline.run().await, adopt] {
        let mut ran = ran.exits(1).says("The database is unchanged.");
        for words in expected {
            ran = ran.says(words);
        }
        assert!(!ran.failure().contains("filed_by"), "{}", ran.failure());
    }
    assert_eq!(pipeline.tables("public").await, before);
    assert_eq!(pipeline.one("select count(*) from etl.parts where status = 'done'").await, "0");
}

#[tokio::test]
async fn further_columns_and_another_order_do_no_harm() {
    let pipeline = production("adopt order").await;
    pipeline
        .execute(
            "alter table oca_causes drop column amount, add column note text, add column amount numeric;
             alter table oca_parties add column id bigint generated always as identity",
        )
        .await;
    let adopted = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(!adopted.stdout.contains("oca_parties"), "{}", adopted.stdout);
    pipeline
        .execute("alter table oca_causes drop column causeofactiontype, add column causeofactiontype text")
        .await;
    pipeline
        .other(&["adopt", "oca"])
        .await
        .exits(0)
        .says("oca_causes.interestfromdate is in another position");
    let cause =
        "<PrimaryClaimCauseOfActions><PrimaryClaimCauseOfAction><CauseOfActionType>Rent</CauseOfActionType>
        <Amount>800.00</Amount></PrimaryClaimCauseOfAction></PrimaryClaimCauseOfActions>";
    pipeline.put(Extract::weekly("2024-03-04").case("new", &(marked("1") + cause)));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select causeofactiontype || amount from oca_causes").await, "Rent800.00");
    assert_eq!(
        pipeline.csv("public/oca_causes.csv").columns[1..],
        ["causeofactiontype", "interestfromdate", "amount"]
    );
}

/// The statements that `adopt` shows.
fn statements(stdout: &str) -> Vec<&str> {
    let lines = stdout.lines().map(str::trim);
    lines.filter(|line| line.starts_with("alter table ") || line.starts_with("create index ")).collect()
}

#[tokio::test]
async fn what_is_missing_is_listed_with_its_sql_and_added_when_asked_for() {
    let pipeline = Pipeline::new("adopt keys").await;
    pipeline.execute(&keyless()).await;
    // One foreign key does not delete with its parent, and one was never validated.
    pipeline
        .execute(
            "alter table oca_index add primary key (indexnumberid);
             alter table oca_causes add foreign key (indexnumberid) references oca_index;
             alter table oca_events add foreign key (indexnumberid) references oca_index on delete cascade not valid;
             create index on oca_motions (indexnumberid, sequence); create index on oca_causes (amount, indexnumberid);
             create index on oca_parties (indexnumberid) where role <> ''",
        )
        .await;
    let before = keys(&pipeline, "public").await;
    let shown = pipeline.other(&["adopt", "oca"]).await.exits(0);
    for words in [
        "oca_metadata primary key (indexnumberid)",
        "oca_causes foreign key (indexnumberid) to oca_index: it does not delete with its parent",
        "oca_events foreign key (indexnumberid) to oca_index: it was never proven",
        "oca_parties index (indexnumberid)",
        "oca_addresses column geom (public.geometry(Point,4326))",
        "alter table public.oca_metadata add primary key (indexnumberid);",
        "merganser adopt oca --fix",
    ] {
        assert!(shown.stdout.contains(words), "{words}\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("create index on public.oca_motions"), "{}", shown.stdout);
    assert_eq!(keys(&pipeline, "public").await, before, "nothing is added unasked");
    // A run says the same and goes on.
    pipeline.put(Extract::weekly("2024-03-04").case("older", &marked("new")));
    let ran = pipeline.run().await.exits(0).says("oca_metadata primary key (indexnumberid)");
    assert!(ran.events.iter().any(|event| event["level"] == "WARN"), "{}", ran.stderr);

    let fixed = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    assert!(fixed.stdout.contains("Added:") && statements(&fixed.stdout).is_empty(), "{}", fixed.stdout);
    pipeline
        .execute("drop index oca_causes_amount_indexnumberid_idx, oca_parties_indexnumberid_idx, courts")
        .await;
    // Now the tables have what tables that a run makes have.
    pipeline.run_with(&["--schema", "fresh"]).await.exits(0);
    let lack = pipeline.other(&["adopt", "oca", "--schema", "fresh"]).await.exits(0);
    assert!(lack.stdout.contains("20 tables, nothing is missing"), "{}", lack.stdout);
    let mut fresh = keys(&pipeline, "fresh").await;
    fresh.iter_mut().for_each(|key| {
        if key.starts_with("CREATE INDEX ON oca_motions") {
            *key = "CREATE INDEX ON oca_motions USING btree (indexnumberid, sequence)".into();
        }
    });
    assert_eq!(keys(&pipeline, "public").await, fresh);
    let again = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    assert!(again.stdout.contains("20 tables, nothing is missing"), "{}", again.stdout);
    let ran = pipeline.run().await.exits(0);
    assert!(ran.events.iter().all(|event| event["level"] != "WARN"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_sql_that_is_shown_does_the_same() {
    let odd = "Odd \"name\" $1";
    let pipeline = Pipeline::new("adopt by hand").await.with("--schema", odd);
    let quoted = odd.replace('"', "\"\"");
    pipeline
        .execute(&format!(
            "create schema \"{quoted}\"; set search_path to \"{quoted}\", public; {}",
            keyless()
        ))
        .await;
    let shown = pipeline.other(&["adopt", "oca"]).await.exits(0);
    let shown = statements(&shown.stdout);
    assert_eq!(shown.len(), 1 + 2 + 10 + 11, "{shown:#?}");
    pipeline.execute(&shown.join("\n")).await;
    let again = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(again.stdout.contains("12 tables, nothing is missing"), "{}", again.stdout);
}

#[tokio::test]
async fn rows_that_stand_in_the_way_of_a_key_are_counted_and_a_run_lives_with_them() {
    let pipeline = Pipeline::new("adopt duplicates").await;
    pipeline.execute(&keyless()).await;
    pipeline
        .execute(
            "insert into oca_metadata values ('older', '2022-06-01', '2023-07-01', null), (null, null, null, null);
             insert into oca_index (indexnumberid, status) values ('older', 'twice');
             insert into oca_parties (indexnumberid, role) values ('nowhere', 'Petitioner')",
        )
        .await;
    let in_the_way = [
        "in its way: 1 value found more than once, 1 row without a value",
        "in its way: 1 value found more than once\n",
        "in its way: 1 row whose parent is not there",
    ];
    let shown = pipeline.other(&["adopt", "oca"]).await.exits(0);
    for words in in_the_way {
        assert!(shown.stdout.contains(words), "{words}\n{}", shown.stdout);
    }
    let before = keys(&pipeline, "public").await;
    let refused =
        pipeline.other(&["adopt", "oca", "--fix"]).await.exits(1).says("The database is unchanged.");
    refused
        .says("oca_metadata primary key (indexnumberid): 1 value found more than once, 1 row without a value")
        .says("oca_parties foreign key (indexnumberid) to oca_index: 1 row whose parent is not there");
    assert_eq!(keys(&pipeline, "public").await, before, "all or nothing");

    // The order of files goes by the latest date known of a case.
    pipeline
        .put(Extract::weekly("2023-06-15").case("older", &marked("late")).case("untouched", &marked("new")));
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_superseded")), (1, 1));
    pipeline.put(Extract::weekly("2024-03-04").case("older", &marked("new")).delete("untouched"));
    // A person must decide about a case that is there twice.
    pipeline.run().await.exits(1).says("guard duplicates oca_index");
    let ran = pipeline.run_with(&["--allow", "duplicates"]).await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_deleted")), (1, 1));
    let kept =
        "select concat_ws(' ', initialdate, updatedate, coalesce(deletedate::text, '-')) from oca_metadata
        where indexnumberid = 'older' order by 1";
    assert_eq!(pipeline.column(kept).await, ["2022-01-01 2024-03-04 -", "2022-06-01 2024-03-04 -"]);
}

#[tokio::test]
async fn tables_that_are_missing_are_made_when_asked_for() {
    let pipeline = production("adopt part").await;
    pipeline.execute("drop table oca_warrants, oca_motions").await;
    for words in [["adopt", "oca"]] {
        let ran = pipeline
            .other(&words)
            .await
            .exits(1)
            .says("oca_motions, oca_warrants")
            .says("The database is unchanged.");
        ran.says("merganser adopt oca --fix");
    }
    let rows = pipeline.one("select count(*) from oca_index").await;
    let fixed = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    assert!(fixed.stdout.contains("Made in schema public: oca_motions, oca_warrants."), "{}", fixed.stdout);
    assert_eq!(pipeline.one("select count(*) from oca_index").await, rows);
    pipeline.put(Extract::weekly("2024-03-04").case("new", &marked("1")));
    let ran = pipeline.run().await.exits(0);
    assert!(ran.events.iter().all(|event| event["level"] != "WARN"), "{}", ran.stderr);
    assert_eq!(marks(&pipeline, "new").await, "1");
}

/// Puts an extract where the older job keeps what it has processed.
fn archive(pipeline: &Pipeline, extract: Extract) -> String {
    let folder = pipeline.store().join("private");
    fs::create_dir_all(&folder).unwrap();
    extract.put(&folder);
    extract.file_name()
}

#[tokio::test]
async fn what_lies_in_the_archive_is_done() {
    let pipeline = production("adopt archive").await;
    let mut old = Vec::new();
    // The database's newest date is 2024-12-30.
    for extract in [
        Extract::initial(2022, "2022-01-01").case("untouched", &marked("archive")),
        Extract::weekly("2023-06-01").case("older", &marked("archive")).case("gone", &marked("archive")),
        Extract::weekly("2024-12-30").case("newer", &marked("archive")).delete("deleted"),
    ] {
        pipeline.put(extract.clone());
        old.push(archive(&pipeline, extract));
    }
    let next = Extract::weekly("2025-01-06").case("older", &marked("next"));
    pipeline.put(next.clone());
    archive(&pipeline, next);
    for other in ["notes.txt", "LandlordTenant.Incr.2023-06-31.zip"] {
        fs::write(pipeline.store().join("private").join(other), "").unwrap();
    }
    let files = "select concat_ws(' ', name, status, as_of, order_key, coalesce(records_seen::text, '-'))
        from etl.parts order by part_id";
    // A dry run changes nothing.
    let dry = pipeline.other(&["adopt", "oca", "--dry-run"]).await.exits(0);
    assert!(dry.stdout.contains("A dry run, rolled back."), "{}", dry.stdout);
    assert_eq!(pipeline.column(files).await, Vec::<String>::new());

    let adopted = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(
        adopted
            .stdout
            .contains("4 files of oca; up to 2024-12-30, 3 are entered as done and 0 were known before."),
        "{}",
        adopted.stdout
    );
    assert!(
        adopted.stdout.contains("newer than anything in the database: LandlordTenant.Incr.2025-01-06.zip")
    );
    let entered = [
        format!("{} done 2022-01-01 2022-01-01/0 -", old[0]),
        format!("{} done 2023-06-01 2023-06-01/1 -", old[1]),
        format!("{} done 2024-12-30 2024-12-30/1 -", old[2]),
    ];
    assert_eq!(pipeline.column(files).await, entered);
    let again = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(again.stdout.contains("0 are entered as done and 3 were known before"), "{}", again.stdout);
    assert_eq!(pipeline.column(files).await, entered);
    pipeline.other(&["status", &old[1]]).await.exits(0);

    // The next run takes only what is new.
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("files"), ran.count("records_loaded")), (1, 1));
    assert_eq!(marks(&pipeline, "older").await, "next");
    assert_eq!(
        pipeline.one("select status from oca_index where indexnumberid = 'untouched'").await,
        "as it was"
    );
    let known = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(known.stdout.contains("0 are entered as done and 4 were known before"), "{}", known.stdout);

    // Reprocessing an adopted file does not replace anything newer, and its deletions are permanent.
    let ran = pipeline.other(&["reprocess", "oca", "*2023*", "--force"]).await.exits(0);
    assert_eq!((ran.count("records_superseded"), ran.count("records_deleted")), (1, 1));
    assert_eq!(marks(&pipeline, "older").await, "next");
    let ran = pipeline.other(&["reprocess", "oca", "*2022*", "--force"]).await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_superseded")), (0, 1));
    assert_eq!(
        pipeline.one("select status from oca_index where indexnumberid = 'untouched'").await,
        "as it was"
    );
    let ran = pipeline.other(&["reprocess", "oca", "*2024*", "--force"]).await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_deleted")), (1, 1));
    assert_eq!(dates(&pipeline, "deleted").await, "2022-01-01 2023-06-01 2024-12-30");
}

#[tokio::test]
async fn files_that_the_ledger_knows_are_left_to_it() {
    let pipeline = Pipeline::new("adopt known").await;
    pipeline.put(Extract::weekly("2024-03-04").case("a", &marked("1")));
    pipeline.run().await.exits(0);
    // This file is archived, and then its promotion fails.
    pipeline.execute("alter table oca_index add constraint no_b check (indexnumberid <> 'b')").await;
    pipeline.put(Extract::weekly("2024-02-26").case("b", &marked("1")));
    pipeline.run_with(&["--fail-fast"]).await.exits(1);
    assert!(pipeline.objects().contains_key("private/LandlordTenant.Incr.2024-02-26.zip"));
    let files = "select string_agg(status, ' ' order by part_id) from etl.parts";
    assert_eq!(pipeline.one(files).await, "done pending");
    let adopted = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(adopted.stdout.contains("0 are entered as done and 2 were known"), "{}", adopted.stdout);
    assert_eq!(pipeline.one(files).await, "done pending");
    pipeline.execute("alter table oca_index drop constraint no_b").await;
    pipeline.run().await.exits(0);
    assert_eq!(marks(&pipeline, "b").await, "1");
}

#[tokio::test]
async fn an_empty_database_has_processed_nothing() {
    let pipeline = Pipeline::new("adopt empty").await;
    archive(&pipeline, Extract::weekly("2024-03-04").case("a", &marked("1")));
    let adopted = pipeline.other(&["adopt", "oca"]).await.exits(0);
    assert!(adopted.stdout.contains("Schema public has no table of oca"), "{}", adopted.stdout);
    assert!(
        adopted.stdout.contains("the database holds no case, so none of them is done"),
        "{}",
        adopted.stdout
    );
    let adopted = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    assert!(adopted.stdout.contains("Made in schema public: oca_index, oca_causes,"), "{}", adopted.stdout);
    assert!(adopted.stdout.contains("none of them is done"), "{}", adopted.stdout);
    assert_eq!(pipeline.tables("public").await.len(), TABLES.len());
    // With `--until`, the operator says up to which date files are done.
    let adopted = pipeline.other(&["adopt", "oca", "--until", "2024-03-03"]).await.exits(0);
    assert!(adopted.stdout.contains("0 are entered as done"), "{}", adopted.stdout);
    let ran = pipeline.other(&["reprocess", "oca", "*"]).await.exits(0);
    assert_eq!(ran.count("records_loaded"), 1);
}

#[tokio::test]
async fn what_an_older_program_left_on_the_public_side_is_named() {
    let pipeline = production("adopt strangers").await;
    let folder = pipeline.store().join("public");
    fs::create_dir_all(&folder).unwrap();
    for name in ["oca_addresses_private.csv", "oca_addresses_staging.csv", "oca_index.csv", "nycdb.csv"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let adopted = pipeline.other(&["adopt", "oca"]).await.exits(0);
    let named = "Look at public/oca_addresses_private.csv, public/oca_addresses_staging.csv: ";
    assert!(adopted.stdout.contains(named), "{}", adopted.stdout);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 4);
}

#[tokio::test]
async fn whoever_holds_a_table_is_waited_for_a_while_only() {
    let pipeline = Pipeline::new("adopt lock").await;
    pipeline.execute(&keyless()).await;
    let holder = pipeline.database.client().await;
    holder.batch_execute("begin; lock table oca_metadata in access share mode").await.unwrap();
    let before = keys(&pipeline, "public").await;
    let ran = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(1).says("lock timeout");
    ran.says("The database is unchanged.").says("oca_metadata");
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(keys(&pipeline, "public").await, before);
    pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
}

/// The transaction is committed, and then the ledger refuses the end of the step.
#[tokio::test]
async fn an_adoption_that_fails_after_its_commit_says_that_it_is_committed() {
    let pipeline = production("adopt ledger").await;
    // The first command makes the ledger.
    pipeline.other(&["adopt", "oca", "--dry-run"]).await.exits(0);
    pipeline
        .execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'not today'; end $$;
             create trigger refuse before update on etl.steps for each row
                 when (new.step = 'adopt' and new.status = 'completed') execute function refuse()",
        )
        .await;
    let ran = pipeline.other(&["adopt", "oca", "--fix"]).await.exits(1);
    ran.says("done and committed").says("not today");
    pipeline.execute("drop trigger refuse on etl.steps").await;
    let after = pipeline.other(&["adopt", "oca", "--dry-run"]).await;
    assert!(after.stdout.contains("nothing is missing"), "{}", after.stdout);
}
