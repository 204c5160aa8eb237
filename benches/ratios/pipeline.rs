//! Runs the real program, and reads the cost of each step from its ledger.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use merganser::embedded::Embedded;
use serde_json::Value;

use crate::Inputs;

/// The tables that the staging CSVs fill.
pub const TABLES: [&str; 11] = [
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
];

/// A private PostgreSQL and a folder.
pub struct Bench {
    url: String,
    pub folder: PathBuf,
}

/// A schema that `\copy` loaded.
pub struct Copied {
    pub schema: String,
    /// Seconds.
    pub took: f64,
}

/// A finished run.
pub struct Figures {
    pub schema: String,
    /// The output of `merganser status RUN --timings --json`.
    pub timings: Value,
    /// Seconds of the whole process.
    wall: f64,
}

impl Figures {
    fn step(&self, name: &str) -> &Value {
        let steps = self.timings["steps"].as_array().expect("a run has steps");
        steps.iter().find(|step| step["step"] == name).unwrap_or(&Value::Null)
    }

    /// Seconds of a step.
    pub fn wall(&self, step: &str) -> f64 {
        self.step(step)["duration_ms"].as_f64().unwrap_or(0.0) / 1000.0
    }

    /// CPU seconds of this process in a step.
    pub fn cpu(&self, step: &str) -> f64 {
        self.step(step)["cpu_ms"].as_f64().unwrap_or(0.0) / 1000.0
    }

    /// Seconds of the whole process.
    pub fn total(&self) -> f64 {
        self.wall
    }

    /// Peak resident size of the process.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.timings["peak_memory_bytes"].as_u64().unwrap_or(0)
    }
}

impl Bench {
    pub fn new(server: &Embedded, folder: &Path) -> Self {
        let url = server.tcp_url("merganser").unwrap_or_else(|| server.url());
        Self { url, folder: folder.to_owned() }
    }

    /// The database's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Loads into a schema without tables.
    pub fn first_load(&self, input: &Inputs, schema: &str) -> Figures {
        self.psql(&["-c", &format!("create schema {schema}")]);
        self.run(input, schema)
    }

    /// Loads into existing tables, empty and with all their keys.
    pub fn load_empty_tables(&self, input: &Inputs, schema: &str) -> Figures {
        self.make_tables(schema);
        self.run(input, schema)
    }

    /// Loads more into the tables of a run.
    pub fn again(&self, before: &Figures, input: &Inputs) -> Figures {
        self.run(input, &before.schema)
    }

    /// The tables of production, with keys and indexes.
    pub fn make_tables(&self, schema: &str) {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/oca");
        let script = |name: &str| scripts.join(name).display().to_string();
        self.psql(&["-c", &format!("create schema {schema}")]);
        let set = format!("schema={schema}");
        self.psql(&["-1", "-v", &set, "-f", &script("4_tables.pg.sql"), "-f", &script("5_keys.pg.sql")]);
    }

    fn run(&self, input: &Inputs, schema: &str) -> Figures {
        let source = format!("dir:{}", input.folder().display());
        self.process(schema, &["run", "oca", "--source", &source], &[])
    }

    /// Runs the real program with these words, into a schema, a ledger and a store with the schema's name, and with
    /// these environment variables.
    pub fn process(&self, schema: &str, words: &[&str], envs: &[(&str, &str)]) -> Figures {
        let store = format!("file:{}", self.folder.join(schema).display());
        let (ledger, work) = (format!("{schema}_etl"), self.folder.join("work"));
        let started = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(words)
            .args(["--quiet", "--store", &store, "--database-url", &self.url])
            .args(["--schema", schema, "--ledger-schema", &ledger, "--work-dir"])
            .arg(&work)
            .envs(envs.iter().copied())
            .output()
            .expect("merganser runs");
        let wall = started.elapsed().as_secs_f64();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(["status", "last", "--timings", "--json", "--database-url", &self.url])
            .args(["--ledger-schema", &ledger])
            .output()
            .expect("merganser runs");
        let timings: Value = serde_json::from_slice(&output.stdout).expect("status gives JSON");
        Figures { schema: schema.to_owned(), timings, wall }
    }

    /// The staging CSVs of a run, for the production tables, parents first.
    pub fn staging_csvs(&self, run: &Figures) -> Vec<(&'static str, PathBuf)> {
        self.csvs_of(run, "private/runs", &TABLES)
    }

    /// The same for these tables, in the folder of the store where runs stage.
    pub fn csvs_of(
        &self,
        run: &Figures,
        runs: &str,
        tables: &[&'static str],
    ) -> Vec<(&'static str, PathBuf)> {
        let id = run.timings["run_id"].as_str().expect("a run has an id");
        let folder = self.folder.join(&run.schema).join(runs).join(id);
        let batches = fs::read_dir(&folder).expect("the run left its CSVs");
        let mut folders: Vec<_> = batches.map(|entry| entry.expect("an entry").path()).collect();
        folders.retain(|path| path.is_dir());
        folders.insert(0, folder);
        let in_folder =
            |table: &'static str| folders.iter().map(move |f| (table, f.join(format!("{table}.csv"))));
        tables.iter().copied().flat_map(in_folder).filter(|(_, csv)| csv.is_file()).collect()
    }

    /// Both hold the same rows, or the benchmark ends.
    pub fn compare(&self, run: &Figures, copied: &Copied) {
        for table in TABLES {
            let sum = |schema: &str| {
                let query = format!(
                    "select count(*), sum(hashtextextended(t::text, 0)::numeric) from {schema}.{table} as t"
                );
                self.psql(&["-At", "-c", &query])
            };
            assert_eq!(sum(&run.schema), sum(&copied.schema), "{table} holds what its CSV holds");
        }
    }

    /// Makes room for the next round.
    pub fn drop_all(&self, runs: &[Figures], copies: &[Copied]) {
        for run in runs {
            let schema = &run.schema;
            self.psql(&["-c", &format!("drop schema {schema}, {schema}_etl, {schema}_etl_staging cascade")]);
            let _ = fs::remove_dir_all(self.folder.join(schema));
        }
        for copy in copies {
            self.psql(&["-c", &format!("drop schema {} cascade", copy.schema)]);
        }
        self.psql(&["-c", "checkpoint"]);
    }

    /// Runs psql and returns its standard output; the benchmark ends if it fails.
    pub fn psql(&self, args: &[&str]) -> String {
        let output = self.psql_command(args).output().expect("psql runs");
        assert!(output.status.success(), "psql {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// psql with these arguments, not yet started.
    pub fn psql_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("psql");
        command.args([&self.url, "-X", "-q", "-v", "ON_ERROR_STOP=1"]).args(args).stdin(Stdio::null());
        command
    }
}
