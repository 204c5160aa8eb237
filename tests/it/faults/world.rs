//! A production with data, three new files for it, and the expected state after each batch of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use merganser::embedded::Embedded;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::attack::cluster;
use crate::engine::readers::case;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran, TABLES};
use crate::support::postgres::TestDatabase;
use crate::support::{self, Janitor};

/// The number of cases in production at first.
const CASES: usize = 24;
/// How often a reader looks.
const LOOK: Duration = Duration::from_millis(100);

/// The states of the content: before the attacked run, after its first batch and after its second.
pub const STATES: [&str; 3] = ["before", "batch 1", "after"];

/// The starting point of every attack.
pub struct World {
    /// The template of all other databases.
    template: TestDatabase,
    /// The store at first, and the source with the new files.
    folder: TempDir,
    states: [String; 3],
    public: BTreeMap<String, Vec<String>>,
    /// Every point that a run without a fault reaches.
    trace: Vec<String>,
    /// The duration of a run without a fault.
    pub duration: Duration,
    /// The looks of all readers.
    pub looks: AtomicU32,
}

/// The world on the shared cluster, made once for all tests that only copy it.
pub async fn world() -> Arc<World> {
    static WORLD: OnceCell<(Arc<World>, Janitor)> = OnceCell::const_new();
    let (world, _) = WORLD
        .get_or_init(async || {
            let world = World::make(cluster().await).await;
            let janitor = Janitor::watch(world.folder.path(), Path::new("/dev/null"), "TERM");
            (Arc::new(world), janitor)
        })
        .await;
    world.clone()
}

impl World {
    /// Makes the world on a cluster, with three runs.
    pub async fn make(cluster: &Embedded) -> Self {
        let folder = support::server_dir();
        for name in ["source", "store"] {
            fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let pipeline = Pipeline::on(TestDatabase::copy(cluster, "merganser", "faults").await);
        pipeline.put(several(Extract::weekly("2024-01-01"), 0..CASES, "old", 2));
        pipeline.run().await.exits(0);
        // The first batch has a record whose refusal is found only by trying.
        let unique = "create unique index one_refused on oca_parties (role) where role = 'refused'";
        pipeline.execute(unique).await;
        let before = fingerprint(&pipeline.database.client().await).await;
        copy_folder(&pipeline.store(), &folder.path().join("store"));
        let mut world = Self {
            template: pipeline.database,
            folder,
            states: [before, String::new(), String::new()],
            public: BTreeMap::new(),
            trace: Vec::new(),
            duration: Duration::ZERO,
            looks: AtomicU32::new(0),
        };
        let [one, two, three] = new_files();
        // The state after the first batch alone.
        one.put(&world.source());
        two.put(&world.source());
        let half = world.copy(cluster, "half").await;
        half.run().await.exits(3);
        world.states[1] = fingerprint(&half.database.client().await).await;
        three.put(&world.source());
        let whole = world.copy(cluster, "whole").await;
        let trace = whole.folder().join("trace");
        let fault = format!("*=trace {}", trace.display());
        let began = Instant::now();
        whole.start_with(&[], &[("FAULTS", &fault)]).await.expect("the run is over").exits(3);
        world.duration = began.elapsed();
        world.trace = fs::read_to_string(trace).expect("a trace").lines().map(str::to_owned).collect();
        world.states[2] = fingerprint(&whole.database.client().await).await;
        world.public = public(&whole);
        assert!(world.states[0] != world.states[1] && world.states[1] != world.states[2]);
        world
    }

    /// The folder with the new files, which no run writes to.
    pub fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// The points that a run reaches, in order.
    pub fn trace(&self) -> &[String] {
        &self.trace
    }

    /// A copy of the production at first; a run of it has two batches.
    pub async fn copy(&self, cluster: &Embedded, hint: &str) -> Pipeline {
        let database = TestDatabase::copy(cluster, self.template.name(), hint).await;
        let pipeline = Pipeline::on(database)
            .with("--source", format!("dir:{}", self.source().display()))
            .with("--batch-mib", "1");
        copy_folder(&self.folder.path().join("store"), &pipeline.store());
        pipeline
    }

    /// The number of the state that a production is in; panics if it is in none of them.
    pub async fn state(&self, pipeline: &Pipeline) -> usize {
        self.number(&fingerprint(&pipeline.database.client().await).await)
    }

    fn number(&self, found: &str) -> usize {
        let number = self.states.iter().position(|state| state == found);
        number.unwrap_or_else(|| panic!("a mixture:\n{found}\nand not one of\n{}", self.states.join("\n\n")))
    }

    /// Checks that production, ledger and public files are as after an undisturbed run, with nothing else left.
    pub async fn is_whole(&self, pipeline: &Pipeline) {
        self.is_loaded(pipeline).await;
        let running = "select count(*) from etl.runs where status = 'running'";
        assert_eq!(pipeline.one(running).await, "0");
        let work: Vec<_> = fs::read_dir(pipeline.folder().join("work")).expect("a folder").collect();
        assert!(work.is_empty(), "left behind: {work:?}");
        let objects = pipeline.objects();
        let unfinished: Vec<_> =
            objects.keys().filter(|key| key.starts_with("public/") && is_unfinished(key)).collect();
        assert!(unfinished.is_empty(), "left behind: {unfinished:?}");
    }

    /// The same while another process may still be alive.
    pub async fn is_loaded(&self, pipeline: &Pipeline) {
        assert_eq!(self.state(pipeline).await, 2);
        let client = pipeline.database.client().await;
        for table in TABLES {
            let counted = format!(
                "select (select count(*) from public.{table}) = (
                    select rows_after from etl.table_changes join etl.runs using (run_id)
                    where table_name = '{table}' order by started_at desc, batch desc limit 1)"
            );
            assert_eq!(one(&client, &counted).await, "t", "the ledger's count of {table}");
        }
        let open = "select string_agg(distinct concat_ws(' ', parts.name, record_id, ordinal, reason), ', ')
            from etl.failed_records join etl.parts using (part_id) where resolved_at is null";
        let open = one(&client, open).await;
        let open: Vec<_> = open.split(", ").collect();
        assert!(
            open.len() == 2 && open[0].contains("case 17 ") && open[0].contains("not a date"),
            "{open:?}"
        );
        assert!(open[1].contains("case 18 ") && open[1].contains("one_refused"), "{open:?}");
        assert!(self.public == public(pipeline), "the public files differ");
        self.public_is_consistent(pipeline).await;
    }

    /// The manifest describes each public file truly.
    async fn public_is_consistent(&self, pipeline: &Pipeline) {
        let objects = pipeline.objects();
        let manifest: Value = serde_json::from_slice(&objects["public/manifest.json"]).expect("JSON");
        let runs = format!("select count(*) from etl.runs where run_id = {}", literal(&manifest["run_id"]));
        assert_eq!(pipeline.one(&runs).await, "1");
        for file in manifest["files"].as_array().expect("a list of files") {
            let name = file["name"].as_str().expect("a name");
            let bytes = &objects[&format!("public/{name}")];
            assert_eq!(file["size_bytes"], bytes.len(), "{name}");
            assert_eq!(file["sha256"], support::sha256(bytes), "{name}");
            // The dictionary comes from the program's code, not from a table.
            if name == "data-dictionary.csv" {
                continue;
            }
            let table = format!("select count(*) from public.{}", name.trim_end_matches(".csv"));
            assert_eq!(file["rows"].to_string(), pipeline.one(&table).await, "{name}");
        }
    }

    /// Starts a reader of a production, which ends when it is asked what it saw.
    pub fn read(self: &Arc<Self>, pipeline: &Pipeline) -> Reader {
        let done = Arc::new(AtomicBool::new(false));
        let (world, url, over) = (self.clone(), pipeline.database.url(), done.clone());
        let task = tokio::spawn(async move {
            let mut seen = vec![0];
            while !over.load(Ordering::Relaxed) {
                // The server may be down.
                let Ok((client, connection)) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await
                else {
                    tokio::time::sleep(LOOK).await;
                    continue;
                };
                tokio::spawn(connection);
                while !over.load(Ordering::Relaxed)
                    && let Ok(found) = try_fingerprint(&client).await
                {
                    world.looks.fetch_add(1, Ordering::Relaxed);
                    let number = world.number(&found);
                    assert!(number >= *seen.last().expect("a state"), "from {seen:?} back to {number}");
                    seen.push(number);
                    seen.dedup();
                    tokio::time::sleep(LOOK).await;
                }
            }
            seen
        });
        Reader { done, task }
    }
}

/// A reader that runs one query all the time.
pub struct Reader {
    done: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<usize>>,
}

impl Reader {
    /// The states that it saw; panics if one was a mixture, or older than the one before.
    pub async fn saw(self) -> Vec<usize> {
        self.done.store(true, Ordering::Relaxed);
        self.task.await.expect("the reader saw no mixture")
    }
}

fn several(extract: Extract, cases: std::ops::Range<usize>, mark: &str, rows: usize) -> Extract {
    cases.fold(extract, |extract, n| extract.case(&format!("case {n}"), &case(mark, rows)))
}

/// Two files of one batch, and one that is a batch of its own.
fn new_files() -> [Extract; 3] {
    let mut one = several(Extract::weekly("2024-01-08"), 0..8, "one", 3);
    for n in 20..CASES {
        one = one.delete(&format!("case {n}"));
    }
    let two = several(Extract::weekly("2024-01-09"), 8..16, "two", 1)
        .case("case 17", "<FiledDate>bad 17</FiledDate>")
        .case("case 18", &format!("<Parties>{}</Parties>", "<Party><Role>refused</Role></Party>".repeat(2)));
    let three = several(several(Extract::weekly("2024-01-15"), 0..4, "three", 2), 12..17, "three", 2);
    let three = several(three, 30..35, "three", 2).delete("case 5").padded(5 << 18);
    [one, two, three]
}

/// One statement over all tables and the ledger's data about them, so one snapshot.
fn question() -> String {
    let mut query = String::from("select concat_ws(E'\\n'");
    for table in TABLES {
        let _ = write!(
            query,
            ",\n(select '{table} ' || count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n'
                order by t::text collate \"C\"), '')) from public.{table} as t)"
        );
    }
    query
        + ",
        (select 'files ' || string_agg(concat_ws(' ', name, status, records_seen, records_loaded,
                records_failed, records_superseded, records_deleted), ', ' order by name, status)
            from etl.parts where status not in ('pending', 'failed')),
        (select 'origins ' || md5(string_agg(concat_ws(' ', record_id, name, ordinal), ', ' order by record_id))
            from etl.record_origins join etl.parts using (part_id)),
        (select 'promotions ' || count(*) from etl.steps where step = 'promote' and status = 'completed'))"
}

async fn try_fingerprint(client: &Client) -> Result<String, tokio_postgres::Error> {
    let answer = client.simple_query(&question()).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(row.expect("a row").to_owned())
}

async fn fingerprint(client: &Client) -> String {
    try_fingerprint(client).await.unwrap_or_else(|error| panic!("{error:?}"))
}

async fn one(client: &Client, query: &str) -> String {
    let mut rows = support::pipeline::rows(client, query).await;
    rows.swap_remove(0).swap_remove(0).unwrap_or_else(|| "NULL".into())
}

fn literal(value: &Value) -> String {
    format!("'{}'", value.as_str().expect("a text"))
}

/// The public files as sorted lines, because rows have no order, without what names the run.
fn public(pipeline: &Pipeline) -> BTreeMap<String, Vec<String>> {
    let objects = finished(pipeline).into_iter();
    let public = objects.filter(|(key, _)| key.starts_with("public/") && key != "public/manifest.json");
    public
        .map(|(key, bytes)| {
            let text = String::from_utf8(bytes).expect("UTF-8");
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            (key, lines)
        })
        .collect()
}

/// A file that a process, which may be alive, is still writing.
fn is_unfinished(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// The finished objects of the store.
pub fn finished(pipeline: &Pipeline) -> BTreeMap<String, Vec<u8>> {
    pipeline.objects().into_iter().filter(|(key, _)| !is_unfinished(key)).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder can be listed").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("a folder can be made");
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// Runs again until no other session is in the way: the sessions of a killed process end a moment later.
pub async fn run_again(pipeline: &Pipeline) -> Ran {
    for _ in 0..100 {
        let ran = pipeline.start(&[]).await.expect("the run is over");
        if ran.code != 75 {
            return ran;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the lock of a dead run was never released");
}
