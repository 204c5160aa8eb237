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
    /// Look at a job's tables, try its cleaning and note its partitions; only the ledger changes
    Plan(PlanArgs),
    /// Plan the job, and clean with several workers on this machine
    Run(WorkersArgs),
    /// Clean as one worker until nothing is left to claim; a cluster starts many of these
    Work(WorkArgs),
    /// Show how far a job is, and its slowest, largest and poison partitions
    Status(JobStatusArgs),
    /// Clean the job's sample and compare it with its truth
    Test(JobTestArgs),
    /// Let workers finish the groups they are at, and end
    Pause(JobArgs),
    /// Let workers go on with a job that was paused
    Resume(JobArgs),
    /// Try poison partitions again
    Retry(JobArgs),
    /// Remove the version that is being made, or otherwise the one that was in place before
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
#[command(next_help_heading = "Buckets")]
pub struct BucketArgs {
    /// Where rows are put into buckets if the table lies on disk in another order than its key: file:PATH or s3://BUCKET/PREFIX
    #[arg(long, env = "MERGANSER_STORE", value_name = "URL", hide_env_values = true)]
    pub store: Option<String>,
    /// Server-side encryption for what is written to S3: AES256, aws:kms or aws:kms:KEY-ID
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
#[command(next_help_heading = "How a version is made")]
pub struct WayArgs {
    /// Replace the partitions of the clean table one by one, instead of building a table that takes its place
    #[arg(long)]
    pub in_place: bool,
    /// Make the version again even if this cleaning is in place, or ended before it was; `plan` also replaces the plan of a
    /// version that is being made
    #[arg(long)]
    pub anew: bool,
    /// MiB of the table per bucket, which is also how much is read into buckets at once [default: 256, more for a large table]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub bucket_mib: Option<u64>,
    /// Keep the buckets in the store once the version is in place, for other programs; `drop` removes them
    #[arg(long)]
    pub keep_buckets: bool,
}

/// What a worker may use.
#[derive(Args)]
#[command(next_help_heading = "Workers")]
pub struct WorkerArgs {
    /// Seconds without a sign of life after which a worker's claims go to others
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub lease: u32,
    /// MiB for all workers of this command together [default: three quarters of the memory there is]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(256..))]
    pub memory: Option<u64>,
    /// Folder for what does not fit into memory; the worker makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// Seconds a finished version waits for locks, and for readers who would see holes in it, before it gives up
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub swap_wait: u64,
    /// Seconds a replica may lag behind; workers wait until it has caught up
    #[arg(long, value_name = "SECONDS")]
    pub throttle: Option<u64>,
}

#[derive(Args)]
pub struct WorkArgs {
    /// Read and clean some groups, show the counts and the first rows, and write nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub way: WayArgs,
    #[command(flatten)]
    pub worker: WorkerArgs,
}

#[derive(Args)]
pub struct WorkersArgs {
    /// How many workers; auto: one per processor
    #[arg(long, default_value = "auto", value_name = "N|auto")]
    pub workers: String,
    #[command(flatten)]
    pub work: WorkArgs,
}

#[derive(Args)]
pub struct JobStatusArgs {
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Show it again every second until the version is in place, paused or given up
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub job: JobArgs,
}

#[derive(Args)]
pub struct JobTestArgs {
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub worker: WorkerArgs,
}
