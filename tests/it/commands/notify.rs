//! A run that does not end well notifies a webhook: a local receiver, which accepts the message, fails, or hangs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::receiver::{Receiver, Reply};
use crate::support::waiting;

const PATH: &str = "/services/planted?sig=planted";

/// The messages that the receiver got so far.
fn messages(receiver: &Receiver) -> Vec<Value> {
    let told = receiver.told();
    for message in &told {
        assert_eq!((message.method.as_str(), message.path.as_str()), ("POST", PATH));
        assert_eq!(message.header("content-type"), "application/json");
    }
    told.iter().map(crate::support::receiver::Message::json).collect()
}

async fn told(pipeline: &Pipeline, receiver: &Receiver, extra: &[&str]) -> Ran {
    let ran =
        pipeline.start_with(extra, &[("MERGANSER_NOTIFY", &receiver.url(PATH))]).await.expect("it ends");
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains("planted"), "{text}");
    }
    ran
}

#[tokio::test]
async fn whoever_should_know_is_told_what_to_type() {
    let pipeline = Pipeline::new("notify").await;
    let receiver = Receiver::start(&[Reply::Status(204)]);
    pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
    told(&pipeline, &receiver, &[]).await.exits(0);
    // A run with nothing new sends no message.
    told(&pipeline, &receiver, &[]).await.exits(0);
    assert_eq!(messages(&receiver), Vec::<Value>::new());

    let wrong = "<FiledDate>2024-13-45</FiledDate>";
    pipeline.put(Extract::weekly("2024-03-11").case("good", "").case("broken", wrong));
    told(&pipeline, &receiver, &["--dry-run"]).await.exits(3);
    assert_eq!(messages(&receiver), Vec::<Value>::new());
    told(&pipeline, &receiver, &[]).await.exits(3);
    let told_of = messages(&receiver).remove(0);
    let run = told_of["run_id"].as_str().expect("a run").to_owned();
    let expected = [
        ("dataset", "oca".to_owned()),
        ("reason", "1 record failed, 0 files could not be read, 0 were cut off".into()),
        ("next", format!("merganser failures --run {run}")),
    ];
    for (field, value) in expected {
        assert_eq!(told_of[field], value, "{told_of}");
        assert!(told_of["text"].as_str().expect("words").contains(&value), "{told_of}");
    }
    assert_eq!(told_of["exit_code"], 3);
    assert!(
        told_of["database"].as_str().expect("words").starts_with("Committed: 1 case loaded"),
        "{told_of}"
    );
    // The wrong value is in the ledger alone, which not everybody may read.
    assert!(!told_of.to_string().contains("2024-13-45"), "{told_of}");

    pipeline.put(Extract::weekly("2024-03-18").case("good", ""));
    pipeline.execute("drop table oca_warrants").await;
    told(&pipeline, &receiver, &[]).await.exits(1);
    let told_of = messages(&receiver).pop().expect("told");
    assert_eq!(told_of["exit_code"], 1);
    assert_eq!(told_of["database"], "The database is unchanged.");
    assert!(told_of["reason"].as_str().expect("words").contains("oca_warrants"), "{told_of}");

    // The message is sent even when the run cannot be entered into a ledger.
    let nowhere = Pipeline::new("notify nowhere").await.with("--database-url", "postgresql://127.0.0.1:1/x");
    told(&nowhere, &receiver, &[]).await.exits(1);
    let told_of = messages(&receiver).pop().expect("told");
    assert!(told_of["run_id"].is_null(), "{told_of}");
    assert_eq!(told_of["database"], "The database is unchanged.");
    assert_eq!(messages(&receiver).len(), 3);
}

#[tokio::test]
async fn what_was_published_in_part_or_was_stopped_is_told_and_a_wait_is_not() {
    let pipeline = Pipeline::new("notify others").await;
    let receiver = Receiver::start(&[Reply::Status(200)]);
    pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
    std::fs::create_dir_all(pipeline.store().join("public/manifest.json/x")).expect("a folder in its place");
    told(&pipeline, &receiver, &[]).await.exits(4);
    let told_of = messages(&receiver).pop().expect("told");
    assert_eq!(told_of["exit_code"], 4);
    assert!(told_of["database"].as_str().expect("words").starts_with("The data is committed"), "{told_of}");
    std::fs::remove_dir_all(pipeline.store().join("public/manifest.json")).expect("it can be removed");

    pipeline.put(Extract::weekly("2024-03-11").case("secret case", "<FiledDate>2024-13-45</FiledDate>"));
    told(&pipeline, &receiver, &["--fail-fast"]).await.exits(1).says("secret case");
    let told_of = messages(&receiver).pop().expect("told");
    assert!(!told_of.to_string().contains("secret case"), "{told_of}");
    assert!(told_of["reason"].as_str().expect("words").contains("a record failed"), "{told_of}");

    pipeline
        .execute(
            "create function loud() returns trigger language plpgsql as
                 $$ begin raise exception 'planted % is wrong', new.indexnumberid; end $$;
             create trigger loud before insert on oca_index for each row execute function loud()",
        )
        .await;
    pipeline.put(Extract::weekly("2024-03-18").case("other secret", ""));
    let url = receiver.url(PATH);
    let ran = pipeline.start_with(&[], &[("MERGANSER_NOTIFY", &url)]).await.expect("it ends");
    assert!([1, 3].contains(&ran.code), "{}", ran.stderr);
    let told_of = messages(&receiver).pop().expect("told");
    assert!(!told_of.to_string().contains("other secret"), "{told_of}");
    pipeline.execute("drop trigger loud on oca_index").await;

    // The run is told to stop while it waits for a lock; meanwhile another run finds the dataset's lock taken.
    let client = pipeline.database.client().await;
    client.batch_execute("begin; lock table oca_index in access exclusive mode").await.expect("it is locked");
    pipeline.put(Extract::weekly("2024-03-25").case("good", ""));
    let envs = [("MERGANSER_NOTIFY", receiver.url(PATH))];
    let mut command = crate::support::command(pipeline.args(&[]), envs);
    let child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    waiting::for_lock(&pipeline, "promote").await;
    let before = messages(&receiver).len();
    told(&pipeline, &receiver, &[]).await.exits(75);
    assert_eq!(messages(&receiver).len(), before);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .expect("it lives");
    let output =
        tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("it ends").expect("it ends");
    assert_eq!(output.status.code(), Some(143));
    let told_of = messages(&receiver).pop().expect("told");
    assert_eq!(
        (told_of["exit_code"].clone(), told_of["database"].clone()),
        (143.into(), "The database is unchanged.".into())
    );
}

#[tokio::test]
async fn that_nothing_new_comes_is_told_once_a_day() {
    let pipeline = Pipeline::new("notify quiet").await;
    let receiver = Receiver::start(&[Reply::Status(200)]);
    let quiet = async |days: &str| {
        let url = receiver.url(PATH);
        let envs = [("MERGANSER_NOTIFY", url.as_str()), ("MERGANSER_NOTIFY_QUIET", days)];
        pipeline.start_with(&[], &envs).await.expect("it ends")
    };
    let earlier = async |days: u32| {
        let shift = format!(
            "update etl.runs set started_at = started_at - interval '{days} days', finished_at = finished_at - interval '{days} days'"
        );
        pipeline.execute(&shift).await;
    };
    pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
    told(&pipeline, &receiver, &[]).await.exits(0);
    earlier(8).await;
    told(&pipeline, &receiver, &[]).await.exits(0);
    assert_eq!(messages(&receiver), Vec::<Value>::new(), "not before the ninth day");
    earlier(2).await;
    for _ in 0..2 {
        told(&pipeline, &receiver, &[]).await.exits(0);
    }
    let all = messages(&receiver);
    assert_eq!(all.len(), 1, "once a day: {all:?}");
    assert_eq!(all[0]["exit_code"], 0);
    assert_eq!(all[0]["reason"], "nothing new for 10 days");
    assert_eq!(all[0]["next"], "merganser check oca");
    earlier(1).await;
    quiet("12").await.exits(0);
    quiet("0").await.exits(0);
    assert_eq!(messages(&receiver).len(), 1);
    quiet("11").await.exits(0);
    assert_eq!(messages(&receiver).len(), 2);
    // A new file ends the message.
    earlier(1).await;
    pipeline.put(Extract::weekly("2024-03-11").case("new", ""));
    told(&pipeline, &receiver, &[]).await.exits(0);
    told(&pipeline, &receiver, &[]).await.exits(0);
    assert_eq!(messages(&receiver).len(), 2);
    drop(quiet("nine").await.exits(2).says("MERGANSER_NOTIFY_QUIET is not a number of days"));
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_changes_nothing() {
    let pipeline = Pipeline::new("notify trouble").await;
    pipeline.put(
        Extract::weekly("2024-03-04").case("broken", "<FiledDate>2024-13-45</FiledDate>").case("good", ""),
    );
    pipeline.run().await.exits(3);
    let silence = Reply::Silence(Duration::from_secs(30));
    for (replies, tries, said) in [
        (&[Reply::Status(500), Reply::TooMany(1), Reply::Status(200)][..], 3, ""),
        (&[silence, Reply::Status(200)], 2, ""),
        (
            &[Reply::Status(503)],
            3,
            "could not be sent to the webhook in MERGANSER_NOTIFY: the service answered with \
                                    HTTP 503",
        ),
        (
            &[Reply::Status(404)],
            1,
            "could not be sent to the webhook in MERGANSER_NOTIFY: the service refused the request with HTTP 404",
        ),
        (
            &[Reply::Elsewhere],
            1,
            "could not be sent to the webhook in MERGANSER_NOTIFY: the service redirects to another address (HTTP \
             307)",
        ),
        (&[silence], 3, "could not be sent to the webhook in MERGANSER_NOTIFY: no answer within 5 s"),
        (
            &[Reply::TooMany(3600)],
            1,
            "could not be sent to the webhook in MERGANSER_NOTIFY: no answer within 20 s",
        ),
    ] {
        let receiver = Receiver::start(replies);
        let began = Instant::now();
        let ran = told(&pipeline, &receiver, &["--reprocess", "*"]).await.exits(3);
        assert!(began.elapsed() < Duration::from_secs(60), "{replies:?} took {:?}", began.elapsed());
        assert_eq!(messages(&receiver).len(), tries, "{replies:?}");
        assert_eq!(ran.stderr.contains("could not be sent"), !said.is_empty(), "{replies:?}: {}", ran.stderr);
        drop(ran.says(said));
    }
}

#[tokio::test]
async fn a_webhook_that_is_none_is_refused_before_anything_is_tried() {
    let pipeline = Pipeline::new("notify none").await;
    for wrong in ["planted", "http://planted.example/x", "ftp://127.0.0.1/planted"] {
        let env = [("MERGANSER_NOTIFY", wrong)];
        let ran = pipeline.start_with(&[], &env).await.expect("it ends").exits(2);
        let ran = ran.says("MERGANSER_NOTIFY is not the address of a webhook");
        assert!(!ran.stderr.contains("planted"), "{}", ran.stderr);
    }
    assert_eq!(
        pipeline.one("select count(*) from information_schema.schemata where schema_name = 'etl'").await,
        "0"
    );
}

#[tokio::test]
async fn check_looks_where_it_is_and_sends_nothing() {
    let receiver = Receiver::start(&[Reply::Status(200)]);
    let check = async |webhook: String| {
        let pipeline = Pipeline::new("notify check").await.env([("MERGANSER_NOTIFY".into(), webhook)]);
        pipeline.put(Extract::weekly("2024-03-04").case("good", ""));
        pipeline.other(&["check", "oca"]).await
    };
    let ran = check(receiver.url(PATH)).await.exits(0);
    drop(ran.says("notify").says("127.0.0.1"));
    assert_eq!(messages(&receiver), Vec::<Value>::new());
    let ran =
        check("https://no-such-host.invalid/planted".into()).await.exits(1).says("no-such-host.invalid");
    assert!(!ran.stdout.contains("planted"), "{}", ran.stdout);
    check("planted".into()).await.exits(1).says("MERGANSER_NOTIFY is not the address of a webhook");
}
