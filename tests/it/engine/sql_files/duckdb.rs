//! DuckDB's files and parts, on an empty store.

use std::collections::BTreeSet;
use std::fs;

use merganser::clients::duckdb::{DuckError, DuckLimits, Staging};
use merganser::dataset::reference::ReferenceColumn;
use merganser::datasets::oca::OCA;
use merganser::sql;

use super::pieces::pieces;

/// DuckDB's pieces, in the order in which a run takes them.
const IN_DUCKDB: &[&str] = &[
    "staged/staged:tables",
    "oca/1_stage.duckdb.sql",
    "oca/2_check.duckdb.sql",
    "nass/1_stage.duckdb.sql",
    "nass/2_check.duckdb.sql",
    "commits/1_stage.duckdb.sql",
    "catalog/1_stage.duckdb.sql",
    "staged/links.duckdb.sql",
    "catalog/2_check.duckdb.sql",
    "metrics/1_stage.duckdb.sql",
    "datapoints/1_stage.duckdb.sql",
    "staged/staged:known",
    "datapoints/2_check.duckdb.sql",
    "staged/staged:counts",
    "staged/staged:failures",
    "oca/geocode/1_words.duckdb.sql",
    "oca/reference/1_directory.duckdb.sql",
    "oca/geocode/5_keys.duckdb.sql",
    "oca/reference/2_ranges.duckdb.sql",
    "oca/reference/3_lots.duckdb.sql",
    "reference/count.duckdb.sql",
    "reference/export.duckdb.sql",
    "oca/reference/4_range_changes.duckdb.sql",
    "oca/reference/4_lot_changes.duckdb.sql",
    "oca/reference/5_lots_csv.duckdb.sql",
    "oca/reference/6_tracts.duckdb.sql",
    "oca/reference/7_tracts_csv.duckdb.sql",
    "staged/staged:replace",
    "staged/staged:slices",
    "staged/staged:all",
    "staged/staged:merge",
    "oca/geocode/questions.duckdb.sql",
    "oca/geocode/open.duckdb.sql",
    "staged/enrichment:questions",
    "staged/enrichment:records",
    "staged/enrichment:open",
    "oca/geocode/2_reference.duckdb.sql",
    "oca/geocode/3_places.duckdb.sql",
    "oca/geocode/4_lines.duckdb.sql",
    "oca/geocode/6_match.duckdb.sql",
    "oca/geocode/7_answers.duckdb.sql",
    "oca/geocode/8_take.duckdb.sql",
    "oca/geocode/9_close.duckdb.sql",
    "staged/enrichment:answers",
    "oca/geocode/apply.duckdb.sql",
    "staged/enrichment:answered",
    "staged/staged:array_literal",
    "staged/staged:records",
    "staged/parquet.duckdb.sql",
    "oca/3_export.duckdb.sql",
    "nass/3_export.duckdb.sql",
    "commits/3_export.duckdb.sql",
    "catalog/3_export.duckdb.sql",
    "metrics/3_export.duckdb.sql",
    "datapoints/3_export.duckdb.sql",
    "publish/parquet:array_elements",
    "publish/parquet:parquet",
    "publish/parquet:count",
    "transform/bucketing:range",
    "transform/bucketing:sorted",
    "transform/bucketing:counts",
    "transform/bucketing:file",
    "transform/bucketing:whole",
    "transform/bucketing:counted",
    "transform/bucketing:partitions",
    "transform/clean:places",
    "transform/clean:raw",
    "transform/clean:cleaned",
    "transform/clean:clean",
];

/// Runs each as the program does: scripts, queries that return rows, and the statements of the export at the same time.
#[test]
fn each_duckdb_file_and_part_runs_on_an_empty_store() {
    let pieces = pieces();
    let known: BTreeSet<_> =
        pieces.iter().filter(|piece| piece.is_duckdb()).map(|piece| piece.name.as_str()).collect();
    let listed: BTreeSet<_> = IN_DUCKDB.iter().copied().collect();
    assert!(
        known == listed,
        "IN_DUCKDB in {} needs, at their places in a run: {:#?}, and without what is not there: {:#?}",
        file!(),
        &known - &listed,
        &listed - &known
    );
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("csv");
    fs::create_dir(&dir).unwrap();
    let staging = Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 2 }).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The reference's files, without rows.
    let header = |columns: &[ReferenceColumn]| {
        let names: Vec<_> = columns.iter().map(|column| column.names[0]).collect();
        format!("{}\n", names.join(","))
    };
    let reference = OCA.reference.unwrap();
    let mut given = Vec::new();
    for file in reference.inputs.iter().flat_map(|input| input.files) {
        fs::write(path(file.variable), header(file.columns)).unwrap();
        given.push((file.variable, path(file.variable)));
        let named = file.columns.iter().filter_map(|column| Some((column.variable?, column.names[0])));
        given.extend(named.map(|(variable, name)| (variable, sql::identifier(name))));
    }
    given.extend(reference.tables.iter().map(|table| (table.name, path(table.name))));
    given.extend([("before", path("ranges")), ("streets_before", path("streets")), ("csv", path("csv.csv"))]);
    fs::write(path("known"), "postcode,lat,lon,zone\n").unwrap();
    given.push(("file", path("known")));
    let mut variables = vec![
        ("known", "known_datapoint_places"),
        ("dir", dir.to_str().unwrap()),
        ("folder", dir.to_str().unwrap()),
        ("records", "oca_records"),
        ("limit", "10"),
        ("offset", "0"),
        ("from", "0"),
        ("to", "9"),
        ("way", "pad"),
        ("table", "questions"),
        ("fields", "street1"),
        ("columns", "status"),
        ("status", "status"),
        ("after", ""),
        ("raw_columns", "zip_code varchar"),
        ("query", "select * from raw"),
        ("view", "catalog_addresses"),
        ("is_undecided", "true"),
    ];
    variables.extend(given.iter().map(|(name, value)| (*name, value.as_str())));
    for name in IN_DUCKDB.iter().copied() {
        let text = &pieces.iter().find(|piece| piece.name == name).unwrap().text;
        let is_query = ["staged/staged:counts", "staged/staged:failures"].contains(&name);
        if is_query || name.starts_with("staged/enrichment:") && !name.ends_with(":open") {
            let rows = staging.query(name, &sql::render(text, &variables), |_| Ok(())).unwrap();
            assert!(rows.is_empty(), "{name} gives {} rows of nothing", rows.len());
        } else if name == "reference/count.duckdb.sql" || name.ends_with("_changes.duckdb.sql") {
            let mut variables = variables.clone();
            let table = ("table", reference.tables[0].name);
            variables.retain(|(name, _)| *name != table.0 && name != &"before");
            let before = path(if name.contains("lot") { "lots" } else { "ranges" });
            variables.extend([table, ("before", before.as_str())]);
            let counts = staging.query(name, &sql::render(text, &variables), |row| row.get::<_, i64>(0));
            assert_eq!(counts.unwrap(), [0], "{name}");
        } else if name == "staged/parquet.duckdb.sql" {
            let parquet = path("given.parquet");
            let copy = format!("copy (select 1 as a, 2 as b, 3 as \"C\") to '{parquet}' (format parquet)");
            staging.run(name, &copy).unwrap();
            let csv = path("given.csv.zst");
            staging.execute(name, text, &[("parquet", &parquet), ("columns", "a,c"), ("csv", &csv)]).unwrap();
            assert_eq!(zstd::decode_all(fs::File::open(csv).unwrap()).unwrap(), b"a,C\n1,3\n");
        } else if name.starts_with("publish/parquet:") {
            let (csv, parquet) = (path("published.csv"), path("published.parquet"));
            fs::write(&csv, "a\n").unwrap();
            let casts = "array_elements(a) as a";
            let variables = [
                ("csv", csv.as_str()),
                ("parquet", &parquet),
                ("texts", "{'a': 'varchar'}"),
                ("casts", casts),
                ("longest", "2097152"),
            ];
            if name.ends_with(":count") {
                let counted = staging.query(name, &sql::render(text, &variables), |row| row.get::<_, u64>(0));
                assert_eq!(counted.unwrap(), [0]);
            } else {
                staging.execute(name, text, &variables).unwrap();
            }
        } else if name.starts_with("transform/bucketing:") {
            let files = format!("['{}']", path("bucket.parquet"));
            let parquet = path(if name.ends_with(":file") { "bucket.parquet" } else { "whole.parquet" });
            let variables = [
                ("raw_columns", "zip_code varchar"),
                ("bucket_no", "0"),
                ("files", files.as_str()),
                ("parquet", &parquet),
                ("hashes", "1, 2"),
                ("least_hash", "1"),
                ("greatest_hash", "2"),
                ("first_page", "0"),
                ("end_page", "1"),
            ];
            staging.execute(name, text, &variables).unwrap();
        } else if name == "staged/enrichment:open" {
            assert_eq!(staging.query(name, text, |row| row.get::<_, i64>(0)).unwrap(), [0]);
        } else if name == "reference/export.duckdb.sql" {
            for table in reference.tables {
                let file = path(table.name);
                let variables = [("table", table.name), ("order", table.order), ("file", file.as_str())];
                staging.execute(name, text, &variables).unwrap();
            }
        } else if name.ends_with("_export.duckdb.sql") {
            let statements: Vec<_> = sql::statements(text).collect();
            staging.execute_each(name, &statements, &variables, || Ok::<_, DuckError>(())).unwrap();
        } else {
            staging.execute(name, text, &variables).unwrap();
        }
    }
    for table in OCA.tables.iter().map(|table| table.name).chain(["oca_records"]) {
        let csv = fs::read_to_string(dir.join(format!("{table}.csv"))).unwrap();
        assert_eq!(csv.lines().count(), 1, "{table}: {csv}");
    }
}
