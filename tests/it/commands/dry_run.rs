//! A dry run says what the real run will do, and does none of it. CSVs of truth are compared inside the transaction.

use std::fs;
use std::path::PathBuf;

use crate::datasets::oca::rules::{marked, marks};
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran, TABLES};

/// The table of changes that a run shows.
fn changes(ran: &Ran) -> Vec<String> {
    let lines = ran.stdout.lines().skip_while(|line| !line.starts_with("table ")).skip(1);
    lines.take(TABLES.len()).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn a_dry_run_says_what_the_real_run_does_and_does_nothing() {
    let pipeline = Pipeline::new("dry run").await;
    let first = Extract::weekly("2024-01-01").case("kept", &marked("1")).case("changed", &marked("1"));
    pipeline.put(first.case("gone", &marked("1")));
    // This holds on an empty database too: not even the tables are made.
    let dry = pipeline.run_with(&["--dry-run"]).await.exits(0);
    assert_eq!(dry.count("records_loaded"), 3);
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    assert_eq!(pipeline.objects().len(), 0);
    let real = pipeline.run().await.exits(0);
    assert_eq!(changes(&dry), changes(&real));

    let more = "<Parties><Party><Role>a</Role></Party><Party><Role>b</Role></Party></Parties>";
    let extract =
        Extract::weekly("2024-01-08").case("changed", more).case("new", &marked("2")).delete("gone");
    let extract = extract.case("bad", "<FiledDate>soon</FiledDate><Surprise>x</Surprise>");
    pipeline.put(extract.delete("never seen"));
    let (tables, objects) = (pipeline.tables("public").await, pipeline.objects());
    let origins =
        "select string_agg(record_id || ' ' || part_id, ', ' order by record_id) from etl.record_origins";
    let origins_before = pipeline.one(origins).await;
    let dry = pipeline.run_with(&["--dry-run"]).await.exits(3);
    let dry = dry.says("A dry run, rolled back: 2 cases loaded").says("The database is unchanged.");
    for sample in [
        "oca_index inserted, such as new\n",
        "oca_index replaced, such as changed\n",
        "oca_index deleted, such as gone\n",
        "oca_parties inserted, such as changed new\n",
        "oca_warrants deleted, such as changed gone\n",
        "guard failures: passed, 1 of 5 records failed\n",
        "guard drop oca_index: passed, 3 -> 3 rows (0.0 %)\n",
    ] {
        assert!(dry.stdout.contains(sample), "{sample}\n{}", dry.stdout);
    }
    assert_eq!(pipeline.tables("public").await, tables);
    assert_eq!(pipeline.objects(), objects, "the store is as it was");
    assert_eq!(pipeline.one(origins).await, origins_before);
    let run = "select concat_ws(' ', status, dry_run, (select string_agg(status, ' ') from etl.parts f where f.run_id = r.run_id),
            (select count(*) from etl.guards g where g.run_id = r.run_id and name = 'drop'))
        from etl.runs r order by started_at desc limit 1";
    assert_eq!(pipeline.one(run).await, "rolled_back t pending 8");

    // The failed records of the dry run are shown only on request.
    let dry_id =
        pipeline.one("select run_id from etl.runs where dry_run order by started_at desc limit 1").await;
    pipeline.other(&["failures"]).await.exits(0).says("No failed records.");
    pipeline.other(&["failures", "--run", &dry_id]).await.exits(0).says("they failed in a dry run");
    pipeline
        .other(&["status", &dry_id])
        .await
        .exits(0)
        .says("rolled_back (dry run)")
        .says("A dry run, rolled back. The database is unchanged.");

    let real = pipeline.run().await.exits(3);
    assert_eq!(changes(&dry), changes(&real));
    assert_eq!(
        changes(&real)[..4],
        ["oca_index 3 1 1 1 3", "oca_causes 0 0 0 0 0", "oca_addresses 0 0 0 0 0", "oca_parties 3 2 1 1 4"]
    );
    let same = "select count(*) from (
        select table_name, rows_before, inserted, replaced, deleted, rows_after from etl.table_changes
            join etl.runs using (run_id) where dry_run
        except select table_name, rows_before, inserted, replaced, deleted, rows_after from etl.table_changes
            join etl.runs using (run_id) where not dry_run) as odd";
    assert_eq!(pipeline.one(same).await, "0");
}

/// The published CSVs, as truth for another run.
fn truth(pipeline: &Pipeline) -> PathBuf {
    let folder = pipeline.folder().join("truth");
    fs::create_dir(&folder).unwrap();
    for table in TABLES {
        fs::copy(pipeline.store().join(format!("public/{table}.csv")), folder.join(format!("{table}.csv")))
            .unwrap();
    }
    folder
}

#[tokio::test]
async fn tables_that_differ_from_the_truth_are_rolled_back() {
    let made = Pipeline::new("golden made").await;
    let odd = "<Status>a \"quoted\",\n second line</Status>";
    let extract =
        Extract::weekly("2024-01-01").case("a", &marked("1")).case("b", odd).case("c", &marked("1"));
    made.put(extract.clone());
    made.run().await.exits(0);
    let folder = truth(&made);
    let truth = folder.display().to_string();

    let pipeline = Pipeline::new("golden compared").await;
    let name = extract.file_name();
    fs::write(pipeline.source().join(&name), extract.bytes()).unwrap();
    let golden = ["--golden", truth.as_str()];
    // One value of one row differs, one row is missing, one row is too many.
    let index = fs::read_to_string(folder.join("oca_index.csv")).unwrap();
    fs::write(folder.join("oca_index.csv"), index.replace("c,,,,,,1,", "c,,,,,,2,")).unwrap();
    let parties = fs::read_to_string(folder.join("oca_parties.csv")).unwrap();
    fs::write(folder.join("oca_parties.csv"), parties.replace("a,1,", "nobody,1,")).unwrap();
    let ran =
        pipeline.run_with(&golden).await.exits(1).says("differ in 3 rows").says("The database is unchanged.");
    let ran = ran.says("oca_index c: status: \"2\" in truth, \"1\" here");
    ran.says("oca_parties nobody: a row of truth is missing")
        .says("oca_parties a: a row that truth does not have");
    assert_eq!(pipeline.one("select to_regclass('oca_index')").await, "NULL");
    assert_eq!(pipeline.one("select status from etl.runs").await, "failed");

    fs::write(folder.join("oca_index.csv"), index).unwrap();
    fs::write(folder.join("oca_parties.csv"), parties).unwrap();
    pipeline.run_with(&golden).await.exits(0).says("12 tables compared with");
    assert_eq!(marks(&pipeline, "c").await, "1");
    assert_eq!(
        pipeline.one("select options ->> 'golden' from etl.runs where status = 'completed'").await,
        truth
    );
    // A comparison with no files would always pass.
    let empty = pipeline.folder().join("empty");
    fs::create_dir(&empty).unwrap();
    let ran = pipeline.run_with(&["--golden", &empty.display().to_string()]).await.exits(2);
    ran.says("has no CSV that is named like a table");
}
