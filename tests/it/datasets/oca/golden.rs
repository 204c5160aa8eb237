//! A golden extract, written by hand, against the CSVs and tables that it must become.

use std::fs;
use std::path::PathBuf;

use zip::CompressionMethod;

use crate::support::csv::Csv;
use crate::support::extract::{DOCUMENT, zip};
use crate::support::pipeline::{DERIVED_CSVS, Pipeline, TABLES};
use crate::support::postgres;

const NAME: &str = "LandlordTenant.Initial.FiledIn2016.2024-06-01.zip";

fn fixture(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/it/fixtures/golden", name].iter().collect();
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn load(pipeline: &Pipeline) {
    let archive = zip(&[(DOCUMENT, fixture("extract.xml").as_bytes())], CompressionMethod::Deflated);
    fs::write(pipeline.source().join(NAME), archive).unwrap();
    let ran = pipeline.run().await.exits(0).says("JudgeName (1)");
    // Five live cases, one of them twice, and a delete.
    assert_eq!((ran.count("records_seen"), ran.count("records_loaded")), (6, 4));
    assert_eq!((ran.count("records_superseded"), ran.count("records_deleted")), (1, 1));
}

/// Compares tables and CSVs with the fixtures; `geom` says whether oca_addresses has that column.
async fn compare(pipeline: &Pipeline, geom: bool) {
    for table in TABLES {
        let file = if table == "oca_addresses" { "oca_addresses_private" } else { table };
        let mut private = Csv::parse(&fixture(&format!("{file}.csv")));
        if geom && table == "oca_addresses" {
            private.columns.push("geom".into());
            private.rows.iter_mut().for_each(|row| row.push(None));
        }
        let mut rows = pipeline.rows(&format!("select * from public.{table}")).await;
        rows.sort();
        assert_eq!(rows, private.clone().sorted().rows, "table {table}");
        assert_eq!(pipeline.column(&columns(table, "attname")).await, private.columns, "{table}");

        let public = Csv::parse(&fixture(&format!("{table}.csv"))).sorted();
        assert_eq!(pipeline.csv(&format!("public/{table}.csv")).sorted(), public, "published {table}");
        if table == "oca_addresses" {
            let published = pipeline.csv("private/oca_addresses_private.csv").sorted();
            assert_eq!(published, private.sorted(), "the private addresses");
        }
    }
}

/// A query for the columns of a table, in their order.
fn columns(table: &str, what: &str) -> String {
    format!(
        "select {what} from pg_attribute
         where attrelid = 'public.{table}'::regclass and attnum > 0 and not attisdropped order by attnum"
    )
}

#[tokio::test]
async fn the_golden_extract_is_as_written_by_hand() {
    let pipeline = Pipeline::new("golden").await.with("--level", "2");
    load(&pipeline).await;
    compare(&pipeline, true).await;

    let mut types = Csv::parse(&fixture("columns.csv")).rows;
    let geom = ["oca_addresses", "geom", "geometry(Point,4326)"].map(|cell| Some(cell.to_owned()));
    types.push(geom.to_vec());
    for table in TABLES {
        let expected: Vec<_> = types.iter().filter(|row| row[0].as_deref() == Some(table)).collect();
        let found = pipeline
            .rows(&columns(table, &format!("'{table}', attname, format_type(atttypid, atttypmod)")))
            .await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }

    let text = |name: &str| fs::read_to_string(pipeline.store().join("public").join(name)).unwrap();
    assert_eq!(text("last-updated-date.txt").trim_end(), "2024-06-01");
    let shield = text("last-updated-shield.svg");
    assert!(shield.starts_with("<svg ") && shield.contains(">2024-06-01<"), "{shield}");
    let public: Vec<_> = pipeline
        .objects()
        .into_keys()
        .filter_map(|key| key.strip_prefix("public/").map(str::to_owned))
        .collect();
    let mut expected: Vec<_> = TABLES.iter().map(|table| format!("{table}.csv")).collect();
    expected.extend(DERIVED_CSVS.map(str::to_owned));
    expected.extend(["last-updated-date.txt", "last-updated-shield.svg", "manifest.json"].map(str::to_owned));
    expected.sort();
    assert_eq!(public, expected);
}

#[tokio::test]
async fn the_golden_extract_without_postgis() {
    let pipeline = Pipeline::on(postgres::plain_database("golden").await).with("--level", "2");
    load(&pipeline).await;
    compare(&pipeline, false).await;
}

#[tokio::test]
async fn the_tables_have_their_keys_and_indexes() {
    let pipeline = Pipeline::new("keys").await;
    load(&pipeline).await;
    let constraints = "select conrelid::regclass || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace and conrelid::regclass::text like 'oca%' order by 1";
    let mut expected: Vec<_> = TABLES
        .iter()
        .map(|table| match *table {
            "oca_index" | "oca_metadata" => format!("{table} PRIMARY KEY (indexnumberid)"),
            _ => format!(
                "{table} FOREIGN KEY (indexnumberid) REFERENCES oca_index(indexnumberid) ON DELETE CASCADE"
            ),
        })
        .collect();
    let summary = "FOREIGN KEY (indexnumberid) REFERENCES oca_index(indexnumberid) ON DELETE CASCADE";
    expected.push(format!("oca_case_summary {summary}"));
    let derived = ["oca_case_summary PRIMARY KEY (indexnumberid)", "oca_lots PRIMARY KEY (bbl)"];
    expected.extend(derived.map(str::to_owned));
    expected.push("oca_tracts PRIMARY KEY (geoid)".into());
    let sums = [
        "atoms PRIMARY KEY (zone, first, sbi)",
        "days PRIMARY KEY (date)",
        "place_days PRIMARY KEY (date, zone, postcode, sbi) INCLUDE (hits, delta)",
        "places PRIMARY KEY (postcode)",
        "zone_days PRIMARY KEY (date, zone, sbi) INCLUDE (hits, delta)",
    ];
    expected.extend(sums.map(|sum| format!("oca_filing_{sum}")));
    expected.sort();
    assert_eq!(pipeline.column(constraints).await, expected);

    let indexes = "select indrelid::regclass || ' ' || string_agg(attname, ',' order by attname)
        from pg_index join pg_attribute on attrelid = indrelid and attnum = any (indkey)
        where indrelid::regclass::text like 'oca%'
        group by indrelid order by 1";
    let mut expected: Vec<_> = TABLES
        .iter()
        .map(|table| match *table {
            "oca_addresses" => "oca_addresses bbl,indexnumberid".to_owned(),
            _ => format!("{table} indexnumberid"),
        })
        .collect();
    let derived = ["oca_case_summary indexnumberid", "oca_lots bbl", "oca_tracts geoid,geom"];
    expected.extend(derived.map(str::to_owned));
    let sums = [
        "atoms first,sbi,zone",
        "days date",
        "place_days date,delta,hits,postcode,sbi,zone",
        "places postcode",
        "zone_days date,delta,hits,sbi,zone",
    ];
    expected.extend(sums.map(|sum| format!("oca_filing_{sum}")));
    expected.sort();
    assert_eq!(pipeline.column(indexes).await, expected);
}
