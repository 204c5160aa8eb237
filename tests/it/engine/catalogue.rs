//! The tables that the code declares are those in the catalogues of both engines.

use std::fs;

use duckdb::Connection;
use merganser::clients::duckdb::{DuckError, DuckLimits, Staging};
use merganser::dataset::{ColumnType, Table};
use merganser::datasets::oca::OCA;
use merganser::stages::{enrich, export, parse};
use merganser::{datasets, schema, sql};

use crate::support::pipeline::rows;
use crate::support::postgres;

const DATASETS: &[&merganser::dataset::Dataset] = datasets::ALL;

fn postgres_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::TextArray => "text[]",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp without time zone",
        ColumnType::Numeric => "numeric",
        ColumnType::Int => "integer",
        ColumnType::BigInt => "bigint",
        ColumnType::Boolean => "boolean",
        ColumnType::Real => "real",
    }
}

/// The type of a column in DuckDB.
pub(super) fn duckdb_type(kind: ColumnType) -> &'static str {
    match kind {
        // A numeric column keeps the digits of the source.
        ColumnType::Text | ColumnType::Numeric => "VARCHAR",
        ColumnType::TextArray => "VARCHAR[]",
        ColumnType::Date => "DATE",
        ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Int => "INTEGER",
        ColumnType::BigInt => "BIGINT",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Real => "FLOAT",
    }
}

#[tokio::test]
async fn the_columns_are_those_of_postgresql() {
    let database = postgres::database("catalogue").await;
    let client = database.client().await;
    for dataset in DATASETS {
        client.batch_execute(&format!("create schema {}", dataset.name)).await.unwrap();
        let variables = [("schema", dataset.name)];
        client.batch_execute(&sql::render(dataset.scripts.tables, &variables)).await.unwrap();
        for derived in dataset.derived {
            let make = schema::definition(derived, dataset.name, dataset.name);
            client.batch_execute(&format!("begin; {make} commit;")).await.unwrap();
        }
        let columns = format!(
            "select relname, attname, format_type(atttypid, atttypmod)
             from pg_attribute join pg_class on pg_class.oid = attrelid
             where relnamespace = '{}'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0
             order by relname, attnum",
            dataset.name
        );
        let tables = dataset.own_tables().chain(dataset.derived.iter().map(|derived| &derived.table));
        let mut expected: Vec<_> = tables.collect();
        expected.sort_by_key(|table| table.name);
        let expected: Vec<_> = expected
            .into_iter()
            .flat_map(|table| {
                let columns = table.columns.iter();
                columns.map(|column| {
                    [table.name, column.name, postgres_type(column.kind)].map(|cell| Some(cell.to_owned()))
                })
            })
            .collect();
        assert_eq!(rows(&client, &columns).await, expected);
    }
}

/// The columns of a table in DuckDB, with their types.
fn duckdb_columns(connection: &Connection, table: &str) -> Vec<(String, String)> {
    let query = "select column_name, data_type from information_schema.columns
                 where table_name = ? order by ordinal_position";
    let mut statement = connection.prepare(query).unwrap();
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    columns.collect::<Result<_, _>>().unwrap()
}

fn staging(dataset: &merganser::dataset::Dataset) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for script in [sql::STAGED_TABLES, dataset.scripts.stage] {
        connection.execute_batch(&sql::render(script, &[])).unwrap();
    }
    connection
}

#[test]
fn the_staged_columns_are_those_of_duckdb() {
    for dataset in DATASETS {
        let connection = staging(dataset);
        for table in dataset.tables {
            let columns = table.parsed().map(|column| (column.name, duckdb_type(column.kind)));
            let expected: Vec<_> = [("record_no", "BIGINT")]
                .into_iter()
                .chain(columns)
                .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
                .collect();
            assert_eq!(duckdb_columns(&connection, table.name), expected, "{}", table.name);
        }
    }
}

/// COPY goes by position, so a header in another order would put values into the wrong columns.
#[test]
fn the_exported_columns_are_the_staged_ones() {
    for dataset in DATASETS {
        let connection = staging(dataset);
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        let records = dataset.records_table();
        for script in
            [sql::STAGED_MERGE, sql::STAGED_ARRAY_LITERAL, sql::STAGED_RECORDS, dataset.scripts.export]
        {
            connection.execute_batch(&sql::render(script, &[("dir", dir), ("records", &records)])).unwrap();
        }
        let header = |table: &str| fs::read_to_string(folder.path().join(format!("{table}.csv"))).unwrap();
        for table in dataset.tables {
            let expected: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(header(table.name), expected.join(",") + "\n", "{}", table.name);
        }
        let records = "record_id,part_id,as_of,order_key,ordinal,offset_bytes,is_delete,has_data,is_winner\n";
        assert_eq!(header(&dataset.records_table()), records);
    }
}

/// The rows of a CSV are in the order in which they were staged, without the rows of losers, at any number of rows.
#[test]
fn exported_rows_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(folder.path(), DuckLimits { memory_mib: 64, threads: 2 }).unwrap();
    parse::make_tables(&staging, &OCA).unwrap();
    let rows = "insert into oca_causes (record_no, indexnumberid, amount)
                    select n // 3, 'case ' || n // 3, n::varchar from range(600000) as r(n);
                insert into failed (record_no, offset_bytes, reason) select n, 0, '' from range(0, 200000, 7) as r(n);";
    staging.execute("stage rows", rows, &[]).unwrap();
    enrich::find_winners(&staging, &OCA).unwrap();
    export::write(&staging, &OCA, folder.path(), || Ok::<_, DuckError>(())).unwrap();
    let csv = fs::read_to_string(folder.path().join("oca_causes.csv")).unwrap();
    let amounts = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap());
    assert!(amounts.eq((0..600_000_u64).filter(|n| !(n / 3).is_multiple_of(7))));
}

#[test]
fn what_is_published_names_columns_of_its_table() {
    for dataset in DATASETS {
        let tables = dataset.own_tables().chain(dataset.derived.iter().map(|derived| &derived.table));
        let tables: Vec<&Table> = tables.collect();
        for published in dataset.published {
            let table = tables.iter().find(|table| table.name == published.table);
            let table = table.unwrap_or_else(|| panic!("{} belongs to no table", published.name));
            if let merganser::dataset::PublishedColumns::Only(names) = published.columns {
                let known = |name: &&str| table.columns.iter().any(|column| column.name == *name);
                assert!(names.iter().all(known), "{}", published.name);
            }
        }
    }
}

/// A dataset with a dictionary describes every table and every column.
#[test]
fn the_dictionary_names_every_column_once() {
    for dataset in DATASETS.iter().filter(|dataset| !dataset.dictionary.is_empty()) {
        let tables = dataset.own_tables().chain(dataset.derived.iter().map(|derived| &derived.table));
        let expected: Vec<_> = tables.map(|table| table.name).collect();
        let said: Vec<_> = dataset.dictionary.iter().map(|described| described.table).collect();
        assert_eq!(said, expected);
        for (described, name) in dataset.dictionary.iter().zip(expected) {
            let mut tables = dataset.own_tables().chain(dataset.derived.iter().map(|derived| &derived.table));
            let table = tables.find(|table| table.name == name).unwrap();
            // The dataset declares no geometry column, but the dictionary describes it.
            let said = described.columns.iter().map(|(name, _)| *name).filter(|name| *name != "geom");
            assert!(said.eq(table.columns.iter().map(|column| column.name)), "{name}");
            let texts = described.columns.iter().map(|(_, about)| *about).chain([described.about]);
            for text in texts {
                assert!(text.len() > 7 && !text.ends_with('.') && text.trim() == text, "{name}: {text:?}");
            }
        }
    }
}
