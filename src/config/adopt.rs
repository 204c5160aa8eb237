//! The configuration of `merganser adopt`.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{LoadVia, TargetConfig};
use crate::cli;
use crate::clients::store::StoreUrl;
use crate::datasets::in_table;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// The settings of an adoption.
#[derive(Clone, Debug)]
pub struct AdoptConfig {
    pub target: TargetConfig,
    /// The location of the raw files that another program has kept.
    pub archive: StoreUrl,
    /// Add what the tables lack.
    pub fix: bool,
    /// Files up to this run date count as done; `None`: up to the newest one that the database knows.
    pub until: Option<Date>,
}

impl AdoptConfig {
    /// Validates the arguments of `merganser adopt`.
    pub fn from_adopt(args: &cli::AdoptArgs) -> Result<Self, Cause> {
        let named = args.table.as_deref().map(|named| in_table(args.dataset, named)).transpose();
        let (schema, dataset) = named.map_err(Cause::usage)?.unwrap_or((None, args.dataset));
        let what = (Kind::Adopt, dataset);
        let mut target = TargetConfig::new(what, &args.database, &args.store, LoadVia::Auto)?;
        target.database = target.database.with_tables_in(schema)?;
        Ok(Self {
            archive: target.archive()?,
            target: TargetConfig { dry_run: args.dry_run, ..target },
            fix: args.fix,
            until: args.until,
        })
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self) -> Value {
        json!({ "source": self.archive.to_string(), "store": self.target.store.to_string() })
    }
}
