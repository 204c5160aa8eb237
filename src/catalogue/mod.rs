//! Reads the server's catalogue for whatever stops a run or changes its result: settings of the server, and objects
//! that others have put on our tables. Each finding comes with what to do about it.
//!
//! `merganser check` shows all of it. A run checks it at its start, so that it does not work for hours before it is
//! refused.

mod identity;
mod server;
mod tables;

use tokio_postgres::GenericClient;

use crate::clients::postgres::{self, PgError};
use crate::config::DatabaseConfig;
use crate::dataset::Dataset;
use crate::error::Cause;

pub use identity::{identify, identify_by_key, identify_those};
pub use server::{ServerState, server};
pub use tables::{tables, unidentified};

/// The subject of a remark; each is a line of the preflight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Settings of the server, the database or the role.
    Server,
    /// Row policies that apply to our role.
    Policies,
    /// Triggers and rules.
    Triggers,
    /// Partitioned tables.
    Partitions,
    /// Tables that are published to subscribers.
    Publications,
    /// Foreign keys of other tables on ours.
    ForeignKeys,
}

impl Topic {
    /// The name of its line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Policies => "policies",
            Self::Triggers => "triggers",
            Self::Partitions => "partitions",
            Self::Publications => "publications",
            Self::ForeignKeys => "foreign keys",
        }
    }
}

/// What a remark means for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Fact,
    /// A run works, but a row may be refused, or other data may change together with ours.
    Warning,
    /// A run hangs until somebody acts, which may have happened by then.
    Standstill,
    /// A run cannot work.
    Refusal,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub topic: Topic,
    pub weight: Weight,
    pub found: String,
    /// What to do about it; empty: nothing.
    pub hint: String,
}

impl Remark {
    fn new(topic: Topic, weight: Weight, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { topic, weight, found: found.into(), hint: hint.into() }
    }
}

/// Lets a run begin only on a server on which it can finish.
///
/// # Errors
/// [`Cause::Refused`] with everything that prevents it; nothing was tried then.
pub async fn admit_server(client: &impl GenericClient) -> Result<(), Cause> {
    let remarks = server(client).await?.remarks();
    let warns = |remark: &&Remark| [Weight::Warning, Weight::Standstill].contains(&remark.weight);
    for remark in remarks.iter().filter(warns) {
        tracing::warn!("{}; {}", remark.found, remark.hint);
    }
    refuse(&remarks)
}

/// Lets a run begin only if the server will accept its writes to the existing tables.
///
/// # Errors
/// [`Cause::Refused`] with everything that prevents it.
pub async fn admit_tables(
    client: &impl GenericClient,
    database: &DatabaseConfig,
    dataset: &'static Dataset,
) -> Result<(), Cause> {
    refuse(&tables(client, database, dataset).await?)
}

fn refuse(remarks: &[Remark]) -> Result<(), Cause> {
    let refusals = remarks.iter().filter(|remark| remark.weight == Weight::Refusal);
    let (found, hints): (Vec<_>, Vec<_>) =
        refusals.map(|remark| (remark.found.as_str(), remark.hint.as_str())).unzip();
    if found.is_empty() {
        return Ok(());
    }
    Err(Cause::Refused { message: found.join("\n    "), hint: Some(unique(&hints).join("\n")) })
}

/// Each line once, in the order of first occurrence.
pub(crate) fn unique<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for line in lines {
        if !line.is_empty() && !seen.contains(line) {
            seen.push(*line);
        }
    }
    seen
}

fn failed(error: tokio_postgres::Error) -> PgError {
    postgres::classify(error, "look into the catalogue")
}
