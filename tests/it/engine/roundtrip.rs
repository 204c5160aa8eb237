//! PostgreSQL returns what the staging store holds, through the export and COPY, hundreds of rows at a time. The store
//! holds more than XML can carry, so no rule of a parser gets in the way.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, TimestampMicrosecondArray,
};
use bytes::Bytes;
use futures_util::SinkExt;
use jiff::civil::{Date, DateTime, date};
use merganser::clients::duckdb::{DuckError, DuckLimits, Staging};
use merganser::datasets::oca::OCA;
use merganser::sql;
use merganser::stages::{enrich, export, parse};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio_postgres::Client;

use crate::support::csv::Csv;
use crate::support::postgres;
use crate::support::server_dir;

/// A judgment: no other table has values of so many types.
#[derive(Clone, Debug)]
struct Row {
    sequence: Option<i32>,
    kind: Option<String>,
    filed: Option<Date>,
    entered: Option<DateTime>,
    with_possession: Option<bool>,
    status: Option<String>,
    amount: Option<String>,
    creditors: Option<Vec<Option<String>>>,
    debtors: Option<Vec<Option<String>>>,
}

/// All of Unicode except NUL, which PostgreSQL does not take, and characters with a meaning in CSV, COPY or array
/// literals.
fn text() -> impl Strategy<Value = String> {
    let special = [
        "\"", "\"\"", "\\", "\\.", "\n\\.\n", ",", "{", "}", "NULL", "\\N", "\n", "\r", "\r\n", "\t", " ",
        "'",
    ];
    let piece = prop_oneof![
        2 => prop::sample::select(special.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_filter("no NUL", |c| *c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn row() -> impl Strategy<Value = Row> {
    let option = prop::option::of::<BoxedStrategy<String>>;
    let array = || prop::option::of(prop::collection::vec(prop::option::of(text()), 0..4));
    let day =
        || (0..3_652_059_i32).prop_map(|days| date(1, 1, 1).saturating_add(jiff::Span::new().days(days)));
    let time = (day(), 0..86_400_000_000_i64)
        .prop_map(|(day, micros)| day.at(0, 0, 0, 0).saturating_add(jiff::Span::new().microseconds(micros)));
    let amount = "[+-]?[0-9]{1,30}(\\.[0-9]{1,20})?".boxed();
    let texts = (option(text().boxed()), option(text().boxed()), option(amount), array(), array());
    let typed =
        (any::<Option<i32>>(), prop::option::of(day()), prop::option::of(time), any::<Option<bool>>());
    (texts, typed).prop_map(
        |((kind, status, amount, creditors, debtors), (sequence, filed, entered, with_possession))| Row {
            sequence,
            kind,
            filed,
            entered,
            with_possession,
            status,
            amount,
            creditors,
            debtors,
        },
    )
}

/// The rows as the parser would hand them on.
fn batch(rows: &[Row]) -> RecordBatch {
    fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
        Arc::new(StringArray::from(values.collect::<Vec<_>>()))
    }
    fn arrays<'a>(values: impl Iterator<Item = &'a Option<Vec<Option<String>>>>) -> ArrayRef {
        let mut builder = ListBuilder::new(StringBuilder::new());
        for array in values {
            array.iter().flatten().for_each(|text| builder.values().append_option(text.as_deref()));
            builder.append(array.is_some());
        }
        Arc::new(builder.finish())
    }
    let days = |date: Date| jiff::civil::date(1970, 1, 1).until(date).expect("in range").get_days();
    let micros = |time: DateTime| {
        let since = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0).duration_until(time);
        i64::try_from(since.as_micros()).expect("in range")
    };
    let numbers: Vec<_> = (1..=rows.len() as i64).collect();
    let ids = numbers.iter().map(|number| Some(number.to_string()));
    let columns: [(&str, ArrayRef); 13] = [
        ("record_no", Arc::new(Int64Array::from(numbers.clone()))),
        ("indexnumberid", texts(ids)),
        ("sequence", Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.sequence)))),
        ("amendedfromjudgmentsequence", Arc::new(Int32Array::new_null(rows.len()))),
        ("judgmenttype", texts(rows.iter().map(|row| row.kind.clone()))),
        ("fileddate", Arc::new(Date32Array::from_iter(rows.iter().map(|row| row.filed.map(days))))),
        (
            "entereddatetime",
            Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.entered.map(micros)))),
        ),
        ("withpossession", Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.with_possession)))),
        ("latestjudgmentstatus", texts(rows.iter().map(|row| row.status.clone()))),
        ("latestjudgmentstatusdate", Arc::new(Date32Array::new_null(rows.len()))),
        ("totaljudgmentamount", texts(rows.iter().map(|row| row.amount.clone()))),
        ("creditorsroles", arrays(rows.iter().map(|row| &row.creditors))),
        ("debtorsroles", arrays(rows.iter().map(|row| &row.debtors))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns")
}

/// The CSV that the export writes for the rows.
fn exported(rows: &[Row]) -> Vec<u8> {
    let folder = server_dir();
    let mut staging =
        Staging::create(folder.path(), DuckLimits { memory_mib: 256, threads: 1 }).expect("a store");
    parse::make_tables(&staging, &OCA).expect("tables");
    let mut load = staging.load().expect("a transaction");
    load.append("oca_judgments", batch(rows)).expect("rows");
    load.commit().expect("a commit");
    enrich::find_winners(&staging, &OCA).expect("a macro and a table");
    export::write(&staging, &OCA, folder.path(), || Ok::<_, DuckError>(())).expect("an export");
    std::fs::read(folder.path().join("oca_judgments.csv")).expect("a CSV")
}

/// Loads the CSV as the load step does.
async fn copy(client: &Client, csv: Vec<u8>) {
    let table = OCA.tables.iter().find(|table| table.name == "oca_judgments").expect("a table");
    let columns = sql::columns(table);
    let variables = [("staging", "public"), ("table", table.name), ("columns", &columns)];
    client.batch_execute("truncate oca_judgments").await.expect("an empty table");
    let sink = client.copy_in(&sql::render(sql::LOAD_COPY, &variables)).await.expect("a copy");
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from(csv)).await.expect("bytes are taken");
    sink.finish().await.expect("the CSV is good");
}

/// The number as PostgreSQL shows it: every significant digit, and the scale.
fn shown(number: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number.trim_start_matches('+')),
    };
    let whole = digits.split('.').next().expect("a whole part");
    let kept = whole.trim_start_matches('0').len().max(1);
    let sign = if digits.bytes().all(|b| matches!(b, b'0' | b'.')) { "" } else { sign };
    format!("{sign}{}", &digits[whole.len() - kept..])
}

async fn compare(client: &Client, rows: &[Row]) {
    let columns = "sequence, judgmenttype, fileddate, entereddatetime, withpossession, latestjudgmentstatus,
        totaljudgmentamount::text, creditorsroles, debtorsroles";
    let found = client
        .query(&format!("select {columns} from oca_judgments order by indexnumberid::int"), &[])
        .await
        .expect("an answer");
    assert_eq!(found.len(), rows.len());
    for (found, row) in found.iter().zip(rows) {
        assert_eq!(found.get::<_, Option<i32>>(0), row.sequence);
        assert_eq!(found.get::<_, Option<String>>(1), row.kind);
        assert_eq!(found.get::<_, Option<Date>>(2), row.filed);
        assert_eq!(found.get::<_, Option<DateTime>>(3), row.entered);
        assert_eq!(found.get::<_, Option<bool>>(4), row.with_possession);
        assert_eq!(found.get::<_, Option<String>>(5), row.status);
        assert_eq!(found.get::<_, Option<String>>(6), row.amount.as_deref().map(shown));
        assert_eq!(found.get::<_, Option<Vec<Option<String>>>>(7), row.creditors);
        assert_eq!(found.get::<_, Option<Vec<Option<String>>>>(8), row.debtors);
    }
}

/// The CSV that PostgreSQL publishes, read by a strict parser.
async fn published(client: &Client, rows: &[Row]) {
    let query =
        "copy (select judgmenttype, latestjudgmentstatus from oca_judgments order by indexnumberid::int)
        to stdout (format csv, header)";
    let stream = client.copy_out(query).await.expect("a copy");
    let chunks: Vec<Bytes> = futures_util::TryStreamExt::try_collect(stream).await.expect("bytes");
    let csv = Csv::parse(std::str::from_utf8(&chunks.concat()).expect("UTF-8"));
    let expected: Vec<_> = rows.iter().map(|row| vec![row.kind.clone(), row.status.clone()]).collect();
    assert_eq!(csv.rows, expected);
}

#[test]
fn values_come_back_from_postgresql_as_they_were_staged() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let database = runtime.block_on(postgres::plain_database("round trip"));
    let client = runtime.block_on(async {
        let client = database.client().await;
        let tables = sql::render(OCA.scripts.tables, &[("schema", "public")]);
        client.batch_execute(&tables).await.expect("tables");
        client
    });
    let config = Config {
        cases: 20,
        max_shrink_iters: u32::MAX,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..Config::default()
    };
    let rows = prop::collection::vec(row(), 1..400);
    let result = TestRunner::new(config).run(&rows, |rows| {
        let csv = exported(&rows);
        runtime.block_on(async {
            copy(&client, csv).await;
            compare(&client, &rows).await;
            published(&client, &rows).await;
        });
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
