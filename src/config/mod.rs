//! Turns arguments and environment into one validated configuration per command, from shared parts, before any I/O.

mod adopt;
mod backfill;
mod budget;
mod build;
mod database;
mod map;
mod processing;
mod publishing;
mod purge;
mod reference;
mod run;
mod serve;
mod source;
mod target;
mod transform;
mod undo;

pub use crate::cli::LoadVia;
use crate::error::Cause;

pub use adopt::AdoptConfig;
pub use backfill::BackfillConfig;
pub use budget::{DeleteLimit, DropLimit, FailureBudget};
pub use build::BuildConfig;
pub use database::{DatabaseConfig, DatabaseUrl};
pub use map::{MapConfig, MapFile};
pub use processing::ProcessingConfig;
pub use publishing::PublishingConfig;
pub use purge::PurgeConfig;
pub use reference::ReferenceConfig;
pub use run::RunConfig;
pub use serve::ServeConfig;
pub use source::{ApiSecret, AskingConfig, Selection, SourceConfig, WalkingConfig};
pub use target::TargetConfig;
pub use transform::{BucketConfig, TransformConfig, WorkerConfig, workers};
pub use undo::UndoConfig;

/// An environment variable for a setting that is not an option. That it is valid text was checked when the command line
/// was read.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A setting that cannot be used; the value is not repeated, unless the error does.
fn refused(setting: &str, error: impl std::fmt::Display) -> Cause {
    Cause::usage(format!("{setting}: {error}"))
}

fn missing(what: &str, option: &str, variable: &str) -> Cause {
    Cause::Usage {
        message: format!("{what} is not given"),
        hint: Some(format!("give {option}, or set {variable}")),
    }
}
