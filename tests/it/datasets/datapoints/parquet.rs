//! Parquet files give the same rows and the same faults as CSV files.

use std::fs;

use merganser::clients::duckdb::{DuckLimits, Staging};

use super::world::{days, load, put, rollups_follow, with_places};
use crate::support::pipeline::Pipeline;

/// Puts the result of a DuckDB query into the source, with few rows in a group.
fn put_parquet(pipeline: &Pipeline, name: &str, query: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 1 }).expect("a store");
    let path = pipeline.source().join(name);
    let copy = format!("copy ({query}) to '{}' (format parquet, row_group_size 2048)", path.display());
    store.run("write Parquet", &copy).expect("it can be written");
}

/// A point of an earlier year, which must stay.
async fn loaded(hint: &str) -> Pipeline {
    let pipeline = with_places(hint).await;
    put(
        &pipeline,
        "datapoints-0.csv",
        "date,hour,id_activity,postcode,hits,delta,sbi\n2013-01-01,1,1,1011AA,1,1,1\n",
    );
    load(&pipeline, &[]).await.exits(0);
    pipeline
}

const ROWS: &str = "select 1.5 as weight, repeat('one line' || chr(10), 100) as note, '1' as sbi, date '2013-01-01' + (n // 5000)::integer as date, '1011 ab' as postcode,
    case when n % 7 > 0 then 2 end::integer as delta, n as id_activity, 3::utinyint as hits, (n % 24)::tinyint as \"Hour\"
    from range(10000) as numbers (n)";

#[tokio::test]
async fn rows_come_in_groups_their_columns_in_any_order() {
    let pipeline = loaded("points parquet").await;
    put_parquet(&pipeline, "datapoints-1.parquet", ROWS);
    load(&pipeline, &[]).await.exits(0);
    assert_eq!(days(&pipeline).await, "2013-01-01 15000, 2013-01-02 15000");
    let sums = "select concat_ws(' ', count(*), sum(id_activity), count(delta), min(postcode), max(hour)) from datapoints";
    assert_eq!(pipeline.one(sums).await, "10000 49995000 8571 1011AB 23");
    rollups_follow(&pipeline).await;
    // The archived file can be read again.
    pipeline.other(&["reprocess", "datapoints", "datapoints-1.parquet", "--force"]).await.exits(0);
    assert_eq!(pipeline.one(sums).await, "10000 49995000 8571 1011AB 23");
}

#[tokio::test]
async fn one_that_is_damaged_replaces_none_of_its_days() {
    let pipeline = loaded("points parquet broken").await;
    put_parquet(&pipeline, "datapoints-1.parquet", ROWS);
    let path = |name: &str| pipeline.source().join(name);
    let whole = fs::read(path("datapoints-1.parquet")).expect("it is there");
    fs::write(path("datapoints-1.parquet"), &whole[..whole.len() / 2]).expect("it can be written");
    // A Parquet file describes itself at its end. Here the end is whole, and the middle is not.
    let mut torn = whole.clone();
    let middle = whole.len() / 2;
    torn[middle - 2_000..middle].fill(0xff);
    fs::write(path("datapoints-2.parquet"), torn).expect("it can be written");
    put(&pipeline, "datapoints-3.parquet", "date,hour,id_activity,postcode,hits,delta,sbi\n");
    put(&pipeline, "datapoints-4.parquet", "");
    load(&pipeline, &[]).await.exits(1).says("it is not Parquet, is damaged, or breaks off");
    let said = "select count(*) from etl.parts where name like '%.parquet' and error like '%not Parquet%'";
    assert_eq!(pipeline.one(said).await, "4");
    let paths = "select count(*) from etl.parts where error like '%.raw%'";
    assert_eq!(pipeline.one(paths).await, "0", "the message does not show this machine's paths");
    assert_eq!(days(&pipeline).await, "2013-01-01 1");
    rollups_follow(&pipeline).await;
}

#[tokio::test]
async fn a_missing_column_is_named_and_a_type_that_does_not_fit_is_a_failed_record() {
    let pipeline = loaded("points parquet types").await;
    put_parquet(&pipeline, "datapoints-1.parquet", "select * exclude hits from (select * from (values (1)) as x (hits))
        cross join (select '2013-01-02' as date, 1 as hour, 1 as id_activity, '1011AA' as postcode, 1 as delta, '1' as sbi)");
    load(&pipeline, &[]).await.exits(1).says("its header names no column hits");
    put_parquet(
        &pipeline,
        "datapoints-1.parquet",
        "select *, 1 as id_activity, 1 as delta, '1' as sbi from (values
            ('2013-01-02', 1, '1011AA', '3'), ('2013-02-30', 1, '1011AA', '3'), ('2013-01-02', 24, '1011AA', '3'),
            ('2013-01-02', 1, null, '3'), ('2013-01-02', 1, '1011AA', '1.5')) as x (date, hour, postcode, hits)",
    );
    put_parquet(
        &pipeline,
        "datapoints-2.parquet",
        "select timestamp '2013-01-03 00:00:01' as date, 1 as hour, 1 as id_activity, '1011AA' as postcode, 1 as hits,
            1 as delta, '1' as sbi",
    );
    let lines = "select '2013-01-04' as date, 1 as hour, 1 as id_activity, '1011AA' as postcode, 1 as hits, 1 as delta, 'a' || chr(10) as sbi";
    put_parquet(&pipeline, "datapoints-3.parquet", lines);
    let ran =
        load(&pipeline, &["--max-failures", "100"]).await.says("a cell in line 2 has more than one line");
    assert!(!ran.stderr.contains("quotation"), "{}", ran.stderr);
    assert_eq!(days(&pipeline).await, "2013-01-01 1, 2013-01-02 3");
    let reasons =
        "select concat_ws(' ', parts.name, failed.ordinal, failed.field, failed.value, failed.reason)
        from etl.failed_records as failed join etl.parts using (part_id) where failed.resolved_at is null
        order by parts.name, failed.ordinal";
    assert_eq!(
        pipeline.column(reasons).await,
        [
            "datapoints-1.parquet 3 date 2013-02-30 it is not a day (YYYY-MM-DD)",
            "datapoints-1.parquet 4 hour 24 it is not an hour from 0 to 23",
            "datapoints-1.parquet 5 postcode  it is not a postcode",
            "datapoints-1.parquet 6 hits 1.5 it is not a whole number",
            "datapoints-2.parquet 2 date 2013-01-03 00:00:01 it is not a day (YYYY-MM-DD)",
        ]
    );
    rollups_follow(&pipeline).await;
}
