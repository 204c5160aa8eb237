//! The command lines of runs, and of what prepares them: check and adopt.

use std::path::PathBuf;

use clap::Args;

use super::shared::{DatabaseArgs, MovingArgs, StoreArgs, dataset, switch};
use crate::dataset::Dataset;
use crate::datasets;

#[derive(Args)]
pub struct RunArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    #[command(flatten)]
    pub files: FilesArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    #[command(flatten)]
    pub processing: Processing,
}

#[derive(Args)]
pub struct ReprocessArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// Names of files in the archive; * and ? are wildcards
    #[arg(env = "REPROCESS_GLOB")]
    pub glob: String,
    /// Include files that are done without a failure
    #[arg(long, env = "FORCE_REPROCESS", value_parser = switch())]
    pub force: bool,
    /// Let these files replace newer data, which is otherwise kept
    #[arg(long)]
    pub overwrite_newer: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    #[command(flatten)]
    pub processing: Processing,
}

#[derive(Args)]
pub struct RetryArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// Only the failed records of this run (its id, the start or end of its id, or `last`)
    #[arg(long, value_name = "RUN", conflicts_with = "record")]
    pub run: Option<String>,
    /// Only this failed record, by its number in `merganser failures`
    #[arg(long, value_name = "ID")]
    pub record: Option<i64>,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    #[command(flatten)]
    pub processing: Processing,
}

/// Which files a run takes.
#[derive(Args)]
#[command(next_help_heading = "Which files a run takes")]
pub struct FilesArgs {
    /// Where new files come from: sftp://USER@HOST/DIR, dir:PATH or s3://BUCKET/PREFIX; for histories, https://HOST of an API, or git:DIR
    #[arg(long, env = "MERGANSER_SOURCE", value_name = "URL", hide_env_values = true)]
    pub source: Option<String>,
    /// The address of one hand-kept sheet, instead of --source: projects.csv=https://…; repeat it for each sheet, or separate them by blanks
    #[arg(long, env = "MERGANSER_SHEETS", value_name = "FILE=URL", hide_env_values = true)]
    pub sheet: Vec<String>,
    /// Process files of the archive whose names match instead of new files, as `merganser reprocess` does
    #[arg(long, env = "REPROCESS_GLOB", value_name = "GLOB")]
    pub reprocess: Option<String>,
    /// With --reprocess: include files that are done without a failure
    #[arg(long, env = "FORCE_REPROCESS", value_parser = switch())]
    pub force: bool,
    /// Add the key of an unknown SFTP server to the file of known hosts, and go on
    #[arg(long, env = "MERGANSER_SFTP_TRUST_ON_FIRST_USE", value_parser = switch())]
    pub sftp_trust_on_first_use: bool,
}

/// The same command line and environment as the run that is asked about.
#[derive(Args)]
pub struct CheckArgs {
    /// For histories: prove that every head and every parent is there, instead of checking whether a run would work
    #[arg(long)]
    pub complete: bool,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Seconds each probe may take
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Args)]
pub struct AdoptArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// The table, if the dataset was loaded into one that is not its own
    #[arg(long, value_name = "[SCHEMA.]NAME")]
    pub table: Option<String>,
    /// Add the missing tables, keys, foreign keys and indexes; without this they are listed, with the SQL
    #[arg(long)]
    pub fix: bool,
    /// Treat files of the archive up to this run date as done [default: the newest run date in the database]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Option<jiff::civil::Date>,
    /// Show what would be done, and roll back
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Processing")]
pub struct Processing {
    /// Records appended to the staging store at a time (also: PARSE_WRITE_FLUSH_EVERY_N_CASES)
    #[arg(long, env = "MERGANSER_BATCH_RECORDS", default_value_t = 2000, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch_records: u32,
    /// MiB of packed files that are promoted together; the rest follows in further transactions
    #[arg(long, env = "MERGANSER_BATCH_MIB", default_value_t = 256, value_name = "MIB",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_mib: u64,
    /// MiB that DuckDB may use before it spills to disk [default: depends on the memory there is]
    #[arg(long, env = "MERGANSER_DUCKDB_MEMORY_MIB", value_name = "MIB")]
    pub duckdb_memory_mib: Option<u64>,
    /// Stop before any promotion at the first record or file that fails (also: PARSE_FAIL_FAST)
    #[arg(long, env = "MERGANSER_FAIL_FAST", value_parser = switch())]
    pub fail_fast: bool,
    /// Failed records a run may have: a number, or a percentage of its records [default: 5%, at least 10]
    #[arg(long, env = "MERGANSER_MAX_FAILURES", value_name = "N|P%")]
    pub max_failures: Option<String>,
    /// Cases of a batch that may be newly sealed and lose rows: a number, or a percentage [default: 10%, at least 9]
    #[arg(long, env = "MERGANSER_MAX_DELETES", value_name = "N|P%")]
    pub max_deletes: Option<String>,
    /// Percentage of its rows that a table may lose in one batch [default: 10%, at least 10 rows]
    #[arg(long, env = "MERGANSER_MAX_DROP", value_name = "P%")]
    pub max_drop: Option<String>,
    /// Let a named guard through this time; the ledger records who did
    #[arg(long, value_name = "GUARD", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Do everything, including the real promotion, show the exact change, and roll back
    #[arg(long)]
    pub dry_run: bool,
    /// Days to keep replaced and deleted rows as they were, for `merganser undo`; 0 keeps none
    #[arg(long, env = "MERGANSER_KEEP_UNDO", default_value_t = 30, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub keep_undo: u32,
    /// Compare the tables with the CSVs in DIR before the commit; a difference rolls back
    #[arg(long, value_name = "DIR")]
    pub golden: Option<PathBuf>,
    /// Keep no copy of failed records in the ledger
    #[arg(long, env = "MERGANSER_NO_FRAGMENTS", value_parser = switch())]
    pub no_fragments: bool,
    #[command(flatten)]
    pub own: datasets::OwnOptions,
    #[command(flatten)]
    pub moving: MovingArgs,
}
