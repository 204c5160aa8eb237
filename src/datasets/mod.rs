//! The closed list of datasets.

pub mod catalog;
pub mod commits;
pub mod datapoints;
pub mod metrics;
pub mod nass;
pub mod oca;
pub mod samples;

use clap::Args as _;
use clap::parser::ValueSource;

use crate::dataset::{Dataset, Options, WrongOption};

/// Every dataset of this program: command line, help and tests use this list.
pub const ALL: &[&Dataset] = &[
    &oca::OCA,
    &nass::NASS,
    &datapoints::DATAPOINTS,
    &catalog::CATALOG,
    &commits::COMMITS,
    &metrics::METRICS,
];

/// The dataset with this name.
pub fn named(name: &str) -> Option<&'static Dataset> {
    ALL.iter().copied().find(|dataset| dataset.name == name)
}

/// The dataset with this name that is the given one, also if it is loaded into another table; `None`: the name is not
/// of its family.
pub fn of_family(dataset: &'static Dataset, name: &str) -> Option<&'static Dataset> {
    if dataset.name == name {
        return Some(dataset);
    }
    let table = name.strip_prefix(dataset.name)?.strip_prefix('_')?;
    dataset.into_table(table).ok()
}

/// How the dataset with this name is typed for a run; one that is loaded into another table has the name of its family, and the
/// schema that its table is in.
pub fn typed_in(name: &str, schema: &str) -> String {
    known(name).map_or_else(|| name.to_owned(), |dataset| dataset.typed_in(schema))
}

/// The dataset with this name, or of this family.
pub fn known(name: &str) -> Option<&'static Dataset> {
    ALL.iter().find_map(|dataset| of_family(dataset, name))
}

/// The options of the datasets' own, on every command that processes files.
#[derive(clap::Args, Clone, Debug)]
pub struct OwnOptions {
    #[command(flatten)]
    pub oca: oca::options::OcaOptions,
    #[command(flatten)]
    pub nass: nass::options::NassOptions,
    #[command(flatten)]
    pub commits: commits::options::CommitsOptions,
    #[command(flatten)]
    pub catalog: catalog::options::CatalogOptions,
    #[command(flatten)]
    pub metrics: metrics::options::MetricsOptions,
}

impl OwnOptions {
    /// What they mean to a dataset; those of others are not looked at.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn of(&self, dataset: &Dataset) -> Result<Options, WrongOption> {
        Ok(match dataset.family() {
            "oca" => self.oca.read()?,
            "nass" => self.nass.read()?,
            "commits" => self.commits.read()?,
            "catalog" => self.catalog.read()?,
            "metrics" => {
                self.metrics.read(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date())?
            }
            _ => Options::new(),
        })
    }
}

impl OwnOptions {
    /// An option that somebody typed and that another dataset alone has, and that dataset: it would not be looked at.
    /// A variable of the environment may be there for all of them.
    pub fn foreign(dataset: &Dataset, given: &clap::ArgMatches) -> Option<(String, &'static str)> {
        let options = |augment: fn(clap::Command) -> clap::Command| augment(clap::Command::new("options"));
        let owners = [
            ("oca", options(oca::options::OcaOptions::augment_args)),
            ("nass", options(nass::options::NassOptions::augment_args)),
            ("commits", options(commits::options::CommitsOptions::augment_args)),
            ("catalog", options(catalog::options::CatalogOptions::augment_args)),
            ("metrics", options(metrics::options::MetricsOptions::augment_args)),
        ];
        let is_typed = |option: &&clap::Arg| {
            let id = option.get_id().as_str();
            given.try_contains_id(id).is_ok() && given.value_source(id) == Some(ValueSource::CommandLine)
        };
        owners.iter().filter(|(owner, _)| *owner != dataset.family()).find_map(|(owner, options)| {
            let option = options.get_arguments().find(is_typed)?;
            Some((format!("--{}", option.get_long()?), *owner))
        })
    }

    /// The table that a dataset goes into, with its schema, if the options name another one than its own.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn table(
        &self,
        dataset: &'static Dataset,
    ) -> Result<Option<(Option<String>, &'static Dataset)>, String> {
        let named = match dataset.family() {
            "nass" => self.nass.nass_table.as_deref(),
            _ => None,
        };
        named.map(|named| in_table(dataset, named)).transpose()
    }
}

/// The dataset in another table than its own, `[SCHEMA.]NAME`, and that schema.
///
/// # Errors
/// What is wrong, for the person who typed it.
pub fn in_table(
    dataset: &'static Dataset,
    named: &str,
) -> Result<(Option<String>, &'static Dataset), String> {
    let (schema, table) = match named.split_once('.') {
        Some((schema, table)) => (Some(schema.to_owned()), table),
        None => (None, named),
    };
    if schema.as_ref().is_some_and(String::is_empty) {
        return Err(format!("--table {named}: it names no schema before the dot"));
    }
    let dataset = dataset.into_table(table).map_err(|error| format!("--table {named}: {error}"))?;
    Ok((schema, dataset))
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
        match dataset.family() {
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
        match dataset.family() {
            "oca" => self.oca.inputs(),
            _ => Vec::new(),
        }
    }
}
