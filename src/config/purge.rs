//! The configuration of `merganser purge`.

use serde_json::{Value, json};

use super::processing::parse_secret;
use super::{ApiSecret, PublishingConfig, TargetConfig};
use crate::cli;
use crate::dataset::Dataset;
use crate::dataset::walked::PersonRemoval;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// The settings of a purge.
#[derive(Clone, Debug)]
pub struct PurgeConfig {
    pub target: TargetConfig,
    /// The person to be removed, how, and the parser's secret; `None`: the remains of deleted records are purged.
    pub person: Option<(String, PersonRemoval, ApiSecret)>,
}

impl PurgeConfig {
    /// Validates the arguments of `merganser purge`.
    pub fn from_purge(args: &cli::PurgeArgs) -> Result<Self, Cause> {
        let what = (Kind::Purge, args.dataset);
        let target = TargetConfig::new(what, &args.database, &args.store, args.moving.load_via)?;
        let publishing =
            PublishingConfig::new(args.dataset, &args.moving.publish, args.moving.work_dir.as_ref())?;
        let (dry_run, skip_publish) = (args.dry_run, args.moving.skip_publish);
        let person = args.person.as_deref().map(|person| person_of(args.dataset, person)).transpose()?;
        Ok(Self { target: TargetConfig { dry_run, skip_publish, publishing, ..target }, person })
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

fn person_of(dataset: &Dataset, person: &str) -> Result<(String, PersonRemoval, ApiSecret), Cause> {
    let (Some(walked), Some(secret)) = (dataset.walked, parse_secret(dataset)?) else {
        return Err(Cause::usage(format!("--person: {} has no histories of people", dataset.name)));
    };
    if person.trim().is_empty() {
        return Err(Cause::usage("--person is empty: give an address, or what the tables call the person"));
    }
    Ok((person.trim().to_owned(), walked.person, secret))
}
