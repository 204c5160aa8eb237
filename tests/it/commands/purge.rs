//! A purge removes everything that is left of sealed cases, and proves that it is gone.

use std::fs;

use crate::datasets::oca::rules::{marked, rows_of};
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, TABLES};

/// The value that is searched for; no other value contains it.
const SEALED: &str = "sealed-case";

/// The tables, and the columns of the ledger, that hold the sealed case's values.
async fn places(pipeline: &Pipeline) -> Vec<String> {
    let mut places: Vec<_> = pipeline
        .tables("public")
        .await
        .into_iter()
        .filter(|(table, rows)| table != "oca_metadata" && format!("{rows:?}").contains(SEALED))
        .map(|(table, _)| table)
        .collect();
    let summary = format!("select count(*) from oca_case_summary as t where t::text like '%{SEALED}%'");
    if pipeline.one(&summary).await != "0" {
        places.push("oca_case_summary".into());
    }
    for (column, table) in [
        ("fragment", "failed_records"),
        ("value", "failed_records"),
        ("record_id", "record_origins"),
        ("unknown", "parts"),
        ("error", "runs"),
        ("error_chain", "runs"),
    ] {
        let count = format!("select count(*) from etl.{table} where {column}::text like '%{SEALED}%'");
        if pipeline.one(&count).await != "0" {
            places.push(format!("{table}.{column}"));
        }
    }
    let staged = "select tablename from pg_tables where schemaname = 'etl_staging' order by 1";
    for table in pipeline.column(staged).await {
        let count = format!("select count(*) from etl_staging.{table} as t where t::text like '%{SEALED}%'");
        if pipeline.one(&count).await != "0" {
            places.push(format!("etl_staging.{table}"));
        }
    }
    // The archive keeps the zips as they came, and their content is compressed.
    let objects = pipeline.objects().into_iter().filter(|(key, _)| !key.ends_with("oca_metadata.csv"));
    places.extend(objects.filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains(SEALED)).map(
        |(key, _)| {
            let parts: Vec<_> = key.split('/').collect();
            if key.starts_with("private/runs") { "private/runs".into() } else { parts[..2].join("/") }
        },
    ));
    places.sort();
    places.dedup();
    places
}

/// A pipeline in which somebody has brought a sealed case back: rows in every table, in what is published and staged,
/// and in what the ledger keeps of failed records.
async fn haunted(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await.with("--level", "2");
    let inside = format!(
        "{}<PropertyAddresses><PropertyAddress><Street1>1 MAIN ST</Street1></PropertyAddress></PropertyAddresses>\
         <PrimaryClaimCauseOfActions><PrimaryClaimCauseOfAction><Amount>1</Amount></PrimaryClaimCauseOfAction>\
         </PrimaryClaimCauseOfActions><Events><Event><EventName>e</EventName></Event></Events>\
         <Motions><Motion><Sequence>1</Sequence></Motion></Motions>\
         <Decisions><Decision><Sequence>1</Sequence></Decision></Decisions>",
        marked("1")
    );
    pipeline.put(Extract::weekly("2024-01-01").case(SEALED, &inside).case("kept", &inside));
    pipeline.run().await.exits(0);
    let bad = format!("<FiledDate>{SEALED}</FiledDate>");
    pipeline.put(Extract::weekly("2024-01-08").delete(SEALED).case("bad", &bad).case("other", ""));
    pipeline.run().await.exits(3);
    assert_eq!(rows_of(&pipeline, SEALED).await, 0);
    // The derived rows came back too, and no key ties them to their case.
    pipeline
        .execute("alter table oca_case_summary drop constraint oca_case_summary_indexnumberid_fkey")
        .await;
    for table in TABLES.iter().filter(|table| **table != "oca_metadata").chain(&["oca_case_summary"]) {
        let copy = format!(
            "create temp table again on commit drop as select * from {table} where indexnumberid = 'kept';
             update again set indexnumberid = '{SEALED}'; insert into {table} select * from again"
        );
        pipeline.execute(&format!("begin; {copy}; commit")).await;
    }
    pipeline
        .execute(&format!(
            "insert into etl.record_origins (dataset, target_schema, record_id, part_id, ordinal)
             select dataset, target_schema, '{SEALED}', part_id, ordinal from etl.record_origins where record_id = 'kept'"
        ))
        .await;
    // The case is published again.
    pipeline.put(Extract::weekly("2024-01-15").case("new", ""));
    pipeline.run().await.exits(0);
    pipeline
        .execute(&format!(
            "update etl.failed_records set record_id = '{SEALED}' where record_id = 'bad';
             create table etl_staging.oca_index as select '{SEALED}'::text as indexnumberid;
             update etl.parts set unknown = '{{\"Name\": {{\"count\": 2, \"example\": \"{SEALED}\"}}}}'
             where name like '%2024-01-01.zip';
             update etl.runs set error = '{SEALED}: 1, 2', error_chain = '{{{SEALED}}}'
             where run_id = (select run_id from etl.parts where name like '%2024-01-08.zip')"
        ))
        .await;
    pipeline
}

#[tokio::test]
async fn a_sealed_case_that_came_back_goes_from_everywhere() {
    let pipeline = haunted("purge").await;
    let before = places(&pipeline).await;
    let mut expected: Vec<_> =
        TABLES.iter().filter(|table| **table != "oca_metadata").map(|table| (*table).to_owned()).collect();
    expected.push("oca_case_summary".into());
    expected.extend(expected.clone().iter().map(|table| format!("public/{table}.csv")));
    let views = ["public", "with_bbl", "with_ct"];
    expected.extend(views.map(|view| format!("public/oca_addresses_{view}.csv")));
    expected.extend(
        [
            "etl_staging.oca_index",
            "failed_records.fragment",
            "failed_records.value",
            "record_origins.record_id",
            "parts.unknown",
            "runs.error",
            "runs.error_chain",
            "private/runs",
            "private/oca_addresses_private.csv",
        ]
        .map(str::to_owned),
    );
    expected.sort();
    assert_eq!(before, expected);
    let (tables, objects) = (pipeline.tables("public").await, pipeline.objects());

    let dry = pipeline.other(&["purge", "oca", "--dry-run"]).await.exits(0).says("would go");
    dry.says("oca_warrants: 1 row of").says("private/runs: ").says("The database is unchanged.");
    assert_eq!(pipeline.tables("public").await, tables);
    assert_eq!(pipeline.objects(), objects);
    // Any run removes at its start what dead runs left in the staging schema.
    let staged = |place: &String| place.starts_with("etl_staging.");
    assert_eq!(
        places(&pipeline).await,
        before.into_iter().filter(|place| !staged(place)).collect::<Vec<_>>()
    );

    let ran = pipeline.other(&["purge", "oca"]).await.exits(0);
    let kept = ["failed_records", "record_origins", "parts.unknown", "runs.error", "oca_case_summary"];
    for table in TABLES.iter().filter(|table| **table != "oca_metadata").chain(&kept) {
        let line = format!("{table}: 1 row of deleted cases taken out\n");
        assert!(ran.stdout.contains(&line), "{line}{}", ran.stdout);
    }
    ran.says("Verified: nothing of a deleted case is left").says("The public files are written again.");
    assert_eq!(places(&pipeline).await, Vec::<String>::new());
    assert!(!pipeline.objects().keys().any(|key| key.starts_with("private/runs/")));
    assert!(
        pipeline.store().join("private/LandlordTenant.Incr.2024-01-01.zip").exists(),
        "the archive stays"
    );
    assert_eq!(rows_of(&pipeline, "kept").await, 14 - 3);
    let counted = "select unknown -> 'Name' ->> 'count' from etl.parts where name like '%2024-01-01.zip'";
    assert_eq!(pipeline.one(counted).await, "2", "the count stays");
    let metadata = format!(
        "select concat_ws(' ', initialdate, deletedate) from oca_metadata where indexnumberid = '{SEALED}'"
    );
    assert_eq!(pipeline.one(&metadata).await, "2024-01-01 2024-01-08");
    let failed = "select concat_ws(' ', resolution, (select kind from etl.runs where run_id = resolved_by)) from etl.failed_records";
    assert_eq!(pipeline.one(failed).await, "deleted purge");

    // The ledger has what was removed, and a person reads that all is well.
    let change = "select concat_ws(' ', table_name, rows_before, deleted, rows_after) from etl.table_changes
        join etl.runs using (run_id) where kind = 'purge' and not dry_run and table_name in ('oca_index', 'oca_metadata') order by 1";
    assert_eq!(pipeline.column(change).await, ["oca_index 4 1 3", "oca_metadata 4 0 4"]);
    let status = pipeline.other(&["status", "last"]).await.exits(0).says("(purge)").says("completed");
    status.says("Nothing to do for oca.");
    pipeline.other(&["status"]).await.exits(0).says("Nothing to do for oca.");
    let again = pipeline.other(&["purge", "oca"]).await.exits(0);
    again.says("Nothing was left of deleted cases").says("Verified");
    // The counts continue from the rows that are there now.
    pipeline.put(Extract::weekly("2024-01-22").case("newer", ""));
    pipeline.run().await.exits(0);
    let change = "select rows_before from etl.table_changes join etl.runs using (run_id)
        where table_name = 'oca_index' order by started_at desc limit 1";
    assert_eq!(pipeline.one(change).await, "3");
}

/// A database without this dataset, and a store that cannot be cleared: a purge does all or nothing.
#[tokio::test]
async fn a_purge_that_cannot_be_done_changes_nothing() {
    let pipeline = Pipeline::new("purge nothing").await;
    let ran = pipeline.other(&["purge", "oca"]).await.exits(1).says("nothing to purge there");
    ran.says("The database is unchanged.");
    let pipeline = haunted("purge refused").await;
    let before = pipeline.tables("public").await;
    // The table keeps deleted rows, which the purge finds before its commit.
    pipeline
        .execute(
            "create function keep() returns trigger language plpgsql as $$ begin return null; end $$;
             create trigger keep before delete on oca_warrants for each row execute function keep()",
        )
        .await;
    let ran = pipeline
        .other(&["purge", "oca"])
        .await
        .exits(1)
        .says("oca_warrants still has 1 row of deleted cases");
    ran.says("The database is unchanged.");
    assert_eq!(pipeline.tables("public").await, before);
    pipeline.execute("drop trigger keep on oca_warrants").await;
    // The purge is committed but not published; the next run publishes.
    let public = pipeline.store().join("public");
    fs::rename(&public, pipeline.folder().join("aside")).unwrap();
    fs::write(&public, "in the way").unwrap();
    pipeline.other(&["purge", "oca"]).await.exits(4).says("The data is committed");
    assert_eq!(rows_of(&pipeline, SEALED).await, 0);
    fs::remove_file(&public).unwrap();
    pipeline.run().await.exits(0).says("Nothing new");
    assert_eq!(places(&pipeline).await, Vec::<String>::new());
    assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 3);
}
