//! Before-images: which rows are kept, with which values, for how long, and who may see them.

use crate::docs::rights::Court;
use crate::engine::readers::case;
use crate::support::csv::Cell;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, TABLES};
use crate::support::postgres;

/// The before-images of a table, as texts, sorted.
pub async fn images(pipeline: &Pipeline, table: &str) -> Vec<String> {
    let tables = format!("select image from etl.undo_images where table_name = '{table}' order by image_no");
    let mut rows = Vec::new();
    for image in pipeline.column(&tables).await {
        let all = format!("select (to_jsonb(i) - 'merganser_undo_no')::text from etl.{image} as i");
        rows.extend(pipeline.column(&all).await);
    }
    rows.sort();
    rows
}

/// The number of before-images of all tables.
pub async fn count(pipeline: &Pipeline) -> usize {
    let mut rows = 0;
    for table in TABLES {
        rows += images(pipeline, table).await.len();
    }
    rows
}

/// Two cases, both of which a second week changes.
async fn two_weeks(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.put(Extract::weekly("2024-01-08").case("a", &case("one", 2)).case("b", &case("one", 1)));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-15").case("a", &case("two", 3)).case("c", &case("two", 1)));
    pipeline
}

#[tokio::test]
async fn what_a_run_replaces_is_kept_as_it_was_and_a_first_load_keeps_nothing() {
    let pipeline = two_weeks("images kept").await;
    assert_eq!(pipeline.one("select count(*) from etl.undo_images").await, "0");
    // A column that somebody added and a value set by hand are kept too.
    pipeline.execute("alter table oca_parties add column note text default 'by hand'").await;
    pipeline.execute("update oca_addresses set bbl = '1000010001' where indexnumberid = 'a'").await;
    let mut before = Vec::new();
    for table in TABLES {
        let rows = format!("select to_jsonb(t)::text from {table} as t where indexnumberid = 'a'");
        let mut rows = pipeline.column(&rows).await;
        rows.sort();
        before.push(rows);
    }
    pipeline.run().await.exits(0);
    for (table, before) in TABLES.into_iter().zip(before) {
        assert_eq!(images(&pipeline, table).await, before, "{table}");
    }
    let records = "select concat_ws(' ', record_id, had_rows, had_kept, had_origin)
        from etl.undo_records join etl.undo_batches using (undo_no)
        where undo_no = (select max(undo_no) from etl.undo_batches) order by record_id";
    assert_eq!(pipeline.column(records).await, ["a t t t", "c f f f"]);
    // A dry run and a run with nothing new keep nothing.
    let kept = count(&pipeline).await;
    pipeline.other(&["reprocess", "oca", "*", "--force", "--dry-run"]).await.exits(0);
    pipeline.run().await.exits(0);
    assert_eq!(count(&pipeline).await, kept);
    assert_eq!(pipeline.one("select count(*) from etl.undo_batches").await, "2");
}

#[tokio::test]
async fn rows_of_other_columns_go_into_another_table() {
    let pipeline = two_weeks("images drift").await;
    pipeline.run().await.exits(0);
    let tables = "select count(*) from etl.undo_images where table_name = 'oca_parties'";
    assert_eq!(pipeline.one(tables).await, "1");
    pipeline.execute("alter table oca_parties add column note text").await;
    pipeline.other(&["reprocess", "oca", "*", "--force"]).await.exits(0);
    assert_eq!(pipeline.one(tables).await, "2");
    assert_eq!(pipeline.one("select count(*) from etl.undo_images").await, "13");
    let last = "select image from etl.undo_images order by image_no desc limit 1";
    let last = pipeline.one(last).await;
    assert_eq!(pipeline.one(&format!("select count(note is null) from etl.{last}")).await, "5");
}

#[tokio::test]
async fn before_images_go_when_their_days_are_over() {
    let pipeline = two_weeks("images expired").await;
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from etl.undo_batches where kept_until > now()").await, "2");
    let kept = count(&pipeline).await;
    assert!(kept > 0);
    pipeline.execute("update etl.undo_batches set kept_until = now() - interval '1 second'").await;
    pipeline.put(Extract::weekly("2024-01-22").case("a", &case("three", 1)));
    pipeline.run_with(&["--keep-undo", "1"]).await.exits(0);
    let days = "select round(extract(epoch from kept_until - promoted_at) / 86400)
        from etl.undo_batches order by undo_no desc limit 1";
    assert_eq!(pipeline.one(days).await, "1");
    // Only case a is kept, as the second week had it: its rows, and oca_metadata.
    assert_eq!(images(&pipeline, "oca_parties").await.len(), 3);
    assert_eq!(images(&pipeline, "oca_metadata").await.len(), 1);
    assert_eq!(pipeline.one("select count(*) from etl.undo_records").await, "1");
    pipeline.execute("update etl.undo_batches set kept_until = now() - interval '1 second'").await;
    pipeline.put(Extract::weekly("2024-01-29").case("a", &case("four", 1)));
    pipeline.run_with(&["--keep-undo", "0"]).await.exits(0);
    assert_eq!(count(&pipeline).await, 0, "0 keeps none");
}

/// Nothing of a permanently deleted case stays, whether a run or a person deletes it.
#[tokio::test]
async fn of_a_deleted_record_no_before_image_stays() {
    let pipeline = two_weeks("images sealed").await;
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-01-22").case("b", &case("three", 1)).case("c", &case("three", 1)));
    pipeline.run().await.exits(0);
    let of = async |id: &str| {
        let mut rows: Vec<String> = Vec::new();
        for table in TABLES {
            rows.extend(
                images(&pipeline, table).await.into_iter().filter(|row| row.contains(&format!("\"{id}\""))),
            );
        }
        rows.len()
    };
    assert!(of("a").await > 0 && of("b").await > 0 && of("c").await > 0);
    pipeline.put(Extract::weekly("2024-01-29").delete("a"));
    pipeline.run().await.exits(0);
    assert_eq!(
        of("a").await,
        0,
        "no image is left, neither of older runs nor of the one that deletes the case"
    );
    assert!(of("b").await > 0 && of("c").await > 0);
    let listed = "select count(*) from etl.undo_records where record_id = 'a' and had_rows";
    assert_eq!(pipeline.one(listed).await, "0");
    // A deletion by hand, and then a purge.
    pipeline.execute("update oca_metadata set deletedate = '2024-01-30' where indexnumberid = 'b'").await;
    pipeline.other(&["purge", "oca", "--dry-run"]).await.exits(0).says("before-images");
    assert!(of("b").await > 0);
    pipeline.other(&["purge", "oca"]).await.exits(0).says("before-images");
    assert_eq!(of("b").await, 0);
    assert!(of("c").await > 0);
}

/// Grants on all tables of the ledger, present and future, do not open them.
#[tokio::test]
async fn nobody_but_the_ledgers_owner_sees_them() {
    let court = Court::new("images private").await;
    court.grant("2a. ").await;
    court.look().await;
    let pipeline = &court.pipeline;
    let put = |date: &str, mark: &str| {
        pipeline.put(Extract::weekly(date).case("a", &case(mark, 1)));
    };
    put("2024-01-08", "one");
    pipeline.run().await.exits(0);
    put("2024-01-15", "two");
    pipeline.run().await.exits(0);
    assert_eq!(count(pipeline).await, 12);
    let image = pipeline.one("select image from etl.undo_images where table_name = 'oca_index'").await;
    let url = pipeline.database.url_as(&court.oncall);
    let client = postgres::connect(&url).await;
    let look = format!("select indexnumberid from etl.{image}");
    assert!(client.simple_query(&look).await.is_err(), "default privileges do not open it");
    court.look().await;
    let seen: Vec<Vec<Cell>> = crate::support::pipeline::rows(&client, &look).await;
    assert!(seen.is_empty(), "nor does a grant on all tables: {seen:?}");
    // The program could not empty a table of before-images that another role owns.
    let owner = format!("alter table etl.{image} owner to merganser");
    pipeline.execute(&owner).await;
    put("2024-01-22", "three");
    pipeline.run().await.exits(1).says("belongs to another role").says("is unchanged");
}

/// A role that may not make tables in the ledger can run, and the run says that it cannot be undone.
#[tokio::test]
async fn without_the_right_to_make_tables_nothing_is_kept() {
    let pipeline = two_weeks("images no right").await;
    let name = pipeline.database.name().to_owned();
    let role = format!("{name}_role");
    let grants = format!(
        "create role {role} login; grant all on all tables in schema public, etl to {role};
         grant all on schema public, etl_staging to {role}; grant usage on schema etl to {role};"
    );
    pipeline.execute(&grants).await;
    for table in pipeline
        .column("select oid::regclass from pg_class where relkind = 'v' and relname like 'oca%'")
        .await
    {
        pipeline.execute(&format!("alter view {table} owner to {role}")).await;
    }
    let url = pipeline.database.url_as(&role);
    let pipeline = pipeline.with("--database-url", url);
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    check.says("none of it can be undone").says("grant create on schema etl");
    pipeline.run().await.exits(0).says("cannot be undone");
    assert_eq!(count(&pipeline).await, 0);
    pipeline.other(&["undo", "last"]).await.exits(1).says("no before-images");
}
