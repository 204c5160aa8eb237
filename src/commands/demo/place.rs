//! Where a demo works: its folder, its store and its database.

use std::path::{Path, PathBuf};

use crate::clients::store::StoreUrl;
use crate::commands::terminal::say_line;
use crate::config::DatabaseConfig;
use crate::embedded;
use crate::error::Cause;

/// The folder for everything that a demo makes, and the database that it loads into.
pub struct DemoPlace {
    pub dir: PathBuf,
    pub database_url: String,
}

impl DemoPlace {
    /// The folder that was asked for, as an absolute path.
    ///
    /// # Errors
    /// Fails if the current folder does not exist any more.
    pub fn folder(dir: &Path) -> Result<PathBuf, Cause> {
        std::path::absolute(dir).map_err(Cause::io("find the folder of the demo"))
    }

    /// Records in the existing folder which database belongs to it; fetches the programs of a private one if there are
    /// none.
    ///
    /// # Errors
    /// The note cannot be written, or the programs cannot be fetched.
    pub async fn settle(asked: &str, dir: PathBuf) -> Result<Self, Cause> {
        let database_url = database_url(asked, &dir)?;
        if database_url.starts_with("embedded") {
            embedded::bring_programs(|said| say_line!("\n{said}")).await?;
        }
        Ok(Self { dir, database_url })
    }

    /// Its store.
    ///
    /// # Errors
    /// Fails if the folder's name cannot be part of an address.
    pub fn store(&self) -> Result<StoreUrl, Cause> {
        Ok(format!("file:{}", self.dir.join("store").display()).parse()?)
    }

    /// Its database, with the default schemas.
    ///
    /// # Errors
    /// Fails if the given address is not valid.
    pub fn database(&self) -> Result<DatabaseConfig, Cause> {
        Ok(DatabaseConfig {
            url: self.database_url.parse()?,
            schema: "public".into(),
            ledger_schema: "etl".into(),
            staging_schema: "etl_staging".into(),
        })
    }

    /// The options with which another command uses this demo's data.
    pub fn options(&self) -> String {
        format!("--store file:{}/store --database-url {}", self.dir.display(), self.database_url)
    }

    /// Says how to remove everything afterwards: a private database lies outside the folder.
    pub fn say_how_to_remove(&self) {
        let database = self.database_url.strip_prefix("embedded:").unwrap_or_default();
        say_line!("   {}", format!("rm -r {} {database}", self.dir.display()).trim_end());
        say_line!("      (removes what the demos made in this folder)");
    }

    /// This program, as it was typed.
    pub fn tool() -> String {
        std::env::args().next().unwrap_or_else(|| "merganser".into())
    }
}

/// A demo in a new folder begins with an empty database: with the ledger of an earlier one, nothing would be new.
fn database_url(asked: &str, dir: &Path) -> Result<String, Cause> {
    if asked != "embedded" || std::env::var_os("MERGANSER_EMBEDDED_DIR").is_some() {
        return Ok(asked.to_owned());
    }
    let note = dir.join("database-url.txt");
    if let Ok(url) = std::fs::read_to_string(&note) {
        return Ok(url.trim().to_owned());
    }
    // Not in the demo's folder: PostgreSQL's user may not get there.
    let folder = embedded::default_dir().with_file_name(format!("demo-{}", uuid::Uuid::now_v7().simple()));
    let url = format!("embedded:{}", folder.display());
    std::fs::write(&note, format!("{url}\n")).map_err(Cause::io(format!("write {}", note.display())))?;
    Ok(url)
}
