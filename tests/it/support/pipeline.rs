//! What most tests need: a database, a source folder and a store of their own, and the real binary
//! to run between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::CommandFactory;
use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::SimpleQueryMessage;

use super::csv::{Cell, Csv};
use super::extract::Extract;
use super::postgres::{self, TestDatabase};

/// Time that a run may take; on two cores, with other tests beside it, it needs a second or two.
const LIMIT: Duration = Duration::from_secs(120);

/// A database and folders that only one test uses.
pub struct Pipeline {
    pub database: TestDatabase,
    folder: TempDir,
    /// Options of every run, with their values.
    options: BTreeMap<String, String>,
    envs: Vec<(String, String)>,
}

/// A finished run.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// The lines of standard error that are JSON.
    pub events: Vec<Value>,
}

impl Pipeline {
    /// Everything fresh and empty; `hint` helps to find the database in logs.
    pub async fn new(hint: &str) -> Self {
        Self::on(postgres::database(hint).await)
    }

    /// The same with a database that is there already.
    pub fn on(database: TestDatabase) -> Self {
        let folder = super::server_dir();
        for name in ["source", "store", "work"] {
            fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let url = |kind: &str, name: &str| format!("{kind}:{}", folder.path().join(name).display());
        let options = BTreeMap::from([
            ("--source".into(), url("dir", "source")),
            ("--store".into(), url("file", "store")),
            ("--database-url".into(), database.url()),
            ("--work-dir".into(), folder.path().join("work").display().to_string()),
        ]);
        Self { database, folder, options, envs: Vec::new() }
    }

    /// Sets an option of every run.
    pub fn with(mut self, option: &str, value: impl Into<String>) -> Self {
        self.options.insert(option.into(), value.into());
        self
    }

    /// Takes an option away.
    pub fn without(mut self, option: &str) -> Self {
        self.options.remove(option);
        self
    }

    /// Sets variables of the environment of every run.
    pub fn env(mut self, envs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.envs.extend(envs);
        self
    }

    /// The folder that holds all others.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The source folder.
    pub fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Puts an extract into the source.
    pub fn put(&self, extract: Extract) -> &Self {
        extract.put(&self.source());
        self
    }

    /// Puts any bytes into the source, under a name of the feed with this run date.
    pub fn put_bytes(&self, run_date: &str, bytes: &[u8]) -> String {
        let name = format!("LandlordTenant.Incr.{run_date}.zip");
        fs::write(self.source().join(&name), bytes).expect("a file can be written");
        name
    }

    /// Runs the pipeline.
    pub async fn run(&self) -> Ran {
        self.run_with(&[]).await
    }

    /// Runs the pipeline with more options. Whatever it did, the ledger's numbers must add up afterwards,
    /// and nothing may be left in the folder for work.
    pub async fn run_with(&self, extra: &[&str]) -> Ran {
        let ran = self.start(extra).await.expect("the run is over");
        self.check_ledger().await;
        let left: Vec<_> = fs::read_dir(self.folder().join("work")).expect("a folder").collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        ran
    }

    /// Starts the pipeline and does not wait for it. It is killed when the test ends, and when it takes
    /// unreasonably long.
    pub fn start(&self, extra: &[&str]) -> tokio::task::JoinHandle<Ran> {
        self.start_with(extra, &[])
    }

    /// The same with more variables of the environment.
    pub fn start_with(&self, extra: &[&str], envs: &[(&str, &str)]) -> tokio::task::JoinHandle<Ran> {
        let envs = envs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let command = super::command(self.args(extra), self.envs.iter().cloned().chain(envs));
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        tokio::spawn(async move {
            let output = tokio::time::timeout(LIMIT, command.output()).await;
            Ran::new(output.expect("the run ends in time").expect("the merganser binary runs"))
        })
    }

    /// The arguments of a run; an option in `extra` takes the place of the one that is set.
    pub fn args(&self, extra: &[&str]) -> Vec<String> {
        let options = self.options.iter().filter(|(name, _)| !extra.contains(&name.as_str()));
        let options = options.flat_map(|(name, value)| [name.clone(), value.clone()]);
        let begin = ["run", "oca"].map(str::to_owned).into_iter();
        begin.chain(options).chain(extra.iter().map(|arg| (*arg).to_owned())).collect()
    }

    /// Runs another command than `run`, with those options of a run that it has.
    pub async fn other(&self, words: &[&str]) -> Ran {
        let (args, envs) = (self.other_args(words), self.envs.clone());
        let ran = tokio::task::spawn_blocking(move || Ran::new(super::merganser(args, envs)));
        let ran = ran.await.expect("the command is over");
        self.check_ledger().await;
        ran
    }

    /// Starts another command than `run` with more variables of the environment, and does not wait for it.
    pub fn start_other(&self, words: &[&str], envs: &[(&str, &str)]) -> tokio::task::JoinHandle<Ran> {
        let envs = envs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let command = super::command(self.other_args(words), self.envs.iter().cloned().chain(envs));
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        tokio::spawn(async move {
            let output = tokio::time::timeout(LIMIT, command.output()).await;
            Ran::new(output.expect("it ends in time").expect("the merganser binary runs"))
        })
    }

    /// The arguments of another command than `run`, with those options of a run that it has and that the words do not name.
    fn other_args(&self, words: &[&str]) -> Vec<String> {
        let command = merganser::cli::Cli::command();
        let command = command.find_subcommand(words[0]).expect("there is such a command");
        let has = |name: &str| command.get_arguments().any(|arg| arg.get_long() == name.strip_prefix("--"));
        let options = self.options.iter().filter(|(name, _)| has(name) && !words.contains(&name.as_str()));
        let options = options.flat_map(|(name, value)| [name.clone(), value.clone()]);
        words.iter().map(|word| (*word).to_owned()).chain(options).collect()
    }

    /// Runs the pipeline with more variables of the environment.
    pub async fn run_in(&self, envs: Vec<(String, String)>) -> Ran {
        let (args, all) = (self.args(&[]), [self.envs.clone(), envs].concat());
        let ran = tokio::task::spawn_blocking(move || Ran::new(super::merganser(args, all)));
        ran.await.expect("the run is over")
    }

    /// Runs the pipeline with a parser that takes the sequence of a motion for unique within a case.
    pub async fn run_older(&self, extra: &[&str]) -> Ran {
        let mut command = std::process::Command::new(super::older_merganser());
        command.args(self.args(extra)).env_clear().envs(self.envs.clone());
        let ran = tokio::task::spawn_blocking(move || Ran::new(command.output().expect("it runs")));
        ran.await.expect("the run is over")
    }

    /// The answer to a query, every cell as PostgreSQL's text.
    pub async fn rows(&self, query: &str) -> Vec<Vec<Cell>> {
        rows(&self.database.client().await, query).await
    }

    /// The first column of the answer to a query; NULL is shown as `NULL`.
    pub async fn column(&self, query: &str) -> Vec<String> {
        let rows = self.rows(query).await;
        rows.into_iter().map(|mut row| row.swap_remove(0).unwrap_or_else(|| "NULL".into())).collect()
    }

    /// The answer to a query of one row and column; NULL is shown as `NULL`.
    pub async fn one(&self, query: &str) -> String {
        let mut column = self.column(query).await;
        assert_eq!(column.len(), 1, "{query}: {column:?}");
        column.swap_remove(0)
    }

    /// Runs statements.
    pub async fn execute(&self, statements: &str) {
        self.database.client().await.batch_execute(statements).await.expect("the statements are good");
    }

    /// The whole content of the twelve tables in a schema, sorted.
    pub async fn tables(&self, schema: &str) -> BTreeMap<String, Vec<Vec<Cell>>> {
        let client = self.database.client().await;
        let mut tables = BTreeMap::new();
        for table in TABLES {
            let mut rows = rows(&client, &format!("select * from \"{schema}\".{table}")).await;
            rows.sort();
            tables.insert(table.to_owned(), rows);
        }
        tables
    }

    /// Every object of the folder store: key and bytes.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        walk(&self.store(), &self.store(), &mut objects);
        objects
    }

    /// A CSV of the folder store.
    pub fn csv(&self, key: &str) -> Csv {
        let text = fs::read_to_string(self.store().join(key)).unwrap_or_else(|e| panic!("{key}: {e}"));
        Csv::parse(&text)
    }

    async fn check_ledger(&self) {
        let client = self.database.client().await;
        let there = rows(&client, "select to_regclass('etl.parts')").await;
        if there[0][0].is_none() {
            return;
        }
        let odd =
            "select name, records_seen, records_loaded, records_failed, records_superseded, records_deleted
            from etl.parts
            where status in ('done', 'done_with_failures', 'incomplete') and records_seen is distinct from
                records_loaded + records_failed + records_superseded + records_deleted";
        assert_eq!(rows(&client, odd).await, Vec::<Vec<Cell>>::new());
        let odd = "select table_name, rows_before, inserted, deleted, rows_after from etl.table_changes
            where rows_after <> rows_before + inserted - deleted";
        assert_eq!(rows(&client, odd).await, Vec::<Vec<Cell>>::new());
    }
}

impl Ran {
    /// A run that is over, from what the process left.
    pub fn new(output: std::process::Output) -> Self {
        let stderr = String::from_utf8(output.stderr).expect("UTF-8 on standard error");
        let events = stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr,
            events,
        }
    }

    /// Asserts that the run ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The output must contain this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text) || self.failure().contains(text);
        assert!(said, "no {text:?} in\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The cells of the first line of a table that begins with this.
    #[track_caller]
    pub fn row(&self, begin: &str) -> Vec<&str> {
        let line = self.stdout.lines().map(str::trim).find(|line| line.starts_with(begin));
        line.unwrap_or_else(|| panic!("no row {begin}\n{}", self.stdout)).split_whitespace().collect()
    }

    /// The last event of a run that did not fail.
    #[track_caller]
    pub fn finished(&self) -> &Value {
        let last = self.events.iter().find(|event| event["message"] == "run finished");
        last.unwrap_or_else(|| panic!("the run did not finish\n{}", self.stderr))
    }

    /// A number of the last event.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        self.finished()[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.finished()))
    }

    /// All fields of the failure's event; empty if there is none.
    pub fn failure(&self) -> String {
        let Some(error) = self.events.iter().rfind(|event| event["level"] == "ERROR") else {
            return String::new();
        };
        ["message", "causes", "hint", "database"]
            .map(|field| error[field].as_str().unwrap_or_default().to_owned())
            .join("\n")
    }
}

/// The production tables.
pub const TABLES: [&str; 12] = [
    "oca_index",
    "oca_causes",
    "oca_addresses",
    "oca_parties",
    "oca_events",
    "oca_appearances",
    "oca_appearance_outcomes",
    "oca_motions",
    "oca_decisions",
    "oca_judgments",
    "oca_warrants",
    "oca_metadata",
];

/// What is published beside the tables' CSVs: what is derived of them, and what all of them are.
pub const DERIVED_CSVS: [&str; 5] = [
    "oca_case_summary.csv",
    "oca_addresses_public.csv",
    "oca_addresses_with_bbl.csv",
    "oca_addresses_with_ct.csv",
    "data-dictionary.csv",
];

/// The answer to a query, every cell as PostgreSQL's text.
pub async fn rows(client: &tokio_postgres::Client, query: &str) -> Vec<Vec<Cell>> {
    let answer = client.simple_query(query).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let rows = answer.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    });
    rows.collect()
}

fn walk(root: &Path, dir: &Path, objects: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a folder can be listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, objects);
        } else {
            let key = path.strip_prefix(root).expect("it is inside").display().to_string();
            objects.insert(key, fs::read(&path).expect("a file can be read"));
        }
    }
}
