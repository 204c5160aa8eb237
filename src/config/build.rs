//! The configuration of `merganser build`.

use super::DatabaseConfig;
use super::target::{s3_options, store_url};
use crate::cli::BuildArgs;
use crate::clients::store::{S3Options, StoreUrl};
use crate::error::Cause;
use crate::site::settings::SiteSettings;

/// The settings of a build.
#[derive(Clone, Debug)]
pub struct BuildConfig {
    pub site: SiteSettings,
    pub database: DatabaseConfig,
    pub store: StoreUrl,
    pub s3: S3Options,
    pub explain: bool,
    pub dry_run: bool,
    pub check: bool,
}

impl BuildConfig {
    /// Validates the arguments of `merganser build`, and reads the file that they name.
    ///
    /// # Errors
    /// An error in them, or in the file.
    pub fn new(args: &BuildArgs) -> Result<Self, Cause> {
        Ok(Self {
            site: SiteSettings::read(&args.file)?,
            database: DatabaseConfig::new(&args.database)?,
            store: store_url(&args.store)?,
            s3: s3_options(args.store.s3_encryption.as_deref())?,
            explain: args.explain,
            dry_run: args.dry_run,
            check: args.check,
        })
    }
}
