//! The command line of `merganser transform`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DatabaseArgs;

#[derive(Args)]
pub struct TransformArgs {
    #[command(subcommand)]
    pub action: TransformAction,
}

#[derive(Subcommand)]
pub enum TransformAction {
    /// Look at a job's tables, try its cleaning and note its partitions; changes nothing but the ledger
    Plan(PlanArgs),
    /// Plan, and clean with several workers on this machine
    Run(WorkersArgs),
    /// Clean as one worker, until nothing is left to claim: what a cluster starts many of
    Work(WorkArgs),
    /// How far a job is; slowest, largest and poison partitions
    Status(JobStatusArgs),
    /// Clean the job's sample and compare it with its truth
    Test(JobTestArgs),
    /// Let workers end after the groups that they are at
    Pause(JobArgs),
    /// Let workers go on with a job that was paused
    Resume(JobArgs),
    /// Let poison partitions be tried again
    Retry(JobArgs),
    /// Remove the version that is being made, or else the one that was in place before
    Drop(JobArgs),
}

#[derive(Args)]
pub struct JobArgs {
    /// The job's folder, or the file job.toml in it
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub buckets: BucketArgs,
}

/// Where rows are put into buckets.
#[derive(Args)]
pub struct BucketArgs {
    /// Where rows are put into buckets, if the table lies in another order than its key: file:PATH or s3://BUCKET/PREFIX
    #[arg(long, env = "MERGANSER_STORE", value_name = "URL", hide_env_values = true)]
    pub store: Option<String>,
    /// Server-side encryption of what is written to S3: AES256, aws:kms or aws:kms:KEY-ID
    #[arg(long, env = "MERGANSER_S3_ENCRYPTION", value_name = "KIND")]
    pub s3_encryption: Option<String>,
}

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub way: WayArgs,
}

/// How a version is made; what is said when it is planned holds.
#[derive(Args)]
pub struct WayArgs {
    /// Replace the partitions of the clean table one by one, instead of building a table that takes its place
    #[arg(long)]
    pub in_place: bool,
    /// Make the version anew although this cleaning was finished before
    #[arg(long)]
    pub anew: bool,
    /// MiB of the table that are in a bucket, and are read at once into buckets [default: 256, of a large table more]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub bucket_mib: Option<u64>,
    /// Let the buckets stay in the store when the version is in place, for other programs; `drop` removes them
    #[arg(long)]
    pub keep_buckets: bool,
}

/// What a worker may use.
#[derive(Args)]
pub struct WorkerArgs {
    /// Seconds after which the claims of a worker that gave no sign of life go to others
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub lease: u32,
    /// MiB for all workers of this command together [default: three quarters of what there is]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(64..))]
    pub memory: Option<u64>,
    /// Folder for what does not fit into memory; a folder of its own is made in it and removed [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// Seconds that a finished version waits for readers who would see holes in it, and for locks, before it gives up
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub swap_wait: u64,
    /// Seconds that a replica may be behind; a worker waits until it is not
    #[arg(long, value_name = "SECONDS")]
    pub throttle: Option<u64>,
}

#[derive(Args)]
pub struct WorkArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub way: WayArgs,
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// Read and clean some groups, show counts and first rows, and write nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct WorkersArgs {
    #[command(flatten)]
    pub work: WorkArgs,
    /// Workers beside each other; auto: one for each processor
    #[arg(long, default_value = "auto", value_name = "N|auto")]
    pub workers: String,
}

#[derive(Args)]
pub struct JobStatusArgs {
    #[command(flatten)]
    pub job: JobArgs,
    /// As JSON, on standard output
    #[arg(long)]
    pub json: bool,
    /// Show it again every second until the version is in place, paused or given up
    #[arg(long)]
    pub watch: bool,
}

#[derive(Args)]
pub struct JobTestArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub worker: WorkerArgs,
}
