//! How the files of a run are processed.

use std::path::PathBuf;

use super::source::secret_of;
use super::{ApiSecret, DeleteLimit, DropLimit, FailureBudget, TargetConfig};
use crate::cli;
use crate::clients::duckdb::DuckLimits;
use crate::dataset::{Dataset, Limits, Options, WrongOption};
use crate::error::Cause;
use crate::system::machine;

/// How the files of a run are processed, and what of it is still acceptable.
#[derive(Clone, Debug)]
pub struct ProcessingConfig {
    /// The dataset's own.
    pub options: Options,
    /// What its parser is given beside them.
    pub parse_secret: Option<ApiSecret>,
    pub batch_records: usize,
    pub batch_bytes: u64,
    pub work_dir: PathBuf,
    pub duckdb: DuckLimits,
    pub limits: Limits,
    pub fail_fast: bool,
    pub max_failures: FailureBudget,
    pub max_deletes: DeleteLimit,
    pub max_drop: DropLimit,
    pub allow: Vec<String>,
    pub overwrite_newer: bool,
    pub golden: Option<PathBuf>,
    /// For how many days rows that are replaced are kept as they were; 0 keeps none.
    pub keep_undo: u32,
}

/// For how many days before-images are kept if nobody says otherwise.
pub const KEEP_UNDO: u32 = 30;

impl Default for ProcessingConfig {
    fn default() -> Self {
        Self {
            options: Options::new(),
            parse_secret: None,
            batch_records: 2000,
            batch_bytes: 256 << 20,
            work_dir: std::env::temp_dir(),
            duckdb: duck_limits(None),
            limits: Limits::default(),
            fail_fast: false,
            max_failures: FailureBudget::default(),
            max_deletes: DeleteLimit::default(),
            max_drop: DropLimit::default(),
            allow: Vec::new(),
            overwrite_newer: false,
            golden: None,
            keep_undo: KEEP_UNDO,
        }
    }
}

impl ProcessingConfig {
    /// Validates what the commands that process files have in common.
    pub(super) fn new(dataset: &Dataset, args: &cli::Processing) -> Result<Self, Cause> {
        known_guards(dataset, &args.allow)?;
        let mut limits = Limits::default();
        if args.no_fragments {
            limits.fragment_bytes = 0;
        }
        Ok(Self {
            options: own_options(dataset, args)?,
            parse_secret: parse_secret(dataset)?,
            batch_records: args.batch_records as usize,
            batch_bytes: args.batch_mib << 20,
            work_dir: args.moving.work_dir.clone().unwrap_or_else(std::env::temp_dir),
            duckdb: duck_limits(args.duckdb_memory_mib.or(dataset.walked.map(|_| LEAST_MIB))),
            limits,
            fail_fast: args.fail_fast,
            max_failures: args.max_failures.as_deref().map_or(Ok(FailureBudget::default()), str::parse)?,
            max_deletes: args.max_deletes.as_deref().map_or(Ok(DeleteLimit::default()), str::parse)?,
            max_drop: args.max_drop.as_deref().map_or(Ok(DropLimit::default()), str::parse)?,
            allow: args.allow.clone(),
            overwrite_newer: false,
            golden: args.golden.clone(),
            keep_undo: args.keep_undo,
        })
    }

    /// Are all files promoted together, however many they are?
    pub fn is_one_batch(&self, target: &TargetConfig) -> bool {
        self.fail_fast || target.dry_run || self.golden.is_some() || target.dataset.is_replaced()
    }
}

/// What the dataset's own options mean.
pub(super) fn own_options(dataset: &Dataset, args: &cli::Processing) -> Result<Options, Cause> {
    args.own.of(dataset).map_err(|WrongOption { message, hint }| Cause::Usage { message, hint })
}

/// What the dataset's parser wants and nobody may see, from the environment.
pub(super) fn parse_secret(dataset: &Dataset) -> Result<Option<ApiSecret>, Cause> {
    let Some(walked) = dataset.walked else { return Ok(None) };
    let wanted = walked.parse_secret;
    match secret_of(wanted.variable) {
        Some(secret) => Ok(Some(secret)),
        None => Err(Cause::Usage {
            message: format!("{} is not set: {}", wanted.variable, wanted.purpose),
            hint: Some(wanted.whence.into()),
        }),
    }
}

/// What DuckDB needs. Histories get no more: they are staged as they come and read once, so that a larger cache would only fill, and
/// what does not fit goes to disk.
const LEAST_MIB: u64 = 96;

/// DuckDB gets a quarter of the memory there is, at least what it needs and no more than helps.
pub(super) fn duck_limits(memory_mib: Option<u64>) -> DuckLimits {
    let memory_mib =
        memory_mib.unwrap_or_else(|| ((machine::memory_bytes() / 4) >> 20).clamp(LEAST_MIB, 136));
    DuckLimits { memory_mib, threads: machine::cpus().min(4) }
}

/// Are these the names of guards?
pub(super) fn known_guards(dataset: &Dataset, allow: &[String]) -> Result<(), Cause> {
    let guards = dataset.guard_names();
    match allow.iter().find(|name| !guards.contains(&name.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Cause::Usage {
            message: format!("--allow: {} has no guard `{unknown}`", dataset.name),
            hint: Some(format!("choose from its guards: {}", guards.join(", "))),
        }),
    }
}
