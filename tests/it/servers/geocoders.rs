//! Questions to the outside geocoders, which fail in every way: each question gets one answer, no answer has a wrong
//! place, only a few requests are under way at once, and the asking ends.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use merganser::clients::http::Http;
use merganser::dataset::ask::{Answer, Ask, Question};
use merganser::datasets::oca::census::CENSUS;
use merganser::datasets::oca::geosearch::GEOSEARCH;
use merganser::datasets::oca::located::COLUMNS;
use merganser::run::ask::{AskTally, Asking, Patience};

use crate::support::geocoder::{GeocoderServer, Mode, truth};

const LONG: Duration = Duration::from_secs(60);
/// Short pauses, so that no test waits for half a minute.
const PATIENCE: Patience = Patience {
    attempts: 12,
    in_a_row: 10,
    unconnected: 3,
    pause: Duration::from_millis(4),
    longest_pause: Duration::from_millis(40),
};

/// Addresses in the Bronx, as people type them. Their keys are the lines as the services write them.
fn bronx(count: usize) -> Vec<Question> {
    let fields =
        |number: usize| [format!("{number} East 193rd St, Apt {number}B"), "Bronx".into(), "10458".into()];
    (1..=count).map(|number| question(format!("{number} EAST 193 STREET"), fields(number))).collect()
}

/// Addresses in Buffalo.
fn buffalo(count: usize) -> Vec<Question> {
    let fields = |number: usize| [format!("{number} Grant St"), "Buffalo".into(), "14213".into()];
    (1..=count).map(|number| question(format!("{number} GRANT STREET"), fields(number))).collect()
}

fn question(key: String, [street, city, zip]: [String; 3]) -> Question {
    Question { key, fields: vec![Some(street), None, Some(city), Some("NY".into()), Some(zip)] }
}

fn cell(answer: &Answer, column: &str) -> String {
    let at = COLUMNS.iter().position(|other| *other == column).expect("a column");
    answer.cells[at].clone().unwrap_or_default()
}

struct Asked {
    answers: BTreeMap<String, Answer>,
    tally: AskTally,
    time: Duration,
}

impl Asked {
    fn count(&self, status: &str) -> usize {
        self.answers.values().filter(|answer| cell(answer, "status") == status).count()
    }
}

/// Asks, and checks what must always be true of the answers.
async fn ask(ask: &Ask, server: &GeocoderServer, questions: Vec<Question>, budget: Duration) -> Asked {
    let started = Instant::now();
    let http = Http::new(server.url().parse().expect("an address")).expect("a client");
    let keys: Vec<_> = questions.iter().map(|question| question.key.clone()).collect();
    let mut asking = Asking::new(ask, http, questions, started + budget, PATIENCE);
    let mut answers = BTreeMap::new();
    while let Some(some) = asking.next().await {
        assert!(!some.is_empty());
        for answer in some {
            let place = if ask.name == CENSUS.name { "14213" } else { "BRONX" };
            let truth = truth(&answer.key, place);
            let found = [cell(&answer, "lon"), cell(&answer, "lat"), cell(&answer, "bbl")];
            let is_failed = cell(&answer, "status") == "failed";
            if cell(&answer, "status") == "match" {
                assert_eq!(
                    found[..2],
                    [truth.longitude.to_string(), truth.latitude.to_string()],
                    "{answer:?}"
                );
                assert!(ask.name == CENSUS.name || found[2] == truth.bbl, "{answer:?}");
            } else {
                assert_eq!(found.concat(), "", "{answer:?}");
                assert_ne!(cell(&answer, "msg"), "");
            }
            assert!(!(is_failed && answer.lasting), "{answer:?}");
            assert!(answers.insert(answer.key.clone(), answer).is_none(), "one answer for each");
        }
    }
    assert_eq!(answers.len(), keys.len());
    assert!(keys.iter().all(|key| answers.contains_key(key)));
    // After a timeout, the client is gone a moment before the server notices.
    let waits = ask.timeout >= Duration::from_secs(1);
    let most = server.most_at_once();
    assert!(!waits || most as usize <= ask.in_flight, "{most} at once");
    // The tally counts the requests of all batches.
    assert!(asking.tally().misses <= asking.tally().requests);
    Asked { answers, tally: asking.tally().clone(), time: started.elapsed() }
}

/// Small batches: many requests for few questions.
const SMALL: Ask = Ask { per_request: 10, ..CENSUS };

#[tokio::test]
async fn right_answers_come_and_few_requests_are_under_way() {
    let server = GeocoderServer::start(Mode::Good);
    let asked = ask(&GEOSEARCH, &server, bronx(40), LONG).await;
    assert_eq!((asked.count("match"), asked.tally.requests, asked.tally.misses), (40, 40, 0));
    assert_eq!(server.most_at_once(), 4, "requests run at the same time");
    assert!(
        server.asked().contains(&"7 EAST 193 STREET, BRONX, NY 10458".to_owned()),
        "{:?}",
        server.asked()
    );
    assert!(asked.answers.values().all(|answer| answer.lasting));
    let server = GeocoderServer::start(Mode::Good);
    let asked = ask(&CENSUS, &server, buffalo(1200), LONG).await;
    assert_eq!((asked.count("match"), asked.tally.requests), (1200, 3));
}

#[tokio::test]
async fn another_order_changes_nothing() {
    let server = GeocoderServer::start(Mode::Shuffled);
    assert_eq!(ask(&GEOSEARCH, &server, bronx(8), LONG).await.count("match"), 8);
    let server = GeocoderServer::start(Mode::Shuffled);
    assert_eq!(ask(&SMALL, &server, buffalo(25), LONG).await.count("match"), 25);
}

#[tokio::test]
async fn what_does_not_exist_has_no_place() {
    let typed = |line: &str| question(line.to_uppercase(), [line.into(), "Bronx".into(), "10458".into()]);
    let questions = vec![
        typed("99999 37 Street"),
        typed("1 Zzqqxx Street"),
        typed("PO Box 12"),
        typed("Unknown"),
        typed("0 Main Street"),
        typed(""),
        typed(&"noise \u{7}\u{1b}[31m".repeat(20)),
    ];
    let server = GeocoderServer::start(Mode::Good);
    let asked = ask(&GEOSEARCH, &server, questions, LONG).await;
    assert_eq!((asked.count("match"), asked.count("failed"), asked.tally.requests), (0, 0, 2));
    let typed = |line: &str| question(line.to_uppercase(), [line.into(), "Buffalo".into(), "14213".into()]);
    let questions =
        vec![typed("99999 37 Street"), typed("1 Zzqqxx Street"), typed("2 Twice Street"), typed("")];
    let server = GeocoderServer::start(Mode::Good);
    let asked = ask(&CENSUS, &server, questions, LONG).await;
    assert_eq!((asked.count("match"), asked.count("tie"), asked.count("no_line")), (0, 1, 1));
    assert_eq!(asked.tally.requests, 3, "a question without a match is asked three times");
}

#[tokio::test]
async fn a_service_that_is_broken_costs_some_requests_and_nothing_else() {
    let elsewhere = GeocoderServer::start(Mode::Good);
    for mode in [
        Mode::Failing(500),
        Mode::Failing(503),
        Mode::Failing(404),
        Mode::Failing(200),
        Mode::HalfJson,
        Mode::Html,
        Mode::Cut,
        Mode::Elsewhere(elsewhere.url()),
        Mode::Endless,
    ] {
        let server = GeocoderServer::start(mode.clone());
        let asked = ask(&GEOSEARCH, &server, bronx(50), LONG).await;
        assert_eq!(asked.count("failed"), 50, "{mode:?}");
        assert!(asked.tally.requests <= 20, "{mode:?}: {:?}", asked.tally);
        assert!(asked.time < Duration::from_secs(10), "{mode:?}: {:?}", asked.time);
        let server = GeocoderServer::start(mode.clone());
        let asked = ask(&SMALL, &server, buffalo(100), LONG).await;
        // Half of a batch's answer consists of whole rows, which are good.
        let is_half = mode == Mode::HalfJson;
        assert!(asked.count("failed") == 100 || is_half && asked.count("match") > 50, "{mode:?}");
        assert!(asked.tally.requests <= if is_half { 30 } else { 20 }, "{mode:?}: {:?}", asked.tally);
        assert!(asked.time < Duration::from_secs(10), "{mode:?}: {:?}", asked.time);
    }
    assert_eq!(elsewhere.requests(), 0, "only the service that was named is asked");
}

#[tokio::test]
async fn a_batch_that_fails_is_halved_and_asked_again() {
    let server = GeocoderServer::start(Mode::Flaky);
    let asked = ask(&SMALL, &server, buffalo(100), LONG).await;
    assert_eq!(asked.count("match"), 100);
    assert!(asked.tally.misses > 3, "{:?}", asked.tally);
    let server = GeocoderServer::start(Mode::Flaky);
    assert_eq!(ask(&GEOSEARCH, &server, bronx(30), LONG).await.count("match"), 30);
}

#[tokio::test]
async fn one_question_that_breaks_the_service_costs_no_other_its_answer() {
    for status in [500, 400] {
        let server = GeocoderServer::start(Mode::Poison(status));
        let mut questions = buffalo(40);
        let line = "7 POISON STREET";
        questions.insert(17, question(line.into(), [line.into(), "Buffalo".into(), "14213".into()]));
        let asked = ask(&SMALL, &server, questions, LONG).await;
        assert_eq!((asked.count("match"), asked.count("failed")), (40, 1), "{status}");
        assert!(asked.tally.requests <= 30, "{status}: {:?}", asked.tally);
        let server = GeocoderServer::start(Mode::Poison(status));
        let mut questions = bronx(20);
        questions.insert(3, question(line.into(), [line.into(), "Bronx".into(), "10458".into()]));
        let asked = ask(&GEOSEARCH, &server, questions, LONG).await;
        assert_eq!((asked.count("match"), asked.count("failed")), (20, 1), "{status}");
    }
}

#[tokio::test]
async fn rows_of_somebody_else_are_not_ours() {
    let server = GeocoderServer::start(Mode::ForeignIds);
    let asked = ask(&SMALL, &server, buffalo(80), LONG).await;
    // Half of each batch is answered, and the rest is asked for three times.
    assert!(asked.count("match") >= 60, "{}", asked.count("match"));
    assert_eq!(asked.count("match") + asked.count("failed"), 80);
    let server = GeocoderServer::start(Mode::ForeignIds);
    assert_eq!(ask(&GEOSEARCH, &server, bronx(10), LONG).await.count("failed"), 10);
}

#[tokio::test]
async fn what_is_not_found_is_asked_again() {
    let server = GeocoderServer::start(Mode::Fickle);
    let asked = ask(&SMALL, &server, buffalo(30), LONG).await;
    assert_eq!((asked.count("match"), asked.tally.requests), (30, 6));
}

#[tokio::test]
async fn a_service_that_asks_for_a_pause_gets_it() {
    let in_two_seconds = || {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
        time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    // A date has whole seconds only.
    for (after, at_least_ms) in
        [(Box::new(|| "1".to_owned()) as Box<dyn Fn() -> String>, 1000), (Box::new(in_two_seconds), 900)]
    {
        let server = GeocoderServer::start(Mode::TooMany(4, after()));
        let asked = ask(&GEOSEARCH, &server, bronx(8), LONG).await;
        assert_eq!(asked.count("match"), 8);
        assert!(asked.time >= Duration::from_millis(at_least_ms), "{:?}", asked.time);
    }
    // The service asks for a longer pause than there is time.
    let server = GeocoderServer::start(Mode::TooMany(100, "3600".into()));
    let asked = ask(&GEOSEARCH, &server, bronx(8), LONG).await;
    assert_eq!((asked.count("failed"), asked.tally.requests), (8, 4));
    assert!(asked.time < Duration::from_secs(2));
}

#[tokio::test]
async fn when_the_time_is_over_nothing_more_is_asked() {
    let server = GeocoderServer::start(Mode::Slow(Duration::from_millis(300)));
    let asked = ask(&GEOSEARCH, &server, bronx(200), Duration::from_secs(2)).await;
    assert!((4..=28).contains(&asked.count("match")), "{}", asked.count("match"));
    assert_eq!(asked.count("match") + asked.count("failed"), 200);
    assert!(asked.time < Duration::from_secs(5), "{:?}", asked.time);
    assert!(asked.tally.gave_up.is_some());
    // A service that never answers is waited for as long as one request may take.
    let server = GeocoderServer::start(Mode::Slow(LONG));
    let hasty = Ask { timeout: Duration::from_millis(200), ..GEOSEARCH };
    let asked = ask(&hasty, &server, bronx(3), LONG).await;
    assert_eq!(asked.count("failed"), 3);
    assert!(asked.time < Duration::from_secs(8), "{:?}", asked.time);
}

#[tokio::test]
async fn a_service_that_dies_in_the_middle_leaves_what_it_has_said() {
    let server = GeocoderServer::start(Mode::Good);
    server.stop_at(4);
    let asked = ask(&SMALL, &server, buffalo(100), LONG).await;
    assert!((20..=30).contains(&asked.count("match")), "{}", asked.count("match"));
    assert_eq!(asked.count("match") + asked.count("failed"), 100);
    // No server is listening at all: after three waves of requests nobody waits for it any more.
    for (service, questions) in [(GEOSEARCH, bronx(100)), (SMALL, buffalo(100))] {
        let asked = ask(&service, &server, questions, LONG).await;
        assert_eq!((asked.count("failed"), asked.tally.failed), (100, 100));
        assert!((3..=9).contains(&asked.tally.requests), "{:?}", asked.tally);
        assert!(asked.tally.gave_up.is_some_and(|why| why.contains("cannot be reached")));
    }
    // Another run, when the service works again, finds what failed.
    let server = GeocoderServer::start(Mode::Failing(502));
    assert_eq!(ask(&SMALL, &server, buffalo(100), LONG).await.count("failed"), 100);
    server.set(Mode::Good);
    assert_eq!(ask(&SMALL, &server, buffalo(100), LONG).await.count("match"), 100);
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while it is held").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_address_is_logged_and_no_reason_repeats_one() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // With only one subscriber, a test on another thread decides for all whether a line is wanted.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let guard = tracing::subscriber::set_default(subscriber);
    let mut messages = String::new();
    for mode in [Mode::Good, Mode::Failing(500), Mode::Html, Mode::Cut, Mode::HalfJson, Mode::ForeignIds] {
        for (service, questions) in [(GEOSEARCH, bronx(3)), (SMALL, buffalo(3))] {
            let server = GeocoderServer::start(mode.clone());
            let asked = ask(&service, &server, questions, LONG).await;
            messages.extend(asked.answers.values().map(|answer| cell(answer, "msg") + &cell(answer, "msg2")));
            messages.extend(asked.tally.gave_up);
        }
    }
    drop(guard);
    let logged = String::from_utf8(kept.0.lock().unwrap().clone()).expect("text");
    assert!(logged.contains("no answer"), "something is logged: {logged}");
    for text in [&logged, &messages] {
        for word in ["193 st", "193+st", "193%20", "193rd", "grant", "buffalo", "14213", "10458"] {
            assert!(!text.to_lowercase().contains(word), "{word}: {text}");
        }
    }
}
