//! The command line: definitions only. What they mean together is decided in `config`.
//!
//! None of this is `Debug`: a URL as it was typed may hold a password, which `config` knows to hide.

// What is shown as help has words in brackets that are no links.
#![allow(rustdoc::broken_intra_doc_links)]

mod change;
pub mod environment;
mod run;
mod shared;
mod transform;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use self::shared::{dataset, switch};
use crate::dataset::Dataset;
use crate::dataset::served::MinCount;
use crate::datasets;
use crate::datasets::metrics::export::GraphForm;
use crate::datasets::samples::{DemoSizes, SampleOf};

pub use change::{BackfillArgs, PurgeArgs, ReferenceArgs, UndoArgs};
pub use run::{AdoptArgs, CheckArgs, FilesArgs, Processing, ReprocessArgs, RetryArgs, RunArgs};
pub use shared::{DatabaseArgs, LoadVia, MovingArgs, StoreArgs};
pub use transform::{
    BucketArgs, JobArgs, JobStatusArgs, JobTestArgs, PlanArgs, TransformAction, TransformArgs, WayArgs,
    WorkArgs, WorkerArgs, WorkersArgs,
};

/// Messy public data into PostgreSQL, without ever breaking what is already there.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Subcommand)]
pub enum Command {
    /// Load what is new: select, fetch, parse, check, enrich, export, upload, load, promote, publish
    Run(Box<RunArgs>),
    /// Process files of the archive again; newer data in the database stays
    Reprocess(Box<ReprocessArgs>),
    /// Process the failed records again, and only those, with today's parser
    Retry(Box<RetryArgs>),
    /// Show what ran: the last runs, or everything about one run, file or record
    Status(StatusArgs),
    /// List the failed records: where they are and why they failed
    Failures(FailuresArgs),
    /// Check whether tonight's run would work: try everything it needs, and change nothing
    Check(Box<CheckArgs>),
    /// Take over tables and an archive that another program has filled
    Adopt(Box<AdoptArgs>),
    /// Remove what is left of deleted cases, or of a person, and prove it
    Purge(Box<PurgeArgs>),
    /// Take back what runs have committed, so that production is as it was before them
    Undo(Box<UndoArgs>),
    /// Fill in columns of rows that are already in production, one transaction per batch
    Backfill(Box<BackfillArgs>),
    /// Draw what is in the database on a map: one self-contained page or picture
    Map(MapArgs),
    /// Export the graph of the sheets and histories
    Graph(GraphArgs),
    /// Serve what is loaded to people and programs: a page and an API by postcode, date and radius, read-only
    Serve(ServeArgs),
    /// Take in the reference files that rows are looked up in: check them, keep them in the store, say what changed
    Reference(Box<ReferenceArgs>),
    /// Build a static site of the sheets, the graph and the metrics, rebuilding only what has changed
    Build(Box<BuildArgs>),
    /// Clean a large table in partitions, each exactly once, with any number of workers
    Transform(Box<TransformArgs>),
    /// Write made-up data that looks like the real thing
    Sample(SampleArgs),
    /// See it work: load a sample into a private PostgreSQL, with nothing to set up
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What can be demonstrated: the datasets, and the cleaning of a table in partitions.
fn demonstrated() -> PossibleValuesParser {
    let names = datasets::ALL.iter().filter(|dataset| dataset.has_demo);
    let names = names.map(|dataset| PossibleValue::new(dataset.name).help(dataset.about));
    let transform =
        PossibleValue::new("transform").help("a large table, cleaned in partitions by several workers");
    let serve = PossibleValue::new("serve").help("the page and the API over daily counts by postcode");
    let site = PossibleValue::new("site").help("a static site of a small made-up catalog");
    PossibleValuesParser::new(names.chain([transform, serve, site]))
}

/// The ways to divide the land that a dataset's map knows, by name.
fn division() -> PossibleValuesParser {
    let known = datasets::ALL.iter().filter_map(|dataset| dataset.map).flat_map(|map| map.divisions);
    PossibleValuesParser::new(known.map(|known| PossibleValue::new(known.name).help(known.about)))
}

/// What a dataset's map can count, by name.
fn measure() -> PossibleValuesParser {
    let known = datasets::ALL.iter().filter_map(|dataset| dataset.map).flat_map(|map| map.measures);
    PossibleValuesParser::new(known.map(|known| PossibleValue::new(known.name).help(known.about)))
}

#[derive(Args)]
pub struct MapArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// The table, if the dataset was loaded into another one than its own
    #[arg(long, value_name = "[SCHEMA.]NAME")]
    pub table: Option<String>,
    /// The areas to draw
    #[arg(long, value_name = "AREAS", value_parser = division())]
    pub by: String,
    /// What to count [default: the first]
    #[arg(long, value_name = "MEASURE", value_parser = measure())]
    pub measure: Option<String>,
    /// The first day that counts
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub since: Option<jiff::civil::Date>,
    /// The last day that counts
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Option<jiff::civil::Date>,
    /// The file to write: a page (.html) or just the picture (.svg); an existing file is replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Args)]
pub struct GraphArgs {
    #[command(subcommand)]
    pub action: GraphAction,
}

#[derive(Subcommand)]
pub enum GraphAction {
    /// Write the graph in a form that other programs read
    Export(GraphExportArgs),
}

#[derive(Args)]
pub struct GraphExportArgs {
    /// The form
    #[arg(long, value_name = "FORM")]
    pub format: GraphForm,
    /// The file to write; an existing file is replaced [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Include people, under their names
    #[arg(long)]
    pub people: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Args)]
pub struct BuildArgs {
    /// The file that describes the site
    #[arg(default_value = "site.toml", value_name = "SITE.toml")]
    pub file: PathBuf,
    /// Say why each step runs or does not, and list each file that is written
    #[arg(long)]
    pub explain: bool,
    /// Show what would run and which files would be written, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Compare the folder with the database as it is now, follow every link, and change nothing
    #[arg(long, conflicts_with = "dry_run")]
    pub check: bool,
    /// Write the built-in templates into a folder, to change copies of them, and do nothing else
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dry_run", "check", "explain"])]
    pub write_templates: Option<PathBuf>,
    /// Let a named guard of the runs through this time; the ledger records who did
    #[arg(long, value_name = "GUARD", value_delimiter = ',')]
    pub allow: Vec<String>,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args)]
pub struct ServeArgs {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, env = "MERGANSER_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: std::net::SocketAddr,
    /// The fewest hits that any figure shown may stand for: answers are sums of fixed pieces of zone, days and branch; 0 shows everything,
    /// by place, and less than 10 counts as 10. A dataset about people goes below its own number only where it is named [default: the
    /// dataset's]
    #[arg(long, env = "MERGANSER_MIN_COUNT", value_name = "[DATASET=]N", value_delimiter = ',')]
    pub min_count: Vec<MinCount>,
    /// A file with outlines of zones, which the map shows: polygons as GeoJSON, with the zone in `properties.zone`
    #[arg(long, env = "MERGANSER_ZONES", value_name = "FILE.geojson")]
    pub zones: Option<PathBuf>,
    /// Most connections to the database at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub connections: u16,
    /// Questions that may wait for a connection; any further one gets 503 at once
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub queue: u16,
    /// Seconds a question may wait, and a statement may take
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    pub timeout: u64,
    /// Most days in one question
    #[arg(long, default_value_t = 3_660, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=9_999))]
    pub max_days: u16,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Args)]
pub struct StatusArgs {
    /// A run (its id, the start or end of its id, or `last`), a file name, or a record's id [default: the last runs]
    #[arg(value_name = "RUN|FILE|RECORD")]
    pub subject: Option<String>,
    /// How many runs to list
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub last: u32,
    /// Show what the steps cost: time, processor time, rows and bytes per second, memory
    #[arg(long)]
    pub timings: bool,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Args)]
pub struct FailuresArgs {
    /// Only those of this run (its id, the start or end of its id, or `last`)
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Only those of this file
    #[arg(long, value_name = "NAME")]
    pub file: Option<String>,
    /// Only those of this dataset
    #[arg(long, value_parser = dataset())]
    pub dataset: Option<&'static Dataset>,
    /// The table that the dataset was loaded into, if it is not the dataset's own
    #[arg(long, value_name = "[SCHEMA.]NAME", requires = "dataset")]
    pub table: Option<String>,
    /// Show one failed record, with the copy that was kept of it
    #[arg(long, value_name = "ID")]
    pub show: Option<i64>,
    /// Include those that have been settled
    #[arg(long)]
    pub all: bool,
    /// Print JSON on standard output
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV on standard output
    #[arg(long)]
    pub csv: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Args)]
pub struct SampleArgs {
    #[command(subcommand)]
    pub of: SampleOf,
}

#[derive(Args)]
pub struct DemoArgs {
    /// What to show: a dataset, `transform`, `serve` or `site` [default: the first dataset]
    #[arg(value_name = "DATASET|transform|serve|site", value_parser = demonstrated())]
    pub what: Option<String>,
    #[command(flatten)]
    pub sizes: DemoSizes,
    /// Folder for everything the demo makes
    #[arg(long, default_value = "merganser-demo", value_name = "DIR")]
    pub dir: PathBuf,
    /// PostgreSQL; `embedded` is a private one
    #[arg(long, default_value = "embedded", value_name = "URL", hide_env_values = true)]
    pub database_url: String,
    /// For serve: the address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: std::net::SocketAddr,
}

/// How events are written to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Args)]
#[command(next_help_heading = "Every command")]
pub struct Output {
    /// How events are written [default: text with progress bars on a terminal, otherwise json]
    #[arg(long, env = "MERGANSER_LOG_FORMAT", global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Write only warnings, errors and the result
    #[arg(short, long, env = "MERGANSER_QUIET", value_parser = switch(), global = true)]
    pub quiet: bool,
    /// Write more detail; given twice, the libraries' as well
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    /// The command that was typed, without its arguments
    #[arg(skip)]
    pub command: String,
    /// The whole command, quoted for a shell, without `--dry-run`; empty if it holds a password
    #[arg(skip)]
    pub typed: String,
}
