//! A sheet that was posted by mistake is undone.

use merganser::commands;
use merganser::commands::undo::UndoneRuns;
use merganser::config::UndoConfig;

use super::*;

fn undo(pipeline: &Pipeline, runs: &[&str], allow: &[&str]) -> Result<UndoneRuns, Failure> {
    let RunConfig { target, .. } = config(pipeline);
    let runs = runs.iter().map(|run| (*run).to_owned()).collect();
    let mut config = UndoConfig::plain(&RATES, runs, target.store, target.database);
    config.allow = allow.iter().map(|guard| (*guard).to_owned()).collect();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(commands::undo::undo(config, &Report::silent()))
    };
    std::thread::Builder::new().stack_size(16 << 20).spawn(work).unwrap().join().unwrap()
}

async fn last(pipeline: &Pipeline) -> String {
    pipeline.one("select run_id::text from etl.runs order by started_at desc limit 1").await
}

/// The part that the table's content comes from.
async fn origin(pipeline: &Pipeline) -> String {
    let origin = "select concat_ws(' ', slice, part_id, loaded_at) from etl.slice_origins";
    pipeline.column(origin).await.join(";")
}

#[tokio::test]
async fn a_sheet_is_taken_back_and_brought_again() {
    let pipeline = Pipeline::new("toy undo").await;
    put_as(&pipeline, "rates-2026-11-01.csv", "a,one,1.50\nb,two,2\nc,three,3\n");
    load(&pipeline).unwrap();
    let (before, origin_before) = (rows(&pipeline).await, origin(&pipeline).await);
    let versions = "select xmin::text from rates where code = 'a'";
    let version = pipeline.one(versions).await;
    put_as(&pipeline, "rates-2026-11-08.csv", "a,one,1.50\nb,two,22\nd,four,4\n");
    let mut config = config(&pipeline);
    config.processing.allow = vec!["drop".into()];
    run(config).unwrap();
    let run = last(&pipeline).await;
    let after = rows(&pipeline).await;
    assert_eq!(after, "a:one:1.50 b:two:22 d:four:4");

    let done = undo(&pipeline, &[&run], &[]).unwrap();
    assert_eq!((done.undone.restored, done.undone.vanished, done.undone.files), (2, 1, 1));
    assert_eq!(rows(&pipeline).await, before);
    assert_eq!(origin(&pipeline).await, origin_before);
    assert_eq!(pipeline.one(versions).await, version, "a row that is the same is not written");
    let first = last(&pipeline).await;
    assert_eq!(load(&pipeline).unwrap().files, 0, "nobody takes it again");

    undo(&pipeline, &[&first], &[]).unwrap();
    assert_eq!(rows(&pipeline).await, after);
    let second = last(&pipeline).await;
    undo(&pipeline, &[&second], &[]).unwrap();
    assert_eq!(rows(&pipeline).await, before);
    // A sheet that is older than the undone one and newer than the table's.
    put_as(&pipeline, "rates-2026-11-05.csv", "a,one,5\nb,two,2\nc,three,3\n");
    load(&pipeline).unwrap();
    assert_eq!(rows(&pipeline).await, "a:one:5 b:two:2 c:three:3");
}

#[tokio::test]
async fn a_later_sheet_stands_in_the_way_and_an_empty_table_is_let_through_by_name() {
    let pipeline = Pipeline::new("toy undo later").await;
    put_as(&pipeline, "rates-2026-11-01.csv", "a,one,1\nb,two,2\n");
    load(&pipeline).unwrap();
    let first = last(&pipeline).await;
    put_as(&pipeline, "rates-2026-11-08.csv", "a,one,1\nb,two,2\nc,three,3\n");
    load(&pipeline).unwrap();
    let second = last(&pipeline).await;
    // No row of the first sheet was changed, but the table now says what the second sheet says.
    let error = undo(&pipeline, &[&first], &["drop"]).expect_err("a later sheet").to_string();
    assert!(error.contains(&format!("run {second}: 2 rates")), "{error}");
    let error = undo(&pipeline, &[&first, &second], &[]).expect_err("a guard").to_string();
    assert!(error.contains("guard drop rates"), "{error}");
    assert_eq!(rows(&pipeline).await, "a:one:1 b:two:2 c:three:3");
    undo(&pipeline, &[&first, &second], &["drop"]).unwrap();
    assert_eq!(rows(&pipeline).await, "NULL");
    assert_eq!(origin(&pipeline).await, "");
}
