//! Production tables in partitions by list, range and hash, and tables that others inherit from, load and publish the
//! same as ordinary tables.

use std::collections::BTreeMap;

use merganser::datasets::oca::OCA;
use merganser::sql;

use crate::datasets::oca::rules::rows_of;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, TABLES};

/// A case with rows in every table.
fn case(court: &str, filed: &str, mark: &str) -> String {
    format!(
        "<Court>{court}</Court><FiledDate>{filed}</FiledDate><Status>{mark}</Status>\
         <PrimaryClaimCauseOfActions><PrimaryClaimCauseOfAction><Amount>1.50</Amount>\
         </PrimaryClaimCauseOfAction></PrimaryClaimCauseOfActions>\
         <PropertyAddresses><PropertyAddress><Street1>1 {mark} ST</Street1><City>Bronx</City></PropertyAddress>\
         </PropertyAddresses>\
         <Parties><Party><Role>Petitioner</Role></Party><Party><Role>Respondent</Role></Party></Parties>\
         <Events><Event><EventName>{mark}</EventName><FiledDate>{filed}</FiledDate></Event></Events>\
         <Appearances><Appearance><AppearancePart>{mark}</AppearancePart><AppearanceOutcomes><AppearanceOutcome/>\
         </AppearanceOutcomes></Appearance></Appearances>\
         <Motions><Motion><Sequence>1</Sequence></Motion></Motions>\
         <Decisions><Decision><Sequence>1</Sequence></Decision></Decisions>\
         <Judgments><Judgment><Sequence>1</Sequence><Warrants><Warrant><Sequence>1</Sequence></Warrant></Warrants>\
         </Judgment></Judgments>"
    )
}

fn first_week() -> Extract {
    Extract::weekly("2024-01-01")
        .case("a", &case("Bronx", "2022-05-01", "old"))
        .case("b", &case("Kings", "2023-05-01", "old"))
        .case("c", &case("Queens", "2024-05-01", "old"))
        .case("d", &case("Bronx", "2022-07-01", "stays"))
}

/// One case moves to another court and year, one stays the same, one is deleted, and one is new.
fn second_week() -> Extract {
    Extract::weekly("2024-01-08")
        .case("a", &case("Kings", "2023-06-01", "new"))
        .case("b", &case("Kings", "2023-05-01", "new"))
        .delete("c")
        .case("e", &case("Richmond", "1999-01-01", "new"))
}

/// The statements that make each table in partitions: `by` gives what follows the columns (none: an ordinary table),
/// `parts` the statements for the partitions, and then the keys follow.
fn production(
    by: impl Fn(&str) -> Option<&'static str>,
    parts: impl Fn(&str) -> String,
    keys: &str,
) -> String {
    let mut text = "create schema plain;".to_owned();
    for script in [OCA.scripts.tables, OCA.scripts.keys] {
        text += &sql::render(script, &[("schema", "plain")]);
    }
    for table in TABLES {
        text += &match by(table) {
            Some(by) => {
                format!(
                    "create table {table} (like plain.{table}) partition by {by}; \
                     alter table {table} alter indexnumberid drop not null; {}",
                    parts(table)
                )
            }
            None => format!("create table {table} (like plain.{table}); {}", parts(table)),
        };
    }
    text + keys + "drop schema plain cascade;"
}

fn primary_keys() -> String {
    "alter table oca_index add primary key (indexnumberid); alter table oca_metadata add primary key (indexnumberid);"
        .into()
}

fn foreign_keys() -> String {
    let children = TABLES.iter().filter(|table| !["oca_index", "oca_metadata"].contains(table));
    let key = |table: &&str| {
        format!(
            "alter table {table} add foreign key (indexnumberid) references oca_index on delete cascade;
             create index on {table} (indexnumberid);"
        )
    };
    children.map(key).collect()
}

/// Every published CSV: the header, and the other lines in order.
fn published(pipeline: &Pipeline) -> BTreeMap<String, (String, Vec<String>)> {
    let csvs = pipeline
        .objects()
        .into_iter()
        .filter(|(key, _)| key.ends_with(".csv") && !key.starts_with("private/runs"));
    let lines = csvs.map(|(key, bytes)| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        let mut lines = text.lines().map(str::to_owned);
        let header = lines.next().expect("a header");
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        (key, (header, lines))
    });
    lines.collect()
}

/// Two weeks, with something in between.
async fn two_weeks(pipeline: &Pipeline, between: &str) -> Vec<BTreeMap<String, (String, Vec<String>)>> {
    pipeline.put(first_week());
    pipeline.run().await.exits(0);
    let first = published(pipeline);
    pipeline.execute(between).await;
    pipeline.put(second_week());
    pipeline.run().await.exits(0);
    vec![first, published(pipeline)]
}

/// Compares two weeks with those of ordinary tables. Then a purge takes out a sealed case that somebody brought back,
/// and `adopt` works.
async fn is_as_ordinary(hint: &str, tables: &str, between: &str) -> Pipeline {
    let ordinary = Pipeline::new(&format!("{hint} ordinary")).await.with("--level", "2");
    let expected = two_weeks(&ordinary, "").await;
    assert_eq!(expected[1].len(), 13 + 5);
    let pipeline = Pipeline::new(hint).await.with("--level", "2");
    pipeline.execute(tables).await;
    let found = two_weeks(&pipeline, between).await;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(pipeline.tables("public").await, ordinary.tables("public").await);
    let changes =
        "select concat_ws(' ', batch, table_name, rows_before, inserted, replaced, deleted, rows_after)
        from etl.table_changes join etl.runs using (run_id) order by started_at, table_name";
    assert_eq!(pipeline.column(changes).await, ordinary.column(changes).await);

    pipeline.execute("insert into oca_index (indexnumberid, court) values ('c', 'Queens')").await;
    let purged = pipeline.other(&["purge", "oca"]).await.exits(0);
    purged.says("oca_index: 1 row of deleted cases taken out").says("Verified");
    assert_eq!(rows_of(&pipeline, "c").await, 0);
    assert_eq!(published(&pipeline), expected[1]);
    pipeline.other(&["adopt", "oca", "--fix"]).await.exits(0);
    // A comparison with the published files inside the transaction finds only a date that differs.
    let truth = pipeline.store().join("public").display().to_string();
    pipeline.put(Extract::weekly("2024-01-15").case("a", &case("Kings", "2023-06-01", "new")));
    pipeline.run_with(&["--golden", &truth]).await.exits(1).says("oca_metadata");
    std::fs::remove_file(pipeline.store().join("public/oca_metadata.csv")).expect("it is there");
    pipeline.run_with(&["--golden", &truth]).await.exits(0);
    pipeline
}

/// Statements that make all tables in three parts each, with all their keys.
pub fn by_hash() -> String {
    let parts = |table: &str| {
        (0..3)
            .map(|rest| {
                format!("create table {table}_{rest} partition of {table} for values with (modulus 3, remainder {rest});")
            })
            .collect()
    };
    let keys = primary_keys() + &foreign_keys();
    production(|_| Some("hash (indexnumberid)"), parts, &keys)
}

#[tokio::test]
async fn tables_that_are_partitioned_by_hash_have_all_their_keys() {
    let pipeline = is_as_ordinary("parted by hash", &by_hash(), "").await;
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    check.says("ok    partitions      oca_index is partitioned by HASH (indexnumberid), 3 parts");
}

#[tokio::test]
async fn tables_that_are_partitioned_by_list() {
    let by = |table: &str| match table {
        "oca_index" => Some("list (court)"),
        "oca_parties" => Some("list (role)"),
        "oca_addresses" => Some("list (city)"),
        _ => None,
    };
    let parts = |table: &str| match by(table) {
        Some(_) => format!(
            "create table {table}_1 partition of {table} for values in ('Bronx', 'Petitioner', 'Queens');
             create table {table}_rest partition of {table} default;"
        ),
        None => String::new(),
    };
    let keys = "alter table oca_metadata add primary key (indexnumberid);
        alter table oca_index add unique (indexnumberid, court);";
    let pipeline = is_as_ordinary("parted by list", &production(by, parts, keys), "").await;
    assert_eq!(pipeline.column("select court from oca_index_1").await, ["Bronx"]);
    let adopted = pipeline.other(&["adopt", "oca"]).await.exits(0);
    let adopted = adopted.says(
        "oca_index can have no primary key (indexnumberid): it is partitioned by LIST (court); runs go on",
    );
    adopted
        .says("oca_causes can have no foreign key (indexnumberid) to oca_index: oca_index is partitioned by");
    // No key forbids one case in two partitions, so the guard must find it.
    pipeline.execute("insert into oca_index (indexnumberid, court) values ('a', 'Bronx')").await;
    pipeline.put(Extract::weekly("2024-01-22").case("a", "<Status>Active</Status>"));
    pipeline.run().await.exits(1).says("oca_index").says("The database is unchanged.");
}

#[tokio::test]
async fn tables_that_are_partitioned_by_range() {
    let by = |table: &str| match table {
        "oca_index" | "oca_events" => Some("range (fileddate)"),
        "oca_metadata" => Some("range (updatedate)"),
        "oca_causes" => Some("range (amount)"),
        _ => None,
    };
    let parts = |table: &str| match table {
        "oca_causes" => {
            "create table oca_causes_1 partition of oca_causes for values from (0) to (1000);".into()
        }
        _ if by(table).is_some() => format!(
            "create table {table}_2022 partition of {table} for values from ('2022-01-01') to ('2023-01-01');
             create table {table}_2023 partition of {table} for values from ('2023-01-01') to ('2024-01-05');
             create table {table}_rest partition of {table} default;"
        ),
        _ => String::new(),
    };
    let pipeline = is_as_ordinary("parted by range", &production(by, parts, ""), "").await;
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    let check = check.says("warn  partitions");
    check
        .says("oca_causes has no default partition")
        .says("create table NAME partition of public.oca_causes default;");
}

/// Rows that somebody moved into an inheriting table count as rows of the table.
#[tokio::test]
async fn tables_from_which_others_inherit() {
    let parts = |table: &str| format!("create table {table}_old () inherits ({table});");
    let tables = production(|_| None, parts, &primary_keys());
    let between: String = TABLES
        .iter()
        .map(|table| {
            format!(
                "with gone as (delete from only {table} where indexnumberid in ('a', 'c', 'd') returning *)
                 insert into {table}_old select * from gone;"
            )
        })
        .collect();
    let pipeline = is_as_ordinary("parted by heirs", &tables, &between).await;
    assert_eq!(pipeline.one("select count(*) from only oca_index").await, "2");
    let check = pipeline.other(&["check", "oca"]).await.exits(0);
    let check = check.says("warn  partitions").says("oca_index has 1 child table");
    check.says("alter table CHILD no inherit oca_index;");
}
