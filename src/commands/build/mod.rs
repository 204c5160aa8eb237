//! `merganser build`: sheets, histories, metrics and a site of them, each step only if it is needed.

mod steps;

use crate::cli::BuildArgs;
use crate::config::BuildConfig;
use crate::error::{Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::site::folder::SiteFolder;
use crate::site::render::Templates;
use steps::Building;

/// Builds, or shows what a build would do, or checks the result of the last one.
///
/// # Errors
/// An error in the site's file, its templates or its folder, before anything runs; or the error of a step. The last
/// good site then stays.
pub async fn run(args: BuildArgs, report: &Report) -> Result<Exit, Failure> {
    let config = BuildConfig::new(&args)?;
    let templates = Templates::read(config.site.templates.as_deref())?;
    let folder = SiteFolder::open(&config.site.out)?;
    let server = Server::open(&config.database.url).await?;
    let building = Building::new(&args, &config, &templates, &folder, &server.url, report);
    let done = Box::pin(building.build()).await;
    server.close().await;
    done
}
