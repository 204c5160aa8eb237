//! The configuration of `merganser undo`.

use serde_json::{Value, json};

use super::{DatabaseConfig, ProcessingConfig, TargetConfig};
use crate::cli;
use crate::clients::store::StoreUrl;
use crate::dataset::Dataset;
use crate::datasets;
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// All that an undo needs to know. Of which dataset and schema it is, the runs say.
#[derive(Clone, Debug)]
pub struct UndoConfig {
    /// The runs, as a person names them.
    pub runs: Vec<String>,
    pub allow: Vec<String>,
    /// For how many days what the undo takes out is kept.
    pub keep_undo: u32,
    /// The datasets that a run may be of.
    known: Vec<&'static Dataset>,
    /// Where it works, with a dataset that is not known yet.
    target: TargetConfig,
}

impl UndoConfig {
    /// Validates the arguments of `merganser undo`.
    pub fn from_undo(args: &cli::UndoArgs) -> Result<Self, Cause> {
        let known = datasets::ALL.to_vec();
        let target = TargetConfig::new((Kind::Undo, known[0]), &args.database, &args.store, args.load_via)?;
        let target = TargetConfig { dry_run: args.dry_run, skip_publish: args.skip_publish, ..target };
        let (runs, allow) = (args.runs.clone(), args.allow.clone());
        Ok(Self { runs, allow, keep_undo: args.keep_undo, known, target })
    }

    /// These runs of a dataset, everything else as it is by default.
    pub fn plain(
        dataset: &'static Dataset,
        runs: Vec<String>,
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Self {
        let target = TargetConfig::plain((Kind::Undo, dataset), store, database);
        let keep_undo = ProcessingConfig::default().keep_undo;
        Self { runs, allow: Vec::new(), keep_undo, known: vec![dataset], target }
    }

    /// Where the ledger is.
    pub fn database(&self) -> &DatabaseConfig {
        &self.target.database
    }

    /// Is it all rolled back?
    pub fn dry_run(&mut self, dry_run: bool) {
        self.target.dry_run = dry_run;
    }

    /// What it works on, now that the runs have said of which dataset and schema they are.
    ///
    /// # Errors
    /// A dataset that this program does not know; a guard that it does not have.
    pub fn aimed(&self, dataset: &str, schema: &str) -> Result<TargetConfig, Cause> {
        let named = |known: &&'static Dataset| datasets::of_family(known, dataset);
        let Some(dataset) = self.known.iter().find_map(named) else {
            return Err(Cause::usage(format!("this merganser knows no dataset {dataset}")));
        };
        let guards = dataset.guard_names();
        if let Some(unknown) = self.allow.iter().find(|name| !guards.contains(&name.as_str())) {
            return Err(Cause::Usage {
                message: format!("--allow: {} has no guard `{unknown}`", dataset.name),
                hint: Some(format!("its guards: {}", guards.join(", "))),
            });
        }
        let database = DatabaseConfig { schema: schema.to_owned(), ..self.target.database.clone() };
        Ok(TargetConfig { dataset, database, ..self.target.clone() })
    }

    /// What guards and before-images go by.
    pub fn processing(&self) -> ProcessingConfig {
        ProcessingConfig {
            allow: self.allow.clone(),
            keep_undo: self.keep_undo,
            ..ProcessingConfig::default()
        }
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self, runs: &[uuid::Uuid]) -> Value {
        json!({
            "runs": runs,
            "store": self.target.store.to_string(),
            "load_via": self.target.load_via,
            "allow": self.allow,
            "keep_undo": self.keep_undo,
            "skip_publish": self.target.skip_publish,
        })
    }
}
