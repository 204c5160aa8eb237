//! The configuration of `merganser map`.

use std::path::PathBuf;

use jiff::civil::Date;

use super::DatabaseConfig;
use crate::cli;
use crate::dataset::Dataset;
use crate::dataset::map::{Division, MapOf, Measure, Measured};
use crate::datasets::in_table;
use crate::error::Cause;

/// The settings of a map.
#[derive(Clone, Debug)]
pub struct MapConfig {
    pub database: DatabaseConfig,
    pub dataset: &'static Dataset,
    pub map: &'static MapOf,
    pub division: &'static Division,
    pub measure: &'static Measure,
    /// The first and the last day that count; `None`: no limit.
    pub since: Option<Date>,
    pub until: Option<Date>,
    pub out: PathBuf,
    pub file: MapFile,
    /// A note under the title that a reader must see first.
    pub note: Option<&'static str>,
}

/// The kind of file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapFile {
    Page,
    Picture,
}

impl MapConfig {
    /// What the numbers count: the word for several records, or a unit.
    pub fn records(&self) -> &'static str {
        match self.measure.of {
            Measured::Records => self.map.records,
            Measured::Figure { unit, .. } => unit,
        }
    }

    /// Validates the arguments of `merganser map`.
    pub fn from_map(args: &cli::MapArgs) -> Result<Self, Cause> {
        let named = args.table.as_deref().map(|named| in_table(args.dataset, named)).transpose();
        let (schema, dataset) = named.map_err(Cause::usage)?.unwrap_or((None, args.dataset));
        let map = dataset.map.ok_or_else(|| Cause::usage(format!("there is no map of {}", dataset.name)))?;
        let names: Vec<_> = map.divisions.iter().map(|known| known.name).collect();
        let division = map.divisions.iter().find(|known| known.name == args.by);
        let division = division.ok_or_else(|| unknown(dataset, ("by", &args.by), &names))?;
        let names: Vec<_> = map.measures.iter().map(|known| known.name).collect();
        let named = args.measure.as_deref().or(names.first().copied()).unwrap_or_default();
        let measure = map.measures.iter().find(|known| known.name == named);
        let measure = measure.ok_or_else(|| unknown(dataset, ("measure", named), &names))?;
        if let (Some(since), Some(until)) = (args.since, args.until)
            && since > until
        {
            return Err(Cause::usage(format!(
                "--since {since} is after --until {until}: no day is in between"
            )));
        }
        let extension = args.out.extension().and_then(|extension| extension.to_str());
        let file = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("html") => MapFile::Page,
            Some("svg") => MapFile::Picture,
            _ => {
                return Err(Cause::Usage {
                    message: format!("--out {}: what should it be?", args.out.display()),
                    hint: Some("name it .html for a page, .svg for the picture alone".into()),
                });
            }
        };
        let database = DatabaseConfig::new(&args.database)?.with_tables_in(schema)?;
        Ok(Self {
            database,
            dataset,
            map,
            division,
            measure,
            since: args.since,
            until: args.until,
            out: args.out.clone(),
            file,
            note: None,
        })
    }
}

/// The error for a name that the map of a dataset does not have.
fn unknown(dataset: &Dataset, (option, name): (&str, &str), names: &[&str]) -> Cause {
    Cause::Usage {
        message: format!("the map of {} has no --{option} {name}; it has {}", dataset.name, names.join(", ")),
        hint: Some(format!("choose one of these: --{option} {}", names.first().copied().unwrap_or_default())),
    }
}
