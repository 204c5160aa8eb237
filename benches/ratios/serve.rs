//! The cost of the server: answers beside the same in plain SQL, many clients at once, during a promotion, with ten
//! times the rows; and the cost of loading against `\copy` into the same partitions and indexes.
//!
//! The client is plain, with a connection for each question. Its answers are compared with the plain SQL's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use merganser::datasets::datapoints::DATAPOINTS;
use merganser::sql;
use tokio_postgres::NoTls;

use crate::jobs;
use crate::pipeline::{Bench, Figures};
use crate::tables::{Ratio, Report};

const POINTS: u64 = 20_000_000;
const PLACES: u64 = 33_791;
const FIRST: Date = date(2013, 1, 1);
const YEAR: u64 = 365;
/// The last days of a year, which are loaded again.
const AGAIN: u64 = 31;
const CLIENTS: usize = 8;
const QUESTIONS: usize = 800;
/// The questions of one client, of which the median counts.
const ALONE: usize = 21;
/// The content of the files; the first two are the parts of the months, the others are in one piece.
const TABLES: [&str; 5] =
    ["datapoints", "datapoint_place_days", "datapoint_zone_days", "datapoint_days", "datapoint_places"];

/// Measures all of it, with as many points as `--rows` says.
pub fn measure(bench: &Bench) -> Report {
    let mut report = Report::new(bench);
    let rows = jobs::rows(POINTS);
    let mut tails = Vec::new();
    // The city is as dense with fewer rows, which are those of fewer days.
    for (schema, days) in [("tenth", YEAR / 10), ("whole", YEAR)] {
        let rows = rows * days / YEAR;
        eprintln!("{rows} points");
        let run = load(bench, schema, (rows, days));
        report.stages(&format!("{rows} points of {days} days"), &run);
        if schema == "whole" {
            loading(bench, &mut report, &run);
        }
        let city = City::new(bench, schema, days);
        let serving = Serving::start(bench, schema);
        let questions: Vec<_> = (0..QUESTIONS).map(|at| city.day(at, 10)).collect();
        // A first time, so that everything is read from the disk.
        together(&serving, &questions);
        let mut seconds = together(&serving, &questions);
        tails.push(percentile(&mut seconds, 0.99));
        if schema == "whole" {
            answers(bench, &mut report, (&city, &serving, &questions), percentile(&mut seconds, 0.99));
        }
        drop(serving);
        if schema == "tenth" {
            bench.drop_all(&[run], &[]);
        }
    }
    let ratio = Ratio { value: tails[1], floor: tails[0] };
    report.ratio("10 km, a day, p99 at 8 clients: ten times the rows", 1.5, &[ratio]);
    report
}

/// Points of some days in new tables.
fn load(bench: &Bench, schema: &str, (rows, days): (u64, u64)) -> Figures {
    let folder = crate::cache().join(format!("points-{rows}-{days}-{PLACES}"));
    if !folder.is_dir() {
        let half = folder.with_extension("new");
        let made = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args([
                "sample",
                "datapoints",
                "--quiet",
                "--rows",
                &rows.to_string(),
                "--days",
                &days.to_string(),
            ])
            .args(["--from", &FIRST.to_string(), "--out"])
            .arg(&half)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("merganser runs").success(), "the points are made");
        std::fs::rename(&half, &folder).expect("the inputs can be named");
    }
    bench.psql(&["-c", &format!("create schema {schema}")]);
    let source = format!("dir:{}", folder.display());
    let run = bench.process(schema, &["run", "datapoints", "--skip-publish", "--source", &source], &[]);
    bench.psql(&["-c", "vacuum (analyze)"]);
    run
}

/// The cost of loading beside `\copy` of the same rows into the same partitions and indexes.
fn loading(bench: &Bench, report: &mut Report, run: &Figures) {
    let ours = run.wall("load") + run.wall("promote");
    let csvs = bench.csvs_of(run, "private/datapoints/runs", &TABLES);
    let took = |what: &[&str]| -> f64 {
        copied_tables(bench, &run.schema);
        let csvs = csvs.iter().filter(|(table, _)| what.contains(table));
        let started = Instant::now();
        for (table, csv) in csvs {
            let columns = DATAPOINTS.own_tables().find(|known| known.name == *table).map(sql::columns);
            let copy = format!(
                "\\copy copied.{table} ({}) from '{}' with (format csv, header)",
                columns.expect("a table of the dataset"),
                csv.display()
            );
            bench.psql(&["-c", &copy]);
        }
        let took = started.elapsed().as_secs_f64();
        let count =
            |schema: &str| bench.psql(&["-At", "-c", &format!("select count(*) from {schema}.datapoints")]);
        assert_eq!(count("copied"), count(&run.schema), "both hold the same points");
        bench.psql(&["-c", "drop schema copied cascade"]);
        took
    };
    let all = Ratio { value: ours, floor: took(&TABLES) };
    report.ratio("load + promote of points, sums and places / `\\copy` of the same", 1.5, &[all]);
    let points = Ratio { value: ours, floor: took(&TABLES[..1]) };
    report.ratio("load + promote of points, sums and places / `\\copy` of the points alone", 2.0, &[points]);
}

/// The tables with their indexes, and the months of a schema.
fn copied_tables(bench: &Bench, schema: &str) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/datapoints");
    let script = |name: &str| scripts.join(name).display().to_string();
    bench.psql(&["-c", "create schema copied"]);
    bench.psql(&["-v", "schema=copied", "-f", &script("4_tables.pg.sql"), "-f", &script("5_keys.pg.sql")]);
    let months = format!("select distinct date_trunc('month', date)::date from {schema}.datapoint_days");
    for month in bench.psql(&["-At", "-c", &months]).lines() {
        for table in &TABLES[..2] {
            let name = format!("copied.{table}_{}", month.replace('-', "_"));
            bench.psql(&[
                "-c",
                &format!(
                    "create table {name} partition of copied.{table}
                     for values from ('{month}') to (date '{month}' + interval '1 month')"
                ),
            ]);
        }
    }
}

fn answers(
    bench: &Bench,
    report: &mut Report,
    (city, serving, questions): (&City, &Serving, &[Asked]),
    tail: f64,
) {
    let bare = bare(bench, city, questions);
    report.share("10 km, a day, p99 at 8 clients", 40.0, (1e3 * tail, 1.0), "ms");
    report.ratio("the same / the bare SQL, p99", 2.0, &[Ratio { value: tail, floor: bare }]);
    let alone = |path: &str, head: &str| {
        serving.get(path, head);
        let mut seconds: Vec<_> = (0..ALONE).map(|_| serving.get(path, head).seconds).collect();
        1e3 * percentile(&mut seconds, 0.5)
    };
    let two = city.path(&city.middle, "2013-05-02;2013-05-09", 10);
    report.share("10,000 places, two days", 25.0, (alone(&two, ""), 1.0), "ms");
    let year = city.path(&city.middle, "2013-01-01..2013-12-31", 10);
    report.share("10,000 places, a year day by day", 150.0, (alone(&year, ""), 1.0), "ms");
    let tag = serving.get(&two, "").tag;
    let known = format!("If-None-Match: {tag}\r\n");
    assert!(serving.get(&two, &known).is_unchanged, "it has not changed");
    report.share("what has not changed (304)", 1.0, (alone(&two, &known), 1.0), "ms");

    let (over, seen) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()));
    // Clients that read what they are told take a processor's time, too.
    let calm = percentile(&mut watched(serving, questions, (&seen, &over)), 0.99);
    let during = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seconds = Vec::new();
            while !over.load(Ordering::Relaxed) {
                seconds.extend(watched(serving, questions, (&seen, &over)));
            }
            seconds
        });
        promote_again(bench, city);
        // Several times, so that questions also meet the new run.
        std::thread::sleep(std::time::Duration::from_secs(2));
        over.store(true, Ordering::Relaxed);
        asking.join().expect("the clients end")
    });
    let runs: std::collections::BTreeSet<_> =
        seen.lock().expect("no client failed").keys().map(|(_, run): &(usize, String)| run.clone()).collect();
    assert!(runs.len() > 1, "a run has committed meanwhile: {runs:?}");
    let mut during = during;
    let ratio = Ratio { value: percentile(&mut during, 0.99), floor: calm };
    report.ratio("10 km, a day, p99 at 8 clients: while a promotion runs / else", 2.0, &[ratio]);
}

/// Loads a month again, from other files.
fn promote_again(bench: &Bench, city: &City) {
    let folder = bench.folder.join("again");
    std::fs::create_dir_all(&folder).expect("a folder");
    let rows = bench.psql(&["-At", "-c", &format!("select count(*) from {}.datapoints", city.schema)]);
    let rows = (rows.parse::<u64>().expect("a number") / 12).to_string();
    let made = Command::new(env!("CARGO_BIN_EXE_merganser"))
        .args(["sample", "datapoints", "--quiet", "--rows", &rows, "--days", "31", "--from", "2013-12-01"])
        .args(["--seed", "1", "--out"])
        .arg(&folder)
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("merganser runs").success(), "the points are made");
    let source = format!("dir:{}", folder.display());
    let words = ["run", "datapoints", "--skip-publish", "--allow", "drop", "--source", &source];
    bench.process(&city.schema, &words, &[]);
}

/// A question, and what the server makes of it.
struct Asked {
    path: String,
    date: String,
    whole: Vec<String>,
    cut: Vec<String>,
    cut_postcodes: Vec<String>,
}

/// The places of postcodes.
struct City {
    schema: String,
    places: Vec<(String, f64, f64, String)>,
    zones: BTreeMap<String, usize>,
    middle: String,
    days: u64,
}

impl City {
    fn new(bench: &Bench, schema: &str, days: u64) -> Self {
        let query =
            format!("select postcode, lat, lon, zone from {schema}.datapoint_places order by postcode");
        let text = bench.psql(&["-At", "-F", " ", "-c", &query]);
        let number = |cell: &str| cell.parse::<f64>().expect("a number");
        let places = text.lines().map(|line| {
            let cells: Vec<_> = line.split(' ').collect();
            (cells[0].to_owned(), number(cells[1]), number(cells[2]), cells[3].to_owned())
        });
        let places: Vec<_> = places.collect();
        let mut zones = BTreeMap::new();
        for (_, _, _, zone) in &places {
            *zones.entry(zone.clone()).or_default() += 1;
        }
        let far = |place: &&(String, f64, f64, String)| (place.1 - 52.3728).hypot(place.2 - 4.8936);
        let middle = places.iter().min_by(|a, b| far(a).total_cmp(&far(b))).expect("a place").0.clone();
        Self { schema: schema.to_owned(), places, zones, middle, days }
    }

    fn path(&self, postcode: &str, dates: &str, km: u32) -> String {
        format!("/api/{postcode}/{dates}/{km}")
    }

    /// A place and a day, which depend on the number.
    fn day(&self, number: usize, km: u32) -> Asked {
        let (postcode, lat, lon, _) = &self.places[number * 7_919 % self.places.len()];
        let days = if self.days > 2 * AGAIN { self.days - AGAIN } else { self.days };
        let date = FIRST.saturating_add((number as i64 * 31 % days as i64).days()).to_string();
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (near, near_lat, near_lon, zone) in &self.places {
            if distance_km((*lat, *lon), (*near_lat, *near_lon)) <= f64::from(km) {
                found.entry(zone).or_default().push(near);
            }
        }
        let path = self.path(postcode, &date, km);
        let mut asked = Asked { path, date, whole: Vec::new(), cut: Vec::new(), cut_postcodes: Vec::new() };
        for (zone, postcodes) in found {
            if self.zones[zone] == postcodes.len() {
                asked.whole.push(zone.to_owned());
            } else {
                asked.cut.push(zone.to_owned());
                asked.cut_postcodes.extend(postcodes.into_iter().map(str::to_owned));
            }
        }
        asked
    }
}

fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let across = a.0.to_radians().cos() * b.0.to_radians().cos() * half(a.1, b.1);
    2.0 * 6371.0088 * (half(a.0, b.0) + across).sqrt().min(1.0).asin()
}

/// The seconds at p99 of the statements of an answer over rows, prepared, with a connection for each client and the index that
/// has all that they read.
fn bare(bench: &Bench, city: &City, questions: &[Asked]) -> f64 {
    let index = format!(
        "create index bare on {}.datapoint_place_days (date, zone, postcode) include (sbi, hits, delta)",
        city.schema
    );
    bench.psql(&["-c", &index]);
    bench.psql(&["-c", "vacuum (analyze)"]);
    let served = DATAPOINTS.served.expect("it is served");
    let tables = served.tables();
    let variables: Vec<_> = [("schema", city.schema.as_str())].into_iter().chain(tables).collect();
    let texts = [sql::SERVE_SUMS, sql::SERVE_POINTS].map(|text| sql::render(text, &variables));
    let session = sql::render(sql::SERVE_SESSION, &[("limit_ms", "60000")]);
    let client = |questions: &[&Asked]| -> Vec<f64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(bench.url(), NoTls).await.expect("it connects");
            tokio::spawn(connection);
            client.batch_execute(&session).await.expect("the settings are good");
            let sums = client.prepare(&texts[0]).await.expect("it can be prepared");
            let points = client.prepare(&texts[1]).await.expect("it can be prepared");
            let mut seconds = Vec::new();
            for asked in questions {
                let dates = [asked.date.parse::<jiff::civil::Date>().expect("a day")].to_vec();
                let none: Option<String> = None;
                let Asked { whole, cut, cut_postcodes, .. } = asked;
                let started = Instant::now();
                client.query(&sums, &[&dates, whole, cut, cut_postcodes, &none]).await.expect("sums");
                client
                    .query(&points, &[&dates, whole, cut, cut_postcodes, &none, &1_000_i64])
                    .await
                    .expect("points");
                seconds.push(started.elapsed().as_secs_f64());
            }
            seconds.split_off(seconds.len() / 2)
        })
    };
    // A new connection has empty caches, unlike the server's.
    let mut seconds = divided(questions, |questions| client(&[&questions[..], &questions[..]].concat()));
    bench.psql(&["-c", &format!("drop index {}.bare", city.schema)]);
    percentile(&mut seconds, 0.99)
}

/// Lets all clients work at once, each on its share.
fn divided<T: Send>(questions: &[Asked], client: impl Fn(Vec<&Asked>) -> Vec<T> + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let own: Vec<_> = questions.iter().skip(number).step_by(CLIENTS).collect();
                let client = &client;
                scope.spawn(move || client(own))
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client ends")).collect()
    })
}

/// The seconds of each question.
fn together(serving: &Serving, questions: &[Asked]) -> Vec<f64> {
    divided(questions, |own| own.into_iter().map(|asked| serving.get(&asked.path, "").seconds).collect())
}

/// The answers, by the number of the question and the run.
type SeenAnswers = BTreeMap<(usize, String), String>;

/// The same until it is over. A run must always give the same answer to a question.
fn watched(
    serving: &Serving,
    questions: &[Asked],
    (seen, over): (&Mutex<SeenAnswers>, &AtomicBool),
) -> Vec<f64> {
    divided(questions, |own| {
        let ask = |asked: &Asked| {
            let told = serving.get(&asked.path, "");
            let answer: serde_json::Value = serde_json::from_str(&told.body).expect("an answer is JSON");
            let run = answer["run_id"].as_str().expect("an answer is of a run").to_owned();
            let number = questions.iter().position(|known| std::ptr::eq(known, asked)).expect("it is known");
            let mut seen = seen.lock().expect("no client failed");
            let body = seen.entry((number, run)).or_insert_with(|| told.body.clone());
            assert_eq!(*body, told.body, "a run says one thing");
            told.seconds
        };
        own.into_iter().take_while(|_| !over.load(Ordering::Relaxed)).map(ask).collect()
    })
}

fn percentile(seconds: &mut [f64], part: f64) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[((seconds.len() - 1) as f64 * part).round() as usize]
}

/// The real server, until it is dropped.
struct Serving {
    address: String,
    process: Child,
}

/// An answer.
struct Told {
    seconds: f64,
    tag: String,
    is_unchanged: bool,
    body: String,
}

impl Serving {
    fn start(bench: &Bench, schema: &str) -> Self {
        let ledger = format!("{schema}_etl");
        let mut process = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url", bench.url()])
            .args(["--schema", schema, "--ledger-schema", &ledger, "--connections", "8"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("merganser runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let serving = Self { address, process };
        while serving.ask("/readyz", "").0 != 200 {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        serving
    }

    /// Status, head and body.
    fn ask(&self, path: &str, head: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the server answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str, head: &str) -> Told {
        let started = Instant::now();
        let (status, head, body) = self.ask(path, head);
        let seconds = started.elapsed().as_secs_f64();
        assert!(status == 200 || status == 304, "{path}: {status} {body}");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned();
        Told { seconds, tag, is_unchanged: status == 304, body }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
