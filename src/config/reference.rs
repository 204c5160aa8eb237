//! The configuration of `merganser reference`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{LoadVia, ProcessingConfig, TargetConfig};
use crate::cli;
use crate::clients::duckdb::DuckLimits;
use crate::dataset::reference::Reference;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// The MiB that sorting and comparing a reference of a million rows needs at least; beyond that, DuckDB spills to disk.
const LEAST_MIB: u64 = 512;

/// The settings of the load of a reference.
#[derive(Clone, Debug)]
pub struct ReferenceConfig {
    pub target: TargetConfig,
    pub reference: &'static Reference,
    /// By the name of the input: a file, a folder or an address.
    pub inputs: Vec<(&'static str, String)>,
    pub work_dir: PathBuf,
    pub duckdb: DuckLimits,
    /// Guards that are let through.
    pub allow: Vec<String>,
}

impl ReferenceConfig {
    /// Validates the arguments of `merganser reference`.
    pub fn from_reference(args: &cli::ReferenceArgs) -> Result<Self, Cause> {
        let reference = args.dataset.reference.ok_or_else(|| {
            Cause::usage(format!("{} does not look anything up, so it needs no reference", args.dataset.name))
        })?;
        let duckdb = ProcessingConfig::default().duckdb;
        let what = (Kind::Reference, args.dataset);
        Ok(Self {
            target: TargetConfig::new(what, &args.database, &args.store, LoadVia::Copy)?,
            reference,
            inputs: args.own.of(args.dataset),
            work_dir: args.work_dir.clone().unwrap_or_else(std::env::temp_dir),
            allow: allowed(&args.allow)?,
            duckdb: DuckLimits { memory_mib: duckdb.memory_mib.max(LEAST_MIB), ..duckdb },
        })
    }

    /// The options as the ledger keeps them. An address may hold a secret behind its question mark.
    pub fn for_ledger(&self) -> Value {
        let shown = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
        let inputs: serde_json::Map<_, _> =
            self.inputs.iter().map(|(name, from)| ((*name).to_owned(), json!(shown(from)))).collect();
        json!({ "inputs": inputs, "allow": self.allow, "store": self.target.store.to_string() })
    }
}

/// Checks that these are names of existing guards.
fn allowed(names: &[String]) -> Result<Vec<String>, Cause> {
    const KNOWN: &str = "drop";
    match names.iter().find(|name| *name != KNOWN) {
        Some(unknown) => {
            Err(Cause::usage(format!("--allow: a reference has no guard `{unknown}`, only {KNOWN}")))
        }
        None => Ok(names.to_vec()),
    }
}
