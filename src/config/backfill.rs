//! The configuration of `merganser backfill`.

use std::path::PathBuf;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{ProcessingConfig, PublishingConfig, TargetConfig};
use crate::cli;
use crate::clients::duckdb::DuckLimits;
use crate::dataset::Options;
use crate::dataset::enrichment::Enrichment;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// The settings of a backfill.
#[derive(Clone, Debug)]
pub struct BackfillConfig {
    pub target: TargetConfig,
    pub enrichment: &'static Enrichment,
    /// The dataset's own options.
    pub options: Options,
    /// Only records from this day on.
    pub since: Option<Date>,
    /// The most questions that are asked.
    pub limit: Option<u64>,
    pub work_dir: PathBuf,
    pub duckdb: DuckLimits,
}

impl BackfillConfig {
    /// Validates the arguments of `merganser backfill`.
    pub fn from_backfill(args: &cli::BackfillArgs) -> Result<Self, Cause> {
        let what = (Kind::Backfill, args.dataset);
        let target = TargetConfig::new(what, &args.database, &args.store, args.moving.load_via)?;
        let enrichment = args.dataset.enrichment.as_ref().filter(|known| known.name == args.enrichment);
        let enrichment = enrichment.ok_or_else(|| {
            Cause::usage(format!(
                "{} has nothing to fill in that is called {}",
                args.dataset.name, args.enrichment
            ))
        })?;
        Ok(Self {
            target: TargetConfig {
                dry_run: args.dry_run,
                skip_publish: args.moving.skip_publish,
                publishing: PublishingConfig::new(
                    args.dataset,
                    &args.moving.publish,
                    args.moving.work_dir.as_ref(),
                )?,
                ..target
            },
            enrichment,
            options: args.own.of(args.dataset).map_err(Cause::usage)?,
            since: args.since,
            limit: args.limit,
            work_dir: args.moving.work_dir.clone().unwrap_or_else(std::env::temp_dir),
            duckdb: ProcessingConfig::default().duckdb,
        })
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self) -> Value {
        let mut options = json!({
            "enrichment": self.enrichment.name,
            "since": self.since.map(|since| since.to_string()),
            "limit": self.limit,
            "store": self.target.store.to_string(),
            "load_via": self.target.load_via,
            "skip_publish": self.target.skip_publish,
            "publish": self.target.publishing.names(),
        });
        if let Some(all) = options.as_object_mut() {
            all.extend(self.options.clone());
        }
        options
    }
}
