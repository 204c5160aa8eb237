//! A second dataset on the engine: a sheet that is replaced whole, in a list of its own. Every test runs it against a
//! real database, through the functions that the commands call.

mod rates;
mod undo;

use std::fs;

use merganser::commands;
use merganser::commands::summary::Summary;
use merganser::config::{DatabaseConfig, FailureBudget, RunConfig};
use merganser::dataset::{Dataset, Parsed, Scripts};
use merganser::error::Failure;
use merganser::log::Report;

use self::rates::RATES;
use crate::support::pipeline::Pipeline;

/// Puts the sheet into the source.
fn put(pipeline: &Pipeline, lines: &str) {
    put_as(pipeline, "rates.csv", lines);
}

fn put_as(pipeline: &Pipeline, name: &str, lines: &str) {
    fs::write(pipeline.source().join(name), format!("code,title,amount\n{lines}")).unwrap();
}

/// A dataset whose export loses a row.
const LOSES_A_ROW: Dataset = Dataset {
    scripts: Scripts {
        export: "copy (select code, title, amount from rates where code <> 'b' order by record_no)
            to (:'dir' || '/rates.csv') (format csv, header, nullstr '');\n",
        ..RATES.scripts
    },
    ..RATES
};

/// A dataset whose parser counts one record more than it returns.
const LOSES_A_RECORD: Dataset = Dataset {
    parse: |input, sink| {
        let parsed = (RATES.parse)(input, sink)?;
        Ok(Parsed { records_seen: parsed.records_seen + 1, ..parsed })
    },
    ..RATES
};

fn config(pipeline: &Pipeline) -> RunConfig {
    let database = DatabaseConfig {
        url: pipeline.database.url().parse().unwrap_or_else(|_| panic!("a good URL")),
        schema: "public".into(),
        ledger_schema: "etl".into(),
        staging_schema: "etl_staging".into(),
    };
    let source = format!("dir:{}", pipeline.source().display()).parse().unwrap();
    let store = format!("file:{}", pipeline.store().display()).parse().unwrap();
    let mut config = RunConfig::plain(&RATES, source, store, database);
    config.processing.work_dir = pipeline.folder().join("work");
    config
}

fn load(pipeline: &Pipeline) -> Result<Summary, Failure> {
    run(config(pipeline))
}

/// A run in this process, on a stack as large as the program's own.
fn run(config: RunConfig) -> Result<Summary, Failure> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(commands::run::run(config, &Report::silent()))
    };
    std::thread::Builder::new().stack_size(16 << 20).spawn(work).unwrap().join().unwrap()
}

async fn rows(pipeline: &Pipeline) -> String {
    pipeline.one("select string_agg(concat_ws(':', code, title, amount), ' ' order by code) from rates").await
}

/// The last change of the table: inserted, replaced, deleted.
async fn change(pipeline: &Pipeline) -> String {
    let query = "select concat_ws(' ', inserted, replaced, deleted)
                 from etl.table_changes join etl.runs using (run_id) order by started_at desc limit 1";
    pipeline.one(query).await
}

#[tokio::test]
async fn a_sheet_becomes_a_table_and_only_what_differs_is_touched() {
    let pipeline = Pipeline::new("toy replace").await;
    put(&pipeline, "a,one,1.50\nb,two,2\nc,three,3\n");
    let summary = load(&pipeline).unwrap();
    assert_eq!((summary.files, summary.records.loaded), (1, 3));
    assert_eq!(rows(&pipeline).await, "a:one:1.50 b:two:2 c:three:3");
    assert_eq!(change(&pipeline).await, "3 0 0");
    let versions = "select string_agg(xmin::text, ' ' order by code) from rates where code in ('a', 'c')";
    let before = pipeline.one(versions).await;

    put(&pipeline, "a,one,1.50\nb,two,22\nc,three,3\nd,four,4\n");
    load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:1.50 b:two:22 c:three:3 d:four:4");
    assert_eq!(change(&pipeline).await, "1 1 0");
    assert_eq!(pipeline.one(versions).await, before, "rows that are the same are not written");
    let origins =
        "select (select count(*) from etl.record_origins) || ' ' || (select count(*) from etl.slice_origins)";
    assert_eq!(pipeline.one(origins).await, "0 1", "the part is the origin, not each record");
}

#[tokio::test]
async fn what_the_sheet_does_not_name_goes_and_a_failed_row_stays() {
    let pipeline = Pipeline::new("toy failed").await;
    put(&pipeline, "a,one,1\nb,two,2\nc,three,3\n");
    load(&pipeline).unwrap();
    put(&pipeline, "a,one,1\nb,two,many\n");
    let summary = load(&pipeline).unwrap();
    assert_eq!(summary.failures.records, 1);
    assert_eq!(rows(&pipeline).await, "a:one:1 b:two:2", "c is gone, b stays as it was");
    let open =
        "select string_agg(concat_ws(' ', record_id, resolution), ',' order by 1) from etl.failed_records";
    assert_eq!(pipeline.one(open).await, "b");
    put(&pipeline, "a,one,1\nb,two,5\n");
    load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:1 b:two:5");
    assert_eq!(pipeline.one(open).await, "b loaded");
}

/// Nobody can say which row the failed record was, so no row is deleted.
#[tokio::test]
async fn while_a_failed_record_has_no_key_no_row_goes() {
    let pipeline = Pipeline::new("toy keyless").await;
    put(&pipeline, "a,one,1\nb,two,2\n");
    load(&pipeline).unwrap();
    put(&pipeline, "a,one,3\n,garbled\n");
    load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:3 b:two:2");
    put(&pipeline, "a,one,3\n");
    load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:3");
    let resolved = "select string_agg(resolution, ' ') from etl.failed_records";
    assert_eq!(pipeline.one(resolved).await, "superseded");
}

#[tokio::test]
async fn of_two_lines_with_one_key_of_which_one_fails_neither_counts() {
    let pipeline = Pipeline::new("toy twice").await;
    put(&pipeline, "a,one,1\n");
    load(&pipeline).unwrap();
    put(&pipeline, "a,one,2\na,one,many\nb,two,2\n");
    load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:1 b:two:2");
}

#[tokio::test]
async fn the_newest_sheet_counts_and_an_older_one_changes_nothing() {
    let pipeline = Pipeline::new("toy order").await;
    // Both sheets in one run: a record that failed in the older one keeps no row in the newer.
    put_as(&pipeline, "rates-2026-11-01.csv", "a,one,1\nb,two,many\nc,three,3\n");
    put_as(&pipeline, "rates-2026-11-08.csv", "a,one,2\nd,four,4\n");
    let summary = load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:2 d:four:4");
    assert_eq!((summary.records.loaded, summary.records.superseded, summary.records.failed), (2, 2, 1));
    assert_eq!(
        pipeline.one("select string_agg(resolution, ' ') from etl.failed_records").await,
        "superseded"
    );
    put_as(&pipeline, "rates-2026-10-25.csv", "a,old,9\ne,five,5\n");
    let summary = load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:2 d:four:4");
    assert_eq!((summary.records.loaded, summary.records.superseded), (0, 2));
    let manifest = fs::read_to_string(pipeline.store().join("public/rates/manifest.json")).unwrap();
    assert!(manifest.contains(r#""newest_run_date": "2026-11-08""#), "{manifest}");
}

/// Every key has a digit more or less, so all rows are new: as many come as go.
#[tokio::test]
async fn rows_that_go_are_counted_whatever_comes_in_their_place() {
    let pipeline = Pipeline::new("toy drop").await;
    let lines = |first: u32| (first..first + 50).map(|n| format!("{n},rate,{n}\n")).collect::<String>();
    put(&pipeline, &lines(100));
    load(&pipeline).unwrap();
    put(&pipeline, &lines(1000));
    let error = load(&pipeline).expect_err("a guard stops it").to_string();
    assert!(error.contains("guard drop rates"), "{error}");
    put(&pipeline, &lines(100));
    pipeline.execute("delete from rates where code > '103'").await;
    put(&pipeline, "");
    let error = load(&pipeline).expect_err("few rows, and none would be left").to_string();
    assert!(error.contains("guard drop rates"), "{error}");
}

#[tokio::test]
async fn an_empty_or_unreadable_sheet_loses_nothing() {
    let pipeline = Pipeline::new("toy empty").await;
    let lines: String = (10..60).map(|n| format!("{n},rate,{n}\n")).collect();
    put(&pipeline, &lines);
    load(&pipeline).unwrap();
    put(&pipeline, "");
    let error = load(&pipeline).expect_err("a guard stops it").to_string();
    assert!(error.contains("guard drop rates"), "{error}");
    fs::write(pipeline.source().join("rates.csv"), "<html>log in</html>\n").unwrap();
    let error = load(&pipeline).expect_err("nothing can be read").to_string();
    assert!(error.contains("no file could be read"), "{error}");
    assert_eq!(pipeline.one("select count(*) from rates").await, "50");
    let mut config = config(&pipeline);
    put(&pipeline, "10,rate,10\n");
    config.processing.allow = vec!["drop".into()];
    run(config).unwrap();
    assert_eq!(pipeline.one("select count(*) from rates").await, "1");
}

/// Somebody put a CHECK on the table: the record fails, its row stays, and the others are loaded.
#[tokio::test]
async fn a_record_that_the_database_refuses_is_a_failed_one_here_too() {
    let pipeline = Pipeline::new("toy refused").await;
    put(&pipeline, "a,one,1\nb,two,2\n");
    load(&pipeline).unwrap();
    pipeline.execute("alter table rates add check (amount < 100)").await;
    put(&pipeline, "a,one,11\nb,two,200\nc,three,3\n");
    let mut config = config(&pipeline);
    config.processing.max_failures = FailureBudget { percent: 0.0, records: 1 };
    let summary = run(config).unwrap();
    assert_eq!(summary.failures.records, 1);
    assert_eq!(rows(&pipeline).await, "a:one:11 b:two:2 c:three:3");
}

/// A row that got lost between the sheet and the database would look deleted.
#[tokio::test]
async fn what_is_lost_on_the_way_stops_the_run() {
    let pipeline = Pipeline::new("toy lost").await;
    put(&pipeline, "a,one,1\nb,two,2\n");
    load(&pipeline).unwrap();
    put(&pipeline, "a,one,3\nb,two,2\n");
    for (dataset, words) in [
        (&LOSES_A_ROW, "2 records to load, and 1 row of them staged"),
        (&LOSES_A_RECORD, "has 3 records, and only 2 staged or failed: nothing of it is loaded"),
    ] {
        let mut config = config(&pipeline);
        config.target.dataset = dataset;
        let error = run(config).expect_err("something is missing").to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(rows(&pipeline).await, "a:one:1 b:two:2");
    }
}

#[tokio::test]
async fn its_objects_are_its_own() {
    let pipeline = Pipeline::new("toy objects").await;
    put(&pipeline, "a,one,1\n");
    load(&pipeline).unwrap();
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(pipeline.store().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("public"), ["rates"]);
    assert_eq!(names("public/rates"), ["manifest.json", "rates.csv"]);
    assert_eq!(names("private/rates"), ["rates.csv", "runs"]);
    let csv = fs::read_to_string(pipeline.store().join("public/rates/rates.csv")).unwrap();
    assert_eq!(csv, "code,title,amount\na,one,1\n");
}
