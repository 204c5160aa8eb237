//! Jobs that clean a table in partitions: their folder, their raw table, and the real program that runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::pipeline::Bench;

/// The folder of the peers, the raw rows and the cleaning.
pub const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// A job and its database.
pub struct JobBench<'b> {
    pub bench: &'b Bench,
    pub workers: usize,
    folder: PathBuf,
}

/// The number of rows: that of `--rows`, or else this one.
pub fn rows(otherwise: u64) -> u64 {
    let rows = std::env::args().skip_while(|arg| arg != "--rows").nth(1);
    rows.map_or(otherwise, |rows| rows.parse().expect("--rows is a number"))
}

/// The Python of the peers.
pub fn python() -> PathBuf {
    let home = crate::cache().parent().expect("a folder").join("peers/bin/python");
    assert!(home.is_file(), "no Python at {}: run scripts/setup bench", home.display());
    home
}

impl<'b> JobBench<'b> {
    /// With a worker for each processor.
    pub fn new(bench: &'b Bench) -> Self {
        let folder = bench.folder.join("job");
        Self { bench, workers: merganser::system::machine::cpus(), folder }
    }

    /// Makes the raw table, in the order of its key.
    pub fn make_rows(&self, rows: u64) {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/demo/companies.pg.sql");
        let (narrow, wide) = (demo.display().to_string(), format!("{PEERS}/companies.pg.sql"));
        let rows = format!("rows={rows}");
        self.bench.psql(&["-v", "schema=public", "-v", &rows, "-f", &narrow, "-f", &wide]);
        self.bench.psql(&["-c", "vacuum analyze public.companies_raw"]);
    }

    /// Makes another raw table of the same rows, in random order.
    pub fn scatter(&self, name: &str) {
        self.bench.psql(&["-c", &format!("drop table if exists {name}")]);
        let make =
            format!("create table {name} as select * from companies_raw order by hashint8(company_id)");
        self.bench.psql(&["-c", &make, "-c", &format!("create index on {name} (zip_code)")]);
        self.bench.psql(&["-c", &format!("vacuum analyze {name}")]);
    }

    /// Makes a job of this name that cleans `table`, by SQL or by pandas; `more` is added to its section on the source.
    pub fn job(&self, name: &str, table: &str, by_pandas: bool, more: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).expect("a folder for the job");
        for file in ["clean.py", "clean.duckdb.sql", "companies_clean.pg.sql"] {
            fs::copy(Path::new(PEERS).join(file), folder.join(file)).expect("a file of the job");
        }
        let clean = match by_pandas {
            true => format!("python = \"clean.py:clean\"\ninterpreter = \"{}\"", python().display()),
            false => "sql = \"clean.duckdb.sql\"".into(),
        };
        let job = format!(
            "name = \"{name}\"\n[source]\ntable = \"{table}\"\nkey = \"zip_code\"\n{more}\n[target]\ntable = \"{name}\"\n\
             create = \"companies_clean.pg.sql\"\n[clean]\n{clean}\n"
        );
        fs::write(folder.join("job.toml"), job).expect("a job");
        folder
    }

    /// `merganser transform …`, not yet started.
    pub fn command(&self, action: &str, job: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
        command.args(["transform", action]).arg(job).args(more).args(["--quiet", "--database-url"]);
        command.arg(self.bench.url()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Runs a job with all workers, and returns the seconds of the whole command, including its plan and the start of
    /// its processes.
    pub fn run(&self, job: &Path, more: &[&str]) -> f64 {
        let workers = self.workers.to_string();
        let started = Instant::now();
        let ended = self.command("run", job, &[&["--workers", &workers], more].concat()).status();
        let took = started.elapsed().as_secs_f64();
        assert!(ended.expect("merganser runs").success(), "{} is done", job.display());
        took
    }

    /// Runs all partitions of a job whose table cannot be swapped in, because somebody has an old snapshot.
    pub fn run_without_swap(&self, job: &Path, name: &str) {
        let workers = self.workers.to_string();
        let ended = self.command("run", job, &["--workers", &workers, "--swap-wait", "1"]).status();
        assert!(!ended.expect("merganser runs").success(), "{}: nobody has a snapshot", job.display());
        let left = format!(
            "select count(*)::double precision from etl.transform_groups join etl.transform_versions using (version_id)
            where job = '{name}' and status <> 'done'"
        );
        assert_eq!(self.number(&left), 0.0, "{} is done", job.display());
    }

    /// `merganser transform status JOB --json`.
    pub fn status(&self, job: &Path) -> Option<Value> {
        let output = self.command("status", job, &["--json"]).stdout(Stdio::piped()).output().ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Runs a peer's script over `source` into a table made for it, and returns its seconds.
    pub fn script(&self, script: &str, (source, target): (&str, &str), envs: &[(&str, &str)]) -> f64 {
        let create = Path::new(PEERS).join("companies_clean.pg.sql").display().to_string();
        self.bench.psql(&["-c", &format!("drop table if exists {target}")]);
        self.bench.psql(&["-v", "schema=public", "-v", &format!("table={target}"), "-f", &create]);
        let started = Instant::now();
        let output = Command::new(python())
            .arg(Path::new(PEERS).join(script))
            .env("DATABASE_URL", self.bench.url())
            .envs([("SOURCE", source), ("TARGET", target), ("WORKERS", &self.workers.to_string())])
            .envs(envs.iter().copied())
            .output()
            .expect("Python runs");
        let took = started.elapsed().as_secs_f64();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }

    /// Both tables hold the same cells, or the benchmark ends.
    pub fn same(&self, one: &str, other: &str) {
        let sum = |table: &str| {
            let query =
                format!("select count(*), sum(hashtextextended(t::text, 0)::numeric) from {table} as t");
            self.bench.psql(&["-At", "-c", &query])
        };
        assert_eq!(sum(one), sum(other), "{one} and {other} hold the same");
    }

    /// A number from a query.
    pub fn number(&self, query: &str) -> f64 {
        let said = self.bench.psql(&["-At", "-c", query]);
        said.parse().unwrap_or_else(|_| panic!("{query}: {said}"))
    }

    /// Forgets a job and its tables.
    pub fn forget(&self, name: &str) {
        self.bench.psql(&["-c", &format!("drop table if exists {name} cascade")]);
        self.bench.psql(&["-c", &format!("delete from etl.runs where dataset = 'transform/{name}'")]);
        self.bench.psql(&["-c", "checkpoint"]);
    }
}
