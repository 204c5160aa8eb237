//! In which forms public files are written, and where they are prepared.

use std::path::PathBuf;

use super::ProcessingConfig;
use crate::clients::duckdb::DuckLimits;
use crate::dataset::{Dataset, PublishedForm};
use crate::error::Cause;

/// How public files are written.
#[derive(Clone, Debug)]
pub struct PublishingConfig {
    /// In their order, CSV first.
    pub forms: Vec<PublishedForm>,
    pub work_dir: PathBuf,
    pub duckdb: DuckLimits,
}

impl PublishingConfig {
    /// The given forms, or by default the dataset's own. `work_dir`: where files are made that cannot be written row by
    /// row.
    ///
    /// # Errors
    /// Fails if the first form is missing, because the others are made from it.
    pub fn new(
        dataset: &Dataset,
        asked: &[PublishedForm],
        work_dir: Option<&PathBuf>,
    ) -> Result<Self, Cause> {
        let mut forms = if asked.is_empty() { dataset.forms.to_vec() } else { asked.to_vec() };
        forms.sort_unstable();
        forms.dedup();
        if forms.first() != Some(&PublishedForm::Csv) {
            let names: Vec<_> = [PublishedForm::Csv].iter().chain(&forms).map(|form| form.name()).collect();
            return Err(Cause::Usage {
                message: "--publish (MERGANSER_PUBLISH): csv is always among the forms".into(),
                hint: Some(format!("--publish {}", names.join(","))),
            });
        }
        let work_dir = work_dir.cloned().unwrap_or_else(std::env::temp_dir);
        Ok(Self { forms, work_dir, duckdb: ProcessingConfig::default().duckdb })
    }

    /// The dataset's own forms, prepared in the system's folder for temporary files.
    pub fn plain(dataset: &Dataset) -> Self {
        let ProcessingConfig { work_dir, duckdb, .. } = ProcessingConfig::default();
        Self { forms: dataset.forms.to_vec(), work_dir, duckdb }
    }

    /// Is this form wanted?
    pub fn wants(&self, form: PublishedForm) -> bool {
        self.forms.contains(&form)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.forms.iter().map(|form| form.name()).collect()
    }
}
