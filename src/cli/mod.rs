//! The command line: definitions only. What they mean together is decided in `config`.
//!
//! None of this is `Debug`: a URL as it was typed may hold a password, which `config` knows to hide.

// What is shown as help has words in brackets that are no links.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod environment;
mod transform;

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::dataset::served::MinCount;
use crate::dataset::{Dataset, PublishedForm};
use crate::datasets;
use crate::datasets::metrics::export::GraphForm;
use crate::datasets::samples::{DemoSizes, SampleOf};
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

/// The datasets that this program knows, by name.
fn dataset() -> impl TypedValueParser<Value = &'static Dataset> {
    let names = datasets::ALL.iter().map(|dataset| PossibleValue::new(dataset.name).help(dataset.about));
    PossibleValuesParser::new(names)
        .map(|name| datasets::named(&name).expect("a possible value is the name of a dataset"))
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

/// What a dataset's rows can be completed with, by name.
fn enrichment() -> PossibleValuesParser {
    let known = datasets::ALL.iter().filter_map(|dataset| dataset.enrichment);
    PossibleValuesParser::new(known.map(|known| PossibleValue::new(known.name).help(known.about)))
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
pub struct RunArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
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

/// The same command line and environment as the run that is asked about.
#[derive(Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// For histories: prove that every head and every parent is there, instead of checking whether a run would work
    #[arg(long)]
    pub complete: bool,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Seconds each probe may take
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

#[derive(Args)]
pub struct AdoptArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
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
pub struct PurgeArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    /// How the public CSVs get from the database into the store
    #[arg(long, env = "MERGANSER_LOAD_VIA", default_value = "auto", value_name = "WAY")]
    pub load_via: LoadVia,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// For histories: remove this person from the tables and the archive; an e-mail address, or the person's value in the tables
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
    /// Show what would be removed, and roll back
    #[arg(long)]
    pub dry_run: bool,
    /// Forms of the public files; csv is always one of them [default: csv, and the dataset's own further forms]
    #[arg(long, env = "MERGANSER_PUBLISH", value_name = "FORM", value_delimiter = ',')]
    pub publish: Vec<PublishedForm>,
    /// Do not write the public files (also: SKIP_PUBLIC_PUBLISH)
    #[arg(long, env = "MERGANSER_SKIP_PUBLISH", value_parser = switch())]
    pub skip_publish: bool,
}

#[derive(Args)]
pub struct UndoArgs {
    /// The runs, all of one dataset: the id of each, its start or end, or `last`, the last one that loaded anything
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<String>,
    /// Do everything, show the exact change and what later runs or people have changed since, and roll back
    #[arg(long)]
    pub dry_run: bool,
    /// Let a named guard through this time; the ledger records who did. `drop`: a table loses more than a tenth of its rows, or all
    #[arg(long, value_name = "GUARD", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Days to keep what is taken back, so that the undo can be undone; 0 keeps none
    #[arg(long, env = "MERGANSER_KEEP_UNDO", default_value_t = 30, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub keep_undo: u32,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    /// How the public CSVs get from the database into the store
    #[arg(long, env = "MERGANSER_LOAD_VIA", default_value = "auto", value_name = "WAY")]
    pub load_via: LoadVia,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// Forms of the public files; csv is always one of them [default: csv, and the dataset's own further forms]
    #[arg(long, env = "MERGANSER_PUBLISH", value_name = "FORM", value_delimiter = ',')]
    pub publish: Vec<PublishedForm>,
    /// Do not write the public files (also: SKIP_PUBLIC_PUBLISH)
    #[arg(long, env = "MERGANSER_SKIP_PUBLISH", value_parser = switch())]
    pub skip_publish: bool,
}

#[derive(Args)]
pub struct ReferenceArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    #[command(flatten)]
    pub own: datasets::ReferenceOptions,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    /// Let a named guard through this time; the ledger records who did. `drop`: a table loses more than a tenth of its rows
    #[arg(long, value_name = "GUARD", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct BackfillArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// What to fill in
    #[arg(value_parser = enrichment())]
    pub enrichment: String,
    /// Only records from this day onwards
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub since: Option<jiff::civil::Date>,
    /// Ask at most this many different questions; the next backfill goes on with the rest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub own: datasets::EnrichmentOptions,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    /// How the public CSVs get from the database into the store
    #[arg(long, env = "MERGANSER_LOAD_VIA", default_value = "auto", value_name = "WAY")]
    pub load_via: LoadVia,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// Show what would change, and roll back; no outside service is asked
    #[arg(long)]
    pub dry_run: bool,
    /// Forms of the public files; csv is always one of them [default: csv, and the dataset's own further forms]
    #[arg(long, env = "MERGANSER_PUBLISH", value_name = "FORM", value_delimiter = ',')]
    pub publish: Vec<PublishedForm>,
    /// Do not write the public files (also: SKIP_PUBLIC_PUBLISH)
    #[arg(long, env = "MERGANSER_SKIP_PUBLISH", value_parser = switch())]
    pub skip_publish: bool,
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
pub struct DatabaseArgs {
    /// PostgreSQL: a URL, or `embedded` (`embedded:DIR`) for a private one that this tool starts and stops
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Schema of the production tables
    #[arg(long, env = "DB_SCHEMA", default_value = "public", value_name = "NAME")]
    pub schema: String,
    /// Schema of the ledger; staging tables are in the schema with this name and `_staging` appended
    #[arg(long, env = "MERGANSER_LEDGER_SCHEMA", default_value = "etl", value_name = "NAME")]
    pub ledger_schema: String,
}

#[derive(Args)]
pub struct StoreArgs {
    /// Where raw files, staging CSVs and public CSVs go: file:PATH or s3://BUCKET/PREFIX
    #[arg(long, env = "MERGANSER_STORE", value_name = "URL", hide_env_values = true)]
    pub store: Option<String>,
    /// Bucket of the store, if --store is not given
    #[arg(long, env = "AWS_S3_BUCKET_NAME", value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// Prefix in that bucket
    #[arg(long, env = "S3_PREFIX", value_name = "PREFIX")]
    pub s3_prefix: Option<String>,
    /// Server-side encryption for what is written to S3: AES256, aws:kms or aws:kms:KEY-ID
    #[arg(long, env = "MERGANSER_S3_ENCRYPTION", value_name = "KIND")]
    pub s3_encryption: Option<String>,
}

#[derive(Args)]
pub struct Processing {
    #[command(flatten)]
    pub own: datasets::OwnOptions,
    /// Records appended to the staging store at a time (also: PARSE_WRITE_FLUSH_EVERY_N_CASES)
    #[arg(long, env = "MERGANSER_BATCH_RECORDS", default_value_t = 2000, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch_records: u32,
    /// How CSVs get from the store into the database, and the public ones back
    #[arg(long, env = "MERGANSER_LOAD_VIA", default_value = "auto", value_name = "WAY")]
    pub load_via: LoadVia,
    /// MiB of packed files that are promoted together; the rest follows in further transactions
    #[arg(long, env = "MERGANSER_BATCH_MIB", default_value_t = 256, value_name = "MIB",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_mib: u64,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
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
    /// Forms of the public files; csv is always one of them [default: csv, and the dataset's own further forms]
    #[arg(long, env = "MERGANSER_PUBLISH", value_name = "FORM", value_delimiter = ',')]
    pub publish: Vec<PublishedForm>,
    /// Do not write the public files (also: SKIP_PUBLIC_PUBLISH)
    #[arg(long, env = "MERGANSER_SKIP_PUBLISH", value_parser = switch())]
    pub skip_publish: bool,
    /// Keep no copy of failed records in the ledger
    #[arg(long, env = "MERGANSER_NO_FRAGMENTS", value_parser = switch())]
    pub no_fragments: bool,
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

/// How rows get from the store into the database and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum LoadVia {
    /// aws_s3 if the database has that extension and the store is in Amazon S3, else copy
    Auto,
    /// Through this program and its connection
    Copy,
    /// Directly, by the database's extension of that name, with the database's own role
    AwsS3,
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
}

/// What the variable of a switch takes: true, yes, on or 1, and their contraries, in any case. People write all of these.
fn switch() -> BoolishValueParser {
    BoolishValueParser::new()
}
