//! Everything that is derived from the tables: the summary of each case, the views that may be public, the comments and
//! the dictionary.

use crate::datasets::oca::rules::rows_of;
use crate::support::csv::Csv;
use crate::support::extract::Extract;
use crate::support::pipeline::Pipeline;

mod summary;
mod views;

#[tokio::test]
async fn comments_wait_for_nobody() {
    let pipeline = Pipeline::new("comments wait").await;
    pipeline.put(Extract::weekly("2024-06-03").case("a", ""));
    pipeline.run().await.exits(0);
    pipeline.execute("comment on table oca_index is 'mine'; comment on table oca_parties is 'mine'").await;
    let client = pipeline.database.client().await;
    // The lock of a vacuum, or of an index that is built concurrently.
    client.batch_execute("begin; lock table oca_index in share update exclusive mode").await.unwrap();
    pipeline.put(Extract::weekly("2024-06-10").case("b", ""));
    pipeline.run().await.exits(0).says("comments of tables and columns are not set");
    let said = "select obj_description('oca_index'::regclass) || obj_description('oca_parties'::regclass)";
    assert_eq!(pipeline.one(said).await, "minemine");
    client.batch_execute("commit").await.unwrap();
    pipeline.put(Extract::weekly("2024-06-17").case("c", ""));
    pipeline.run().await.exits(0);
    assert!(!pipeline.one(said).await.contains("mine"));
}

#[tokio::test]
async fn every_table_view_and_column_is_explained() {
    let pipeline = Pipeline::new("dictionary").await;
    pipeline.put(Extract::weekly("2024-06-03").case("a", ""));
    pipeline.run().await.exits(0);
    let silent = "select relname || coalesce('.' || attname, '')
        from pg_class left join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'
            and coalesce(col_description(attrelid, attnum), '') = ''
        union all
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'
            and coalesce(obj_description(oid, 'pg_class'), '') = ''";
    assert_eq!(pipeline.column(silent).await, Vec::<String>::new());

    // The published dictionary has every description that the database has.
    let csv = std::fs::read_to_string(pipeline.store().join("public/data-dictionary.csv")).unwrap();
    let dictionary = Csv::parse(&csv);
    assert_eq!(dictionary.columns, ["table", "column", "type", "description"]);
    let said = "select relname, null as attname, case relkind when 'v' then 'view' else 'table' end,
            obj_description(oid, 'pg_class')
        from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'
        union all
        select relname, attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
        from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname like 'oca\\_%'";
    let mut said = pipeline.rows(said).await;
    said.sort();
    assert_eq!(dictionary.sorted().rows, said);
    let manifest = std::fs::read_to_string(pipeline.store().join("public/manifest.json")).unwrap();
    assert!(manifest.contains("data-dictionary.csv"), "{manifest}");

    // Comments are written when they change, not every week.
    let written = "select count(distinct xmin::text) || ' ' || max(xmin::text::bigint) from pg_description
        where objoid in (select oid from pg_class where relname like 'oca\\_%' and relkind in ('r', 'v'))";
    let before = pipeline.one(written).await;
    pipeline.put(Extract::weekly("2024-06-10").case("b", ""));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one(written).await, before);
    pipeline
        .execute("comment on column oca_index.court is 'else'; comment on view oca_addresses_public is null")
        .await;
    pipeline.put(Extract::weekly("2024-06-17").case("c", ""));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.column(silent).await, Vec::<String>::new());
    assert_eq!(
        pipeline.one("select col_description('oca_index'::regclass, 2)").await,
        "The court where it was filed"
    );
    assert_eq!(rows_of(&pipeline, "c").await, 1);
}
