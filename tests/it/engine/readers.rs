//! People who read the tables during a promotion see the old state or the new one, never a mixture, and do not wait.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, TABLES, rows};
use crate::support::waiting;

const READERS: usize = 4;
/// Longer than any answer takes here, and much shorter than the promotion is held up.
const PATIENCE: Duration = Duration::from_secs(1);
const HOLD_UP: Duration = Duration::from_secs(2);

/// A case with `rows` rows in every table, all with the same mark.
pub fn case(mark: &str, rows: usize) -> String {
    let several = |list: &str, row: &str, inside: &str| {
        let rows: String =
            (1..=rows).map(|n| format!("<{row}><Sequence>{n}</Sequence>{inside}</{row}>")).collect();
        format!("<{list}>{rows}</{list}>")
    };
    let unnumbered = |list: &str, row: &str, inside: &str| {
        let rows: String = (1..=rows).map(|_| format!("<{row}>{inside}</{row}>")).collect();
        format!("<{list}>{rows}</{list}>")
    };
    let outcomes = format!(
        "<AppearancePart>{mark}</AppearancePart><AppearanceOutcomes><AppearanceOutcome>\
         <AppearanceOutcomeType>{mark}</AppearanceOutcomeType></AppearanceOutcome></AppearanceOutcomes>"
    );
    let warrants = format!(
        "<JudgmentType>{mark}</JudgmentType><Warrants><Warrant><Sequence>1</Sequence>\
         <ReturnedReason>{mark}</ReturnedReason></Warrant></Warrants>"
    );
    format!("<Status>{mark}</Status>")
        + &unnumbered(
            "PrimaryClaimCauseOfActions",
            "PrimaryClaimCauseOfAction",
            &format!("<CauseOfActionType>{mark}</CauseOfActionType>"),
        )
        + &unnumbered("PropertyAddresses", "PropertyAddress", &format!("<City>{mark}</City>"))
        + &unnumbered("Parties", "Party", &format!("<Role>{mark}</Role>"))
        + &unnumbered("Events", "Event", &format!("<EventName>{mark}</EventName>"))
        + &unnumbered("Appearances", "Appearance", &outcomes)
        + &several("Motions", "Motion", &format!("<MotionType>{mark}</MotionType>"))
        + &several("Decisions", "Decision", &format!("<ResultOf>{mark}</ResultOf>"))
        + &several("Judgments", "Judgment", &warrants)
}

/// The column that holds the mark of a [`case`] in each table.
pub const MARKS: [(&str, &str); 11] = [
    ("oca_index", "status"),
    ("oca_causes", "causeofactiontype"),
    ("oca_addresses", "city"),
    ("oca_parties", "role"),
    ("oca_events", "eventname"),
    ("oca_appearances", "appearancepart"),
    ("oca_appearance_outcomes", "appearanceoutcometype"),
    ("oca_motions", "motiontype"),
    ("oca_decisions", "resultof"),
    ("oca_judgments", "judgmenttype"),
    ("oca_warrants", "returnedreason"),
];

/// One statement that gives the rows and marks of every table.
fn question() -> String {
    let mut marks = BTreeMap::from(MARKS);
    marks.insert("oca_metadata", "updatedate::text");
    let mut query = String::from("select concat_ws(' '");
    for table in TABLES {
        let mark = marks[table];
        let _ = write!(
            query,
            ",\n(select '{table} ' || count(*) || ' ' || coalesce(string_agg(distinct {mark}, '+'), '-') from {table})"
        );
    }
    query + ")"
}

pub async fn ask(client: &Client) -> String {
    rows(client, &question()).await.swap_remove(0).swap_remove(0).unwrap()
}

/// The answers of a reader with their numbers, and the longest wait.
#[derive(Default)]
struct Seen {
    answers: BTreeMap<String, usize>,
    longest: Duration,
}

/// Asks again and again until `done`.
async fn read(client: Client, done: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !done.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let answer = ask(&client).await;
        seen.longest = seen.longest.max(asked.elapsed());
        *seen.answers.entry(answer).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_the_old_state_or_the_new() {
    let pipeline = Pipeline::new("readers").await;
    let ids: Vec<_> = (0..40).map(|n| format!("case {n}")).collect();
    let extract = |date: &str, mark: &str, rows: usize, ids: &[String]| {
        ids.iter().fold(Extract::weekly(date), |extract, id| extract.case(id, &case(mark, rows)))
    };
    pipeline.put(extract("2024-01-01", "old", 2, &ids));
    pipeline.run().await.exits(0);
    let client = pipeline.database.client().await;
    let old = ask(&client).await;
    assert!(old.starts_with("oca_index 40 old oca_causes 80 old "), "{old}");

    // Everything changes: values, numbers of rows, cases that go and cases that come.
    let (deleted, kept) = ids.split_at(5);
    let mut new = extract("2024-01-08", "new", 3, kept);
    new = (0..10).fold(new, |new, n| new.case(&format!("new {n}"), &case("new", 3)));
    pipeline.put(deleted.iter().fold(new, |new, id| new.delete(id)));

    // A reader whose transaction began before sees the old state in several statements.
    let patient = pipeline.database.client().await;
    patient.batch_execute("begin isolation level repeatable read").await.unwrap();
    assert_eq!(ask(&patient).await, old);
    // Somebody locks a row that the promotion must replace, so the promotion stops in the middle.
    let holder = pipeline.database.client().await;
    holder
        .batch_execute("begin; select from oca_motions where indexnumberid = 'case 20' for update")
        .await
        .unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let client = pipeline.database.client().await;
        readers.push(tokio::spawn(read(client, done.clone())));
    }
    let run = pipeline.start(&[]);
    waiting::for_lock(&pipeline, "promote").await;
    let middle = Instant::now();
    while middle.elapsed() < HOLD_UP {
        assert_eq!(ask(&client).await, old);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask(&patient).await, old);
    holder.batch_execute("commit").await.unwrap();
    run.await.unwrap().exits(0);
    let new = ask(&client).await;
    assert!(new.starts_with("oca_index 45 new oca_causes 135 new "), "{new}");
    assert!(new.ends_with("oca_metadata 50 2024-01-01+2024-01-08"), "{new}");
    assert_eq!(ask(&patient).await, old);
    patient.batch_execute("commit").await.unwrap();
    assert_eq!(ask(&patient).await, new);

    done.store(true, Ordering::Relaxed);
    for reader in readers {
        let seen = reader.await.unwrap();
        for answer in seen.answers.keys() {
            assert!(*answer == old || *answer == new, "a mixture:\n{answer}\nold:\n{old}\nnew:\n{new}");
        }
        assert!(seen.answers[&old] > 20, "{:?}", seen.answers);
        assert!(seen.longest < PATIENCE, "a reader waited for {:?}", seen.longest);
    }
}

/// The published files show one state too, even if the tables change while they are written.
#[tokio::test]
async fn published_files_are_of_one_snapshot() {
    let pipeline = Pipeline::new("snapshot").await;
    pipeline.put(Extract::weekly("2024-01-01").case("a", &case("old", 1)).case("b", &case("old", 1)));
    pipeline.run_with(&["--skip-publish"]).await.exits(0);
    assert!(!pipeline.store().join("public").exists());
    // The next run finds nothing new and publishes; somebody makes it wait at its fifth table.
    let holder = pipeline.database.client().await;
    holder.batch_execute("begin; lock table oca_events in access exclusive mode").await.unwrap();
    let run = pipeline.start(&[]);
    waiting::for_lock(&pipeline, "publish").await;
    // (What cascades to the fifth table would wait for the same lock.)
    pipeline.execute("delete from oca_judgments; delete from oca_warrants; delete from oca_metadata").await;
    holder.batch_execute("commit").await.unwrap();
    run.await.unwrap().exits(0);
    for table in TABLES {
        let csv = pipeline.csv(&format!("public/{table}.csv")).sorted();
        let ids = ["a", "b"].map(|id| Some(id.to_owned()));
        assert_eq!(csv.column("indexnumberid"), ids, "{table}");
    }
}
