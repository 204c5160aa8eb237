//! The configuration of `merganser purge`.

use serde_json::{Value, json};

use super::{PublishingConfig, TargetConfig};
use crate::cli;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// All that a purge needs to know.
#[derive(Clone, Debug)]
pub struct PurgeConfig {
    pub target: TargetConfig,
}

impl PurgeConfig {
    /// Validates the arguments of `merganser purge`.
    pub fn from_purge(args: &cli::PurgeArgs) -> Result<Self, Cause> {
        let what = (Kind::Purge, args.dataset);
        let target = TargetConfig::new(what, &args.database, &args.store, args.load_via)?;
        let publishing = PublishingConfig::new(args.dataset, &args.publish, args.work_dir.as_ref())?;
        let (dry_run, skip_publish) = (args.dry_run, args.skip_publish);
        Ok(Self { target: TargetConfig { dry_run, skip_publish, publishing, ..target } })
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self) -> Value {
        json!({
            "store": self.target.store.to_string(),
            "load_via": self.target.load_via,
            "skip_publish": self.target.skip_publish,
            "publish": self.target.publishing.names(),
        })
    }
}
