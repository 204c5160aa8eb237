//! The command lines of the other commands that change production: purge, undo, reference and backfill.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::shared::{DatabaseArgs, MovingArgs, StoreArgs, dataset};
use crate::dataset::Dataset;
use crate::datasets;

/// What a dataset's rows can be completed with, by name.
fn enrichment() -> PossibleValuesParser {
    let known = datasets::ALL.iter().filter_map(|dataset| dataset.enrichment);
    PossibleValuesParser::new(known.map(|known| PossibleValue::new(known.name).help(known.about)))
}

#[derive(Args)]
pub struct PurgeArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// For histories: remove this person from the tables and the archive; an e-mail address, or the person's value in the tables
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
    /// Show what would be removed, and roll back
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    #[command(flatten)]
    pub moving: MovingArgs,
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
    #[command(flatten)]
    pub moving: MovingArgs,
}

#[derive(Args)]
pub struct ReferenceArgs {
    /// The dataset
    #[arg(value_parser = dataset())]
    pub dataset: &'static Dataset,
    /// Let a named guard through this time; the ledger records who did. `drop`: a table loses more than a tenth of its rows
    #[arg(long, value_name = "GUARD", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    #[command(flatten)]
    pub own: datasets::ReferenceOptions,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
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
    /// Show what would change, and roll back; no outside service is asked
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub own: datasets::EnrichmentOptions,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub store: StoreArgs,
    #[command(flatten)]
    pub moving: MovingArgs,
}
