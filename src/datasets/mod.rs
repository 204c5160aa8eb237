//! The closed list of datasets.

pub mod nass;
pub mod oca;
pub mod samples;

use crate::dataset::{Dataset, Options};

/// Every dataset of this program: command line, help and tests go by this list.
pub const ALL: &[&Dataset] = &[&oca::OCA, &nass::NASS];

/// The dataset of a name.
pub fn named(name: &str) -> Option<&'static Dataset> {
    ALL.iter().copied().find(|dataset| dataset.name == name)
}

/// The options of the datasets' own, on every command that processes files.
#[derive(clap::Args, Clone, Debug)]
pub struct OwnOptions {
    #[command(flatten)]
    pub oca: oca::options::OcaOptions,
    #[command(flatten)]
    pub nass: nass::options::NassOptions,
}

impl OwnOptions {
    /// What they mean to a dataset; those of others are not looked at.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn of(&self, dataset: &Dataset) -> Result<Options, String> {
        match dataset.name {
            "oca" => self.oca.read(),
            "nass" => self.nass.read(),
            _ => Ok(Options::new()),
        }
    }
}

/// The options of the datasets' enrichments, where nothing else is processed.
#[derive(clap::Args, Clone, Debug)]
pub struct EnrichmentOptions {
    #[command(flatten)]
    pub oca: oca::options::GeocodeOptions,
}

impl EnrichmentOptions {
    /// What they mean to a dataset; those of others are not looked at.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn of(&self, dataset: &Dataset) -> Result<Options, String> {
        match dataset.name {
            "oca" => self.oca.read(),
            _ => Ok(Options::new()),
        }
    }
}

/// What the references of datasets are made of.
#[derive(clap::Args, Clone, Debug)]
pub struct ReferenceOptions {
    #[command(flatten)]
    pub oca: oca::options::OcaReference,
}

impl ReferenceOptions {
    /// A dataset's inputs, by name: a file, a folder or an address each.
    pub fn of(&self, dataset: &Dataset) -> Vec<(&'static str, String)> {
        match dataset.name {
            "oca" => self.oca.inputs(),
            _ => Vec::new(),
        }
    }
}
