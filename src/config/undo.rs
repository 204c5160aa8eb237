//! The configuration of `merganser undo`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::processing::known_guards;
use super::{DatabaseConfig, ProcessingConfig, PublishingConfig, TargetConfig};
use crate::cli;
use crate::clients::store::StoreUrl;
use crate::dataset::{Dataset, PublishedForm};
use crate::datasets;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// The settings of an undo. Its dataset and schema follow from the runs.
#[derive(Clone, Debug)]
pub struct UndoConfig {
    /// The runs, as a person names them.
    pub runs: Vec<String>,
    pub allow: Vec<String>,
    /// How many days the before-images of the undo are kept.
    pub keep_undo: u32,
    /// The known datasets.
    known: Vec<&'static Dataset>,
    /// The given forms of the public files, and where they are prepared: the defaults depend on the dataset.
    forms: Vec<PublishedForm>,
    work_dir: Option<PathBuf>,
    /// Its target, whose dataset is not known yet.
    target: TargetConfig,
}

impl UndoConfig {
    /// Validates the arguments of `merganser undo`.
    pub fn from_undo(args: &cli::UndoArgs) -> Result<Self, Cause> {
        let known = datasets::ALL.to_vec();
        let target =
            TargetConfig::new((Kind::Undo, known[0]), &args.database, &args.store, args.moving.load_via)?;
        let target = TargetConfig { dry_run: args.dry_run, skip_publish: args.moving.skip_publish, ..target };
        let (runs, allow) = (args.runs.clone(), args.allow.clone());
        let (forms, work_dir) = (args.moving.publish.clone(), args.moving.work_dir.clone());
        // Wrong ones are reported before anything is opened.
        PublishingConfig::new(known[0], &forms, work_dir.as_ref())?;
        Ok(Self { runs, allow, keep_undo: args.keep_undo, known, forms, work_dir, target })
    }

    /// These runs of a dataset, with defaults for everything else.
    pub fn plain(
        dataset: &'static Dataset,
        runs: Vec<String>,
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Self {
        let target = TargetConfig::plain((Kind::Undo, dataset), store, database);
        let keep_undo = ProcessingConfig::default().keep_undo;
        let (known, allow) = (vec![dataset], Vec::new());
        Self { runs, allow, keep_undo, known, forms: Vec::new(), work_dir: None, target }
    }

    /// Where the ledger is.
    pub fn database(&self) -> &DatabaseConfig {
        &self.target.database
    }

    /// Is it all rolled back?
    pub fn dry_run(&mut self, dry_run: bool) {
        self.target.dry_run = dry_run;
    }

    /// Its target, now that the runs have shown their dataset and schema.
    ///
    /// # Errors
    /// A dataset that this program does not know; a guard that it does not have.
    pub fn aimed(&self, dataset: &str, schema: &str) -> Result<TargetConfig, Cause> {
        let named = |known: &&'static Dataset| datasets::of_family(known, dataset);
        let Some(dataset) = self.known.iter().find_map(named) else {
            return Err(Cause::usage(format!("this version of merganser has no dataset {dataset}")));
        };
        known_guards(dataset, &self.allow)?;
        let database = DatabaseConfig { schema: schema.to_owned(), ..self.target.database.clone() };
        let publishing = PublishingConfig::new(dataset, &self.forms, self.work_dir.as_ref())?;
        Ok(TargetConfig { dataset, database, publishing, ..self.target.clone() })
    }

    /// The settings for guards and before-images.
    pub fn processing(&self) -> ProcessingConfig {
        ProcessingConfig {
            allow: self.allow.clone(),
            keep_undo: self.keep_undo,
            ..ProcessingConfig::default()
        }
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self, target: &TargetConfig, runs: &[uuid::Uuid]) -> Value {
        json!({
            "runs": runs,
            "store": self.target.store.to_string(),
            "load_via": self.target.load_via,
            "allow": self.allow,
            "keep_undo": self.keep_undo,
            "publish": target.publishing.names(),
            "skip_publish": self.target.skip_publish,
        })
    }
}
