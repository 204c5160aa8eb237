//! An undo is killed, or cut off, at every point: production is as before or as after the undo, and readers see nothing
//! else.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::attack::{cluster, disconnect};
use crate::commands::undo::weeks::{everything, last_run};
use crate::engine::readers::{ask, case};
use crate::support;
use crate::support::extract::Extract;
use crate::support::held::held;
use crate::support::pipeline::Pipeline;
use crate::support::postgres::TestDatabase;

/// One of so many undos is cut off, unless all are tried; at each point one is killed.
const SOME: usize = 4;
/// The number of undos at once.
const AT_ONCE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Cut,
}

fn week(date: &str, mark: &str, rows: usize, cases: std::ops::Range<usize>) -> Extract {
    cases.fold(Extract::weekly(date), |extract, n| extract.case(&format!("case {n}"), &case(mark, rows)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_is_broken_at_every_point() {
    let cluster = cluster().await;
    let pipeline = Pipeline::on(TestDatabase::copy(cluster, "merganser", "undo faults").await);
    pipeline.put(week("2024-01-01", "old", 2, 0..12));
    pipeline.run().await.exits(0);
    let before = (everything(&pipeline).await, ask(&pipeline.database.client().await).await);
    pipeline.put(week("2024-01-08", "new", 3, 4..16).delete("case 0"));
    pipeline.run().await.exits(0);
    let run = last_run(&pipeline).await;
    let after = (everything(&pipeline).await, ask(&pipeline.database.client().await).await);
    let template = pipeline.database.name().to_owned();
    let copy = async |hint: &str| {
        let database = TestDatabase::copy(cluster, &template, hint).await;
        Pipeline::on(database).with("--source", format!("dir:{}", pipeline.source().display()))
    };
    // The points that an undisturbed undo reaches, and its result: case 0 is sealed, and everything else is as before.
    let whole = copy("undo whole").await;
    let trace = whole.folder().join("trace");
    let fault = format!("*=trace {}", trace.display());
    let words = ["undo", run.as_str(), "--allow", "drop"];
    whole.start_other(&words, &[("FAULTS", &fault)]).await.expect("it is over").exits(0);
    let undone = (everything(&whole).await, ask(&whole.database.client().await).await);
    assert!(undone.0 != after.0 && undone.1 != after.1 && undone.1 != before.1);
    let trace = fs::read_to_string(trace).expect("a trace");
    let mut points: Vec<_> = trace.lines().map(str::to_owned).collect();
    points.dedup();
    assert!(
        ["promote.noted", "promote.before_commit", "publish.end"]
            .iter()
            .all(|p| points.iter().any(|q| q == p))
    );
    let committed = points.iter().position(|point| point == "promote.after_commit").expect("it commits");

    let mut attacks = Vec::new();
    for (place, point) in points.iter().enumerate() {
        // The first time at each point.
        if points[..place].contains(point) {
            continue;
        }
        attacks.extend([Fault::Kill, Fault::Cut].map(|fault| (fault, point.clone(), place >= committed)));
    }
    if !support::tries_all() {
        let mut place = 0;
        attacks.retain(|(fault, ..)| {
            place += 1;
            *fault == Fault::Kill || place % SOME == 0
        });
    }
    let all = attacks.len();
    let states = Arc::new([after.1.clone(), undone.1.clone()]);
    let broken: Vec<_> = stream::iter(attacks)
        .map(|(fault, point, is_undone)| {
            let (states, after, undone, words) = (states.clone(), &after, &undone, &words);
            let copy = &copy;
            async move {
                let pipeline = copy("undo attack").await;
                let reader = Reader::start(&pipeline, states);
                let held_at = pipeline.folder().join("held");
                let action = match fault {
                    Fault::Kill => "kill".to_owned(),
                    Fault::Cut => format!("hold {}", held_at.display()),
                };
                let faults = format!("{point}@1={action}");
                let started = pipeline.start_other(words, &[("FAULTS", &faults)]);
                if fault == Fault::Cut {
                    held(&held_at, &started).await;
                    disconnect(&pipeline, "merganser %").await;
                    fs::remove_file(&held_at).expect("it can go on");
                }
                let ran = started.await.expect("it is over");
                let name = format!("{fault:?} at {point}: {}\n{}", ran.code, ran.stderr);
                let found = everything(&pipeline).await;
                let expected = if is_undone { &undone.0 } else { &after.0 };
                assert!(&found == expected, "{name}");
                match fault {
                    Fault::Kill => assert_eq!(ran.code, -1, "{name}"),
                    Fault::Cut if is_undone => assert!([0, 1, 4].contains(&ran.code), "{name}"),
                    Fault::Cut => assert_eq!(ran.code, 1, "{name}"),
                }
                // The same command again either does the undo or says that it is done. The sessions of a killed process
                // end a moment later.
                let again = loop {
                    let again = pipeline.start_other(words, &[]).await.expect("it is over");
                    if again.code != 75 {
                        break again;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                };
                assert_eq!(again.code, if is_undone { 2 } else { 0 }, "{name}, then {}", again.stderr);
                assert!(everything(&pipeline).await == undone.0, "{name}");
                // The next run publishes the rest.
                pipeline.run().await.exits(0);
                assert_eq!(pipeline.csv("public/oca_index.csv").rows.len(), 11, "{name}");
                reader.end().await;
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert!(broken.len() == all && all > 20, "{} of {all}", broken.len());
}

/// A reader that runs one query over all tables, all the time.
struct Reader {
    done: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    fn start(pipeline: &Pipeline, states: Arc<[String; 2]>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (over, url) = (done.clone(), pipeline.database.url());
        let task = tokio::spawn(async move {
            let client = crate::support::postgres::connect(&url).await;
            let mut last = 0;
            while !over.load(Ordering::Relaxed) {
                let found = ask(&client).await;
                let state = states.iter().position(|state| *state == found);
                let state = state.unwrap_or_else(|| panic!("a mixture: {found}"));
                assert!(state >= last, "the state before the undo came back");
                last = state;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { done, task }
    }

    async fn end(self) {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.expect("the reader saw no mixture");
    }
}
