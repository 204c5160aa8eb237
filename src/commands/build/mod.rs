//! `merganser build`: sheets, histories, metrics and a site of them, each step only if it is needed.

mod steps;

use std::fs;
use std::io::Write;
use std::path::Path;

use super::terminal::say_line;
use crate::cli::BuildArgs;
use crate::config::BuildConfig;
use crate::error::{Cause, Exit, Failure};
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
    if let Some(folder) = &args.write_templates {
        return Ok(write_templates(folder)?);
    }
    let config = BuildConfig::new(&args)?;
    let templates = Templates::read(config.site.templates.as_deref())?;
    let folder = SiteFolder::open(&config.site.out)?;
    let server = Server::open(&config.database.url).await?;
    let building = Building::new(&args, &config, &templates, &folder, &server.url, report);
    let done = Box::pin(building.build()).await;
    server.close().await;
    done
}

/// Writes the built-in templates into a folder; a file that is there already stays.
fn write_templates(folder: &Path) -> Result<Exit, Cause> {
    fs::create_dir_all(folder).map_err(Cause::io(format!("make the folder {}", folder.display())))?;
    for (name, text) in Templates::built_in() {
        let path = folder.join(name);
        let failed = || Cause::io(format!("write {}", path.display()));
        match fs::File::create_new(&path) {
            Ok(mut file) => {
                if let Err(error) = file.write_all(text.as_bytes()) {
                    // Half a template would stay for the next time.
                    let _ = fs::remove_file(&path);
                    return Err(failed()(error));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                say_line!("{} is there already and stays", path.display());
                continue;
            }
            Err(error) => return Err(failed()(error)),
        }
        say_line!("{}", path.display());
    }
    say_line!(
        "Keep those that you change, and name the folder in the site's file: [site] templates = \"{}\"",
        std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display()
    );
    Ok(Exit::Done)
}
