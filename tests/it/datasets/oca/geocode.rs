//! Geocoding from end to end: which services are asked which questions, which answers are remembered, and how the rows
//! change.

use crate::support::extract::Extract;
use crate::support::geocoder::{GeocoderServer, Mode, truth};
use crate::support::pipeline::{Pipeline, Ran};

/// Everything that these tests check in production.
const PLACES: &str = "select concat_ws('|', indexnumberid, status, bbl) from oca_addresses order by 1";

/// A level 2 case with one address in the Bronx.
fn address(number: u32) -> String {
    format!(
        "<PropertyAddresses><PropertyAddress><Street1>{number} East 193rd St</Street1><City>Bronx</City>\
         <State>New York</State><PostalCode>10458</PostalCode></PropertyAddress></PropertyAddresses>"
    )
}

/// The lot of that address.
fn lot(number: u32) -> String {
    truth(&format!("{number} EAST 193 STREET"), "BRONX").bbl
}

/// A week with this many cases, each at an address of its own, numbered from `first`.
pub(super) fn week(run_date: &str, first: u32, cases: u32) -> Extract {
    let numbers = first..first + cases;
    numbers.fold(Extract::weekly(run_date), |week, number| week.case(&format!("c{number}"), &address(number)))
}

pub(super) async fn pipeline(server: &GeocoderServer) -> Pipeline {
    let pipeline = Pipeline::new("geocode").await;
    pipeline.with("--level", "2").with("--geocode", "geosearch").with("--geosearch-url", server.url())
}

async fn backfill(pipeline: &Pipeline, extra: &[&str]) -> Ran {
    pipeline.other(&[&["backfill", "oca", "geocode"], extra].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_asked_once_and_remembered() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    // Other blanks and capitals do not make another address.
    let same = address(1).replace("East 193rd St", "EAST  193RD st ");
    pipeline.put(week("2024-05-06", 1, 3).case("same", &same));
    pipeline.run().await.exits(0);
    let expected = |names: &[(&str, u32)]| -> Vec<String> {
        names.iter().map(|(name, number)| format!("{name}|match|{}", lot(*number))).collect()
    };
    assert_eq!(pipeline.column(PLACES).await, expected(&[("c1", 1), ("c2", 2), ("c3", 3), ("same", 1)]));
    let requests = server.requests();
    assert_eq!(requests, 3);
    assert_eq!(pipeline.one("select count(*) from etl.answers").await, "3");
    let geom = "select count(*) from oca_addresses
        where st_distance(geom, st_setsrid(st_makepoint(lon, lat), 4326)) < 1e-9 and st_srid(geom) = 4326";
    assert_eq!(pipeline.one(geom).await, "4");
    // A case that comes again, and a new case at a known address, cause no question.
    pipeline.put(week("2024-05-13", 2, 1).case("new", &address(3)));
    pipeline.run().await.exits(0);
    assert_eq!(server.requests(), requests);
    let names = [("c1", 1), ("c2", 2), ("c3", 3), ("new", 3), ("same", 1)];
    assert_eq!(pipeline.column(PLACES).await, expected(&names));
    // A run without geocoding asks nothing either, and known places stay.
    pipeline.put(week("2024-05-20", 1, 2));
    pipeline.run_with(&["--geocode", "none"]).await.exits(0);
    assert_eq!(server.requests(), requests);
    assert_eq!(pipeline.column(PLACES).await, expected(&names));
}

/// The run goes on without the geocoder. The next backfill fills in the places, and touches no other column.
#[tokio::test(flavor = "multi_thread")]
async fn a_geocoder_that_is_down_costs_no_row() {
    let server = GeocoderServer::start(Mode::Failing(500));
    let pipeline = pipeline(&server).await.with("--geocode-seconds", "2");
    pipeline.put(week("2024-05-06", 1, 5));
    pipeline.run().await.exits(0);
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'failed'").await, "5");
    assert_eq!(pipeline.one("select count(*) from oca_addresses where lat is not null").await, "0");
    assert_eq!(pipeline.one("select count(*) from etl.answers").await, "0");
    // A backfill does not help while the service is down.
    backfill(&pipeline, &[]).await.exits(3).says("failed").says("It stopped there");
    server.set(Mode::Good);
    let others = "select md5(string_agg(concat_ws('|', indexnumberid, street1, city, state, postalcode), ',' order by indexnumberid))
        from oca_addresses";
    let before = pipeline.one(others).await;
    backfill(&pipeline, &["--dry-run"]).await.exits(0).says("The database is unchanged.");
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'failed'").await, "5");
    backfill(&pipeline, &["--limit", "2"]).await.exits(0).says("2 of 5 open address");
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'match'").await, "2");
    backfill(&pipeline, &[]).await.exits(0).says("3 of 3 open address");
    let expected: Vec<_> = (1..=5).map(|number| format!("c{number}|match|{}", lot(number))).collect();
    assert_eq!(pipeline.column(PLACES).await, expected);
    assert_eq!(pipeline.one(others).await, before);
    let requests = server.requests();
    backfill(&pipeline, &[]).await.exits(0).says("0 of 0 open address");
    assert_eq!(server.requests(), requests);
    // The public files follow, and the ledger has the steps.
    let steps = "select count(*) from etl.steps join etl.runs using (run_id)
        where kind = 'backfill' and step = 'promote' and steps.status = 'completed' and rows > 0";
    assert_eq!(pipeline.one(steps).await, "2");
}

/// A geocoder that is down is seen in the run's line, in `status`, in the figures, and before the run.
#[tokio::test(flavor = "multi_thread")]
async fn a_geocoder_that_is_down_leaves_a_trace() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    pipeline
        .other(&["check", "oca"])
        .await
        .exits(0)
        .says("\nok    geocode ")
        .says("geosearch receives")
        .says(", geocode geosearch,");
    assert!(server.asked().is_empty(), "no address is sent: {:?}", server.asked());
    // Nobody listens on the first port.
    let pipeline = pipeline.with("--geosearch-url", "http://127.0.0.1:1");
    let checked = pipeline.other(&["check", "oca"]).await.exits(0).says("\nwarn  geocode ");
    checked.says("geosearch: the service cannot be reached").says("http://127.0.0.1:1");
    pipeline.put(week("2024-05-06", 1, 5));
    let figures = pipeline.folder().join("figures.prom");
    let file = figures.display().to_string();
    let ran = pipeline.start_with(&[], &[("MERGANSER_METRICS", &file)]).await.unwrap().exits(0);
    ran.says("failed 5; without an answer: geosearch 5");
    let text = std::fs::read_to_string(&figures).unwrap();
    assert!(text.contains("merganser_run_unanswered_questions{dataset=\"oca\"} 5\n"), "{text}");
    let status = pipeline.other(&["status", "last"]).await.exits(0);
    assert_eq!([status.row("geosearch")[1], status.row("geosearch")[3]], ["5", "5"], "{}", status.stdout);
    status.says("geosearch was given up: ").says("in all: failed 5");
    pipeline.other(&["status", "--timings"]).await.exits(0).says(" enrich ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_takes_only_cases_from_a_day_on() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    let filed = |day: &str, number: u32| format!("<FiledDate>{day}</FiledDate>{}", address(number));
    let week = Extract::weekly("2024-05-06").case("old", &filed("2023-01-05", 1));
    pipeline.put(week.case("new", &filed("2024-04-05", 2)));
    pipeline.run_with(&["--geocode", "none"]).await.exits(0);
    backfill(&pipeline, &["--since", "2024-01-01"]).await.exits(0);
    assert_eq!(pipeline.column(PLACES).await, [format!("new|match|{}", lot(2)), "old".into()]);
}

/// An undo that would lose what a backfill has found since is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_stands_in_the_way_of_an_undo() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    pipeline.put(Extract::weekly("2024-05-06").case("old", &address(1)).case("other", &address(3)));
    pipeline.run_with(&["--geocode", "none"]).await.exits(0);
    pipeline.put(Extract::weekly("2024-05-13").case("old", &address(2)));
    pipeline.run_with(&["--geocode", "none"]).await.exits(0);
    pipeline.other(&["undo", "last", "--dry-run"]).await.exits(0);
    let run = "select run_id::text from etl.runs where kind = 'run' order by started_at desc limit 1";
    let run = pipeline.one(run).await;
    backfill(&pipeline, &[]).await.exits(0);
    let refused = pipeline.other(&["undo", &run]).await.exits(1);
    assert!(refused.failure().contains(": 1 case"), "{}", refused.failure());
    pipeline.other(&["undo", "last"]).await.exits(1).says("no before-images");
}

/// Answers cost money: they survive a promotion that is rolled back.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn answers_survive_a_promotion_that_is_rolled_back() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    pipeline.put(week("2024-05-06", 1, 4));
    let ran = pipeline.start_with(&[], &[("FAULTS", "promote.before_commit=fail")]).await.unwrap();
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(server.requests(), 4);
    pipeline.run().await.exits(0);
    assert_eq!(server.requests(), 4);
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'match'").await, "4");
}

/// A backfill that is killed does not ask its questions again.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_goes_on() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    pipeline.put(week("2024-05-06", 1, 4));
    pipeline.run_with(&["--geocode", "none"]).await.exits(0);
    let pipeline = pipeline.env([("FAULTS".into(), "promote.before_commit=kill".into())]);
    let killed = backfill(&pipeline, &[]).await;
    assert_ne!(killed.code, 0);
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status is not null").await, "0");
    assert_eq!(server.requests(), 4);
    let pipeline = pipeline.env([("FAULTS".into(), String::new())]);
    backfill(&pipeline, &[]).await.exits(0).says("4 of 4 open address");
    assert_eq!(server.requests(), 4);
    assert_eq!(pipeline.one("select count(*) from oca_addresses where status = 'match'").await, "4");
}

/// The addresses of a sealed case are sent to nobody, whether it was sealed in this batch or before.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_a_sealed_case() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    pipeline.put(week("2024-05-06", 1, 2).case("early", &address(31)).delete("early"));
    pipeline.run().await.exits(0);
    pipeline.put(Extract::weekly("2024-05-13").delete("c1"));
    pipeline.run_with(&["--max-deletes", "100%"]).await.exits(0);
    // The sealed case comes again at another address, beside a new case and a case that a later file of this batch
    // seals.
    pipeline.put(
        Extract::weekly("2024-05-20")
            .case("c1", &address(41))
            .case("late", &address(42))
            .case("new", &address(43)),
    );
    pipeline.put(Extract::weekly("2024-05-27").delete("late"));
    pipeline.run_with(&["--max-deletes", "100%"]).await.exits(0);
    let asked = server.asked().join("\n");
    for (number, is_asked) in [(1, true), (2, true), (31, false), (41, false), (42, false), (43, true)] {
        let line = format!("{number} E");
        assert_eq!(
            asked.lines().any(|asked| asked.contains(&line) && !asked.contains(&format!("1{line}"))),
            is_asked,
            "{number} in\n{asked}"
        );
    }
    let expected = [(2, "c2"), (43, "new")].map(|(number, name)| format!("{name}|match|{}", lot(number)));
    assert_eq!(pipeline.column(PLACES).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_asks_nobody() {
    let server = GeocoderServer::start(Mode::Good);
    let pipeline = pipeline(&server).await;
    pipeline.put(week("2024-05-06", 1, 4));
    pipeline.run_with(&["--dry-run"]).await.exits(0);
    assert_eq!(server.requests(), 0);
    assert_eq!(pipeline.one("select count(*) from etl.answers").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_lots_can_be_required() {
    let server = GeocoderServer::start(Mode::Failing(404));
    let pipeline = pipeline(&server).await.with("--geocode-required", "90%");
    pipeline.put(week("2024-05-06", 1, 4));
    let ran = pipeline.run().await.exits(1);
    ran.says(
        "guard geocode oca_addresses: 0 of 4 (required: at least 90% of the city's addresses with a lot)",
    );
    server.set(Mode::Good);
    pipeline.run().await.exits(0);
    assert_eq!(
        pipeline.one("select found from etl.guards where name = 'geocode' and passed").await,
        "4 of 4"
    );
}

/// Only the private tables have anything finer than the published columns.
#[tokio::test(flavor = "multi_thread")]
async fn street_lines_stay_private() {
    let server = GeocoderServer::start(Mode::Flaky);
    let pipeline = pipeline(&server).await;
    let planted = address(1).replace("1 East 193rd St", "742 EVERGREEN TERRACE");
    pipeline.put(Extract::weekly("2024-05-06").case("a", &planted).case("b", &address(2)));
    let ran = pipeline.run_with(&["-vv"]).await.exits(0);
    let back = backfill(&pipeline, &[]).await.exits(0);
    let asked = server.asked();
    assert!(asked.iter().any(|line| line.to_uppercase().contains("EVERGREEN")), "{asked:?}");
    for said in [&ran.stdout, &ran.stderr, &back.stdout, &back.stderr] {
        let said = said.to_uppercase();
        assert!(!said.contains("EVERGREEN") && !said.contains("193RD"), "{said}");
    }
    for (key, bytes) in pipeline.objects() {
        let text = String::from_utf8_lossy(&bytes).to_uppercase();
        let holds = text.contains("EVERGREEN") || text.contains(&lot(2)) || text.contains("193 STREET");
        assert!(!key.starts_with("public/") || !holds, "{key}");
    }
    let tables = "select format('%I.%I', nspname, relname)
        from pg_class join pg_namespace on pg_namespace.oid = relnamespace
        where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema') order by 1";
    let mut found = Vec::new();
    for table in pipeline.column(tables).await {
        let query =
            format!("select count(*) from {table} as t where t::text ~* 'evergreen|193 street|193rd'");
        if pipeline.one(&query).await != "0" {
            found.push(table);
        }
    }
    found.retain(|table| !["etl.answers", "public.oca_addresses"].contains(&table.as_str()));
    assert_eq!(found, Vec::<String>::new());
}
