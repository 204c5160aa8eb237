//! A run into a schema that already has production data from another program.

use crate::datasets::oca::rules::dates;
use crate::support::csv::Cell;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, TABLES};
use crate::support::postgres;

/// Production data from another program.
pub const PRODUCTION: &str = include_str!("../fixtures/production.sql");

/// A pipeline into that schema.
pub async fn production(hint: &str) -> Pipeline {
    let pipeline = Pipeline::new(hint).await;
    pipeline.execute(PRODUCTION).await;
    pipeline
}

/// The rows of one case in every table.
async fn case(pipeline: &Pipeline, id: &str) -> Vec<Vec<Cell>> {
    let tables = pipeline.tables("public").await;
    tables.into_values().flatten().filter(|row| row[0].as_deref() == Some(id)).collect()
}

#[tokio::test]
async fn existing_rows_follow_the_rules() {
    let pipeline = production("takeover").await;
    let untouched = case(&pipeline, "untouched").await;
    let newer = case(&pipeline, "newer").await;
    assert_eq!(untouched.len(), 8);

    let new = "<Status>Disposed</Status><Parties><Party><Role>Interested Party</Role></Party></Parties>";
    let extract = Extract::weekly("2024-03-04").case("older", new).case("newer", new).case("gone", new);
    pipeline.put(extract.case("new", new).delete("deleted"));
    let ran = pipeline.run().await.exits(0);
    assert_eq!((ran.count("records_loaded"), ran.count("records_superseded")), (2, 1));

    assert_eq!(case(&pipeline, "untouched").await, untouched);
    assert_eq!(case(&pipeline, "newer").await, newer, "order safety knows what was there");
    let rows = "select concat_ws('|', indexnumberid, court, status, role)
                from oca_index join oca_parties using (indexnumberid)
                where indexnumberid not in ('untouched', 'newer') order by 1";
    assert_eq!(
        pipeline.column(rows).await,
        ["new|Disposed|Interested Party", "older|Disposed|Interested Party"]
    );
    assert_eq!(case(&pipeline, "older").await.len(), 3, "nothing of the older word is left");
    assert_eq!((case(&pipeline, "deleted").await.len(), case(&pipeline, "gone").await.len()), (1, 1));
    assert_eq!(dates(&pipeline, "older").await, "2022-01-01 2024-03-04 -");
    assert_eq!(dates(&pipeline, "newer").await, "2022-01-01 2024-12-30 -");
    assert_eq!(dates(&pipeline, "deleted").await, "2022-01-01 2023-06-01 2024-03-04");
    assert_eq!(dates(&pipeline, "gone").await, "2022-01-01 2024-03-04 2022-07-01");

    let change = "select concat_ws(' ', table_name, rows_before, inserted, replaced, deleted, rows_after)
        from etl.table_changes where table_name in ('oca_index', 'oca_parties', 'oca_metadata') order by 1";
    let expected = ["oca_index 4 1 1 1 4", "oca_metadata 5 1 3 0 6", "oca_parties 8 1 1 3 6"];
    assert_eq!(pipeline.column(change).await, expected);
    // Everything is published, the earlier data included, except the results of geocoding, which stay private.
    let addresses = pipeline.csv("public/oca_addresses.csv");
    assert_eq!(addresses.columns, ["indexnumberid", "city", "state", "postalcode"]);
    assert_eq!(addresses.rows.len(), 2);
    let private = pipeline.csv("private/oca_addresses_private.csv");
    assert_eq!(private.column("street1"), vec![Some("1 MAIN STREET".to_owned()); 2]);
    assert_eq!(private.column("lat"), vec![Some("40.690712".to_owned()); 2]);
}

/// Queries for everything in the schema that is not derived: relations and their definitions, columns, keys. The
/// program sets the comments of its own tables; those of other tables stay.
fn hanging() -> [&'static str; 3] {
    [
        "select concat_ws('|', oid, relname, relkind, relowner, relacl, relfilenode,
             case when relname not like 'oca%' then obj_description(oid) end,
             case relkind when 'i' then pg_get_indexdef(oid) else pg_get_viewdef(oid) end)
         from pg_class
         where relnamespace = 'public'::regnamespace
             and relname !~ '^oca_(case_summary|lots|tracts|filing_|addresses_(public|with))'
         order by oid",
        "select concat_ws('|', attrelid::regclass, attname, attacl,
             case when relname not like 'oca%' then col_description(attrelid, attnum) end)
         from pg_attribute join pg_class on pg_class.oid = attrelid
         where relnamespace = 'public'::regnamespace and attnum > 0
             and relname !~ '^oca_(case_summary|lots|tracts|filing_|addresses_(public|with))'
         order by attrelid, attnum",
        "select concat_ws('|', oid, conname, pg_get_constraintdef(oid))
         from pg_constraint where connamespace = 'public'::regnamespace
             and conname !~ '^oca_(case_summary|lots|tracts|filing_)'
         order by oid",
    ]
}

#[tokio::test]
async fn what_hangs_on_the_tables_survives() {
    let pipeline = Pipeline::on(postgres::plain_database("takeover views").await);
    pipeline.execute(PRODUCTION).await;
    // Roles belong to the whole cluster, so this test needs names of its own.
    let role = format!("{}_reader", pipeline.database.name());
    pipeline
        .execute(&format!(
            "create role {role}; grant select on oca_index, oca_metadata, open_cases to {role};
             grant select (indexnumberid, city) on oca_addresses to {role}; grant insert on oca_parties to {role}"
        ))
        .await;
    let mut before = Vec::new();
    for query in hanging() {
        before.push(pipeline.column(query).await);
    }
    assert!(before[0].iter().any(|line| line.contains(&role)), "{:?}", before[0]);

    let all = ["untouched", "older", "deleted", "new"];
    let inside = "<Status>Disposed</Status><Parties><Party><Role>Petitioner</Role></Party></Parties>";
    let extract = all.iter().fold(Extract::weekly("2024-03-04"), |extract, id| extract.case(id, inside));
    pipeline.put(extract.delete("deleted"));
    pipeline.run().await.exits(0);

    for (query, before) in hanging().into_iter().zip(before) {
        assert_eq!(pipeline.column(query).await, before);
    }
    assert_eq!(pipeline.column("select indexnumberid from open_cases").await, ["newer"]);
    assert_eq!(pipeline.one("select count(*) from parties_of_cases").await, "5");
    assert_eq!(pipeline.one("select note from my_notes").await, "mine");
    let as_reader = format!("set role {role}; select count(*) from oca_index");
    assert_eq!(pipeline.one(&as_reader).await, "4");
}

#[tokio::test]
async fn a_schema_with_some_of_the_tables_is_refused() {
    let pipeline = production("takeover part").await;
    pipeline.execute("drop table oca_warrants").await;
    pipeline.put(Extract::weekly("2024-03-04").case("untouched", ""));
    pipeline.run().await.exits(1).says("oca_warrants").says("The database is unchanged.");
    assert_eq!(
        pipeline.one("select status from oca_index where indexnumberid = 'untouched'").await,
        "as it was"
    );
    assert_eq!(pipeline.one("select to_regclass('oca_warrants')").await, "NULL");
    assert_eq!(pipeline.column("select status from etl.runs").await, ["failed"]);
}

#[tokio::test]
async fn tables_without_any_key_are_taken_as_they_are() {
    let pipeline = Pipeline::new("takeover keyless").await;
    let keyless = PRODUCTION
        .replace(" primary key", "")
        .replace(" references oca_index on delete cascade", "")
        .replace(" references oca_metadata", "");
    pipeline.execute(&keyless).await;
    let inside = "<Parties><Party><Role>new</Role></Party></Parties>";
    let extract =
        Extract::weekly("2024-03-04").case("older", inside).case("newer", inside).case("new", inside);
    pipeline.put(extract.delete("deleted"));
    pipeline.run().await.exits(0);
    let ids = "select string_agg(indexnumberid, ' ' order by indexnumberid) from oca_index";
    assert_eq!(pipeline.one(ids).await, "new newer older untouched");
    let roles =
        "select string_agg(indexnumberid, ' ' order by indexnumberid) from oca_parties where role = 'new'";
    assert_eq!(pipeline.one(roles).await, "new older");
    for table in TABLES {
        let odd = format!(
            "select count(*) from {table} where indexnumberid = 'deleted' and '{table}' <> 'oca_metadata'
             or not exists (select from oca_metadata as known where known.indexnumberid = {table}.indexnumberid)"
        );
        assert_eq!(pipeline.one(&odd).await, "0", "{table}");
    }
    assert_eq!(pipeline.one("select count(*) from oca_metadata").await, "6");
}
