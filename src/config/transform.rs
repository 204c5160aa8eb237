//! The configuration of `merganser transform`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::DatabaseConfig;
use super::target::{s3_options, writable_store};
use crate::cli;
use crate::clients::duckdb::DuckLimits;
use crate::clients::store::{S3Options, StoreUrl};
use crate::error::Cause;
use crate::system::machine;

/// The divisor for DuckDB's share of a worker's memory; the rest is for the rows on their way in and out.
const DUCKDB_SHARE: u64 = 2;
/// The least memory of a worker in MiB: half of it is what the program takes without any rows.
const LEAST_MIB: u64 = 256;
/// The same where a process of pandas takes half of it.
const LEAST_PYTHON_MIB: u64 = 512;

/// The settings of a job besides its folder.
#[derive(Clone, Debug)]
pub struct TransformConfig {
    pub database: DatabaseConfig,
    pub job: PathBuf,
    pub in_place: bool,
    /// Make the version again even though this cleaning was finished before.
    pub anew: bool,
    pub worker: WorkerConfig,
    pub buckets: BucketConfig,
    /// The database's address as it was given, for workers that are started.
    pub said: SaidUrl,
}

/// Where and how rows may be put into buckets.
#[derive(Clone, Debug, Default)]
pub struct BucketConfig {
    /// `None`: there is no place for buckets.
    pub store: Option<StoreUrl>,
    pub s3: S3Options,
    /// MiB of the table per bucket; `None`: depends on the table's size.
    pub bucket_mib: Option<u64>,
    /// Keep the buckets once the version is in place.
    pub keeps: bool,
}

impl BucketConfig {
    fn new(args: &cli::BucketArgs, way: Option<&cli::WayArgs>) -> Result<Self, Cause> {
        let store = args.store.as_deref().map(writable_store).transpose()?.map(absolute);
        let keeps = way.is_some_and(|way| way.keep_buckets);
        if keeps && store.is_none() {
            return Err(super::missing(
                "the store that buckets are kept in",
                "--store file:PATH (or s3://BUCKET/PREFIX)",
                "MERGANSER_STORE",
            ));
        }
        let bucket_mib = way.and_then(|way| way.bucket_mib);
        Ok(Self { store, s3: s3_options(args.s3_encryption.as_deref())?, bucket_mib, keeps })
    }
}

/// A text that may hold a password and is never shown.
#[derive(Clone)]
pub struct SaidUrl(pub String);

impl std::fmt::Debug for SaidUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What a worker may use.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    pub lease: Duration,
    /// The memory of all workers of one command together.
    pub memory_mib: u64,
    pub work_dir: PathBuf,
    pub swap_wait: Duration,
    pub throttle: Option<Duration>,
    pub dry_run: bool,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            memory_mib: (machine::memory_bytes() >> 20) * 3 / 4,
            work_dir: std::env::temp_dir(),
            swap_wait: Duration::from_secs(600),
            throttle: None,
            dry_run: false,
        }
    }
}

impl WorkerConfig {
    fn new(args: &cli::WorkerArgs, dry_run: bool) -> Self {
        let default = Self::default();
        Self {
            lease: Duration::from_secs(args.lease.into()),
            memory_mib: args.memory.unwrap_or(default.memory_mib),
            work_dir: args.work_dir.clone().unwrap_or(default.work_dir),
            swap_wait: Duration::from_secs(args.swap_wait),
            throttle: args.throttle.map(Duration::from_secs),
            dry_run,
        }
    }

    /// DuckDB's limits for reading rows from a bucket; the cleaning has its own besides.
    pub fn bucket(&self) -> DuckLimits {
        DuckLimits { memory_mib: self.memory_mib / DUCKDB_SHARE / 2, threads: 1 }
    }

    /// DuckDB's limits within this worker's memory. A process that cleans beside the worker gets as much.
    pub fn duckdb(&self) -> DuckLimits {
        DuckLimits { memory_mib: self.memory_mib / DUCKDB_SHARE, threads: 1 }
    }

    /// What this process may take in bytes: all of a worker's memory, or what a process beside it leaves.
    pub fn resident_bytes(&self, has_process_beside: bool) -> u64 {
        let beside_mib = if has_process_beside { self.duckdb().memory_mib } else { 0 };
        (self.memory_mib - beside_mib).max(LEAST_MIB) << 20
    }
}

impl TransformConfig {
    fn new(job: &cli::JobArgs, way: Option<&cli::WayArgs>, worker: WorkerConfig) -> Result<Self, Cause> {
        Ok(Self {
            database: DatabaseConfig::new(&job.database)?,
            job: job.job.clone(),
            in_place: way.is_some_and(|way| way.in_place),
            anew: way.is_some_and(|way| way.anew),
            worker,
            buckets: BucketConfig::new(&job.buckets, way)?,
            said: SaidUrl(job.database.database_url.clone().unwrap_or_default()),
        })
    }

    /// The settings of the demo: defaults, except for a short lease.
    pub fn of_demo(database: DatabaseConfig, job: &Path, said: &str) -> Self {
        let worker = WorkerConfig { lease: Duration::from_secs(3), ..WorkerConfig::default() };
        let job = job.to_owned();
        let buckets = BucketConfig::default();
        Self { database, job, in_place: false, anew: false, worker, buckets, said: SaidUrl(said.into()) }
    }

    /// Validates the arguments of a command that needs nothing but the job.
    pub fn from_job(args: &cli::JobArgs) -> Result<Self, Cause> {
        Self::new(args, None, WorkerConfig::default())
    }

    /// Validates the arguments of `merganser transform plan`.
    pub fn from_plan(args: &cli::PlanArgs) -> Result<Self, Cause> {
        Self::new(&args.job, Some(&args.way), WorkerConfig::default())
    }

    /// Validates the arguments of `merganser transform work`.
    pub fn from_work(args: &cli::WorkArgs) -> Result<Self, Cause> {
        Self::new(&args.job, Some(&args.way), WorkerConfig::new(&args.worker, args.dry_run))
    }

    /// Validates the arguments of `merganser transform test`.
    pub fn from_test(args: &cli::JobTestArgs) -> Result<Self, Cause> {
        Self::new(&args.job, None, WorkerConfig::new(&args.worker, true))
    }
}

/// Makes the path absolute, because the ledger keeps it for workers that are started elsewhere.
fn absolute(store: StoreUrl) -> StoreUrl {
    match store {
        StoreUrl::Directory { path, read_only } => {
            StoreUrl::Directory { path: std::path::absolute(&path).unwrap_or(path), read_only }
        }
        s3 => s3,
    }
}

/// How many workers a command starts: a number, or `auto`: one for each processor, and no more than there is memory for.
///
/// # Errors
/// It is neither, or that many workers do not fit into `memory_mib`.
pub fn workers(text: &str, memory_mib: u64, is_python: bool) -> Result<usize, Cause> {
    let least = if is_python { LEAST_PYTHON_MIB } else { LEAST_MIB };
    let fitting = (memory_mib / least).max(1) as usize;
    match (text, text.parse()) {
        ("auto", _) => Ok(machine::cpus().min(fitting)),
        (_, Ok(number @ 1..=256)) if number > fitting => Err(Cause::Usage {
            message: format!(
                "{number} workers with {memory_mib} MiB in all are too many: each needs at least {least}"
            ),
            hint: Some(format!("--workers {fitting}, or --memory {}", number as u64 * least)),
        }),
        (_, Ok(number @ 1..=256)) => Ok(number),
        _ => Err(Cause::usage(format!("--workers takes a number from 1 to 256, or auto, not `{text}`"))),
    }
}
