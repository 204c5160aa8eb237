//! The demo: made-up data of a dataset through every stage into a private PostgreSQL, with nothing to set up.

mod catalog;
mod commits;
pub mod git_host;
mod look;
mod metrics;
mod nass;
mod oca;
mod place;
pub mod quickstats;
mod serve;
mod site;
mod transform;

use crate::cli::DemoArgs;
use crate::datasets::{self, samples::SampleOf};
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;

/// Runs the demo of a dataset, the first one if none is named: shows what is made and loaded, the result, and what to
/// try next.
///
/// # Errors
/// The error with the state of the database; a dataset without a demo.
pub async fn demo(args: DemoArgs, report: &Report) -> Result<Exit, Failure> {
    match args.what.as_deref().unwrap_or(datasets::ALL[0].name) {
        "oca" => Box::pin(oca::demo(&args, report)).await,
        "nass" => Box::pin(nass::demo(&args, report)).await,
        "commits" => Box::pin(commits::demo(&args, report)).await,
        "catalog" => Box::pin(catalog::demo(&args, report)).await,
        "metrics" => Box::pin(metrics::demo(&args, report)).await,
        "datapoints" | "serve" => Box::pin(serve::demo(&args, report)).await,
        "site" => Box::pin(site::demo(&args, report)).await,
        "transform" => Box::pin(transform::demo(&args, report)).await,
        name => Err(Cause::usage(format!("there is no demo of {name}")).into()),
    }
}

/// Serves a sample that was just written, if that was asked for, until somebody ends it.
///
/// # Errors
/// It cannot be read, or no port is free.
pub async fn serve_sample(of: &SampleOf) -> Result<(), Cause> {
    match of {
        SampleOf::Commits(histories) if histories.serve => commits::serve(&histories.out).await,
        _ => Ok(()),
    }
}
