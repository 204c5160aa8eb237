//! The target of every command that writes: the dataset, the database and the store.

use super::{DatabaseConfig, LoadVia, PublishingConfig, environment, missing, refused};
use crate::cli;
use crate::clients::store::{S3Options, StoreUrl};
use crate::dataset::Dataset;
use crate::error::Cause;
use crate::ledger::entries::Kind;
use crate::objects::Objects;

/// The target of a run of any kind.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    pub dataset: &'static Dataset,
    /// The ledger's word for what the run does.
    pub kind: Kind,
    pub database: DatabaseConfig,
    pub store: StoreUrl,
    pub s3: S3Options,
    /// How CSVs get from the store into the database and back.
    pub load_via: LoadVia,
    pub dry_run: bool,
    pub skip_publish: bool,
    pub publishing: PublishingConfig,
}

impl TargetConfig {
    /// Validates the locations of the database and the store; everything else has its default.
    pub fn new(
        (kind, dataset): (Kind, &'static Dataset),
        database: &cli::DatabaseArgs,
        store: &cli::StoreArgs,
        load_via: LoadVia,
    ) -> Result<Self, Cause> {
        let url = store_url(store)?;
        check_way(load_via, &url)?;
        let s3 = s3_options(store.s3_encryption.as_deref())?;
        let database = DatabaseConfig::new(database)?;
        Ok(Self { s3, load_via, ..Self::plain((kind, dataset), url, database) })
    }

    /// This database and this store, with defaults for everything else.
    pub(super) fn plain(
        (kind, dataset): (Kind, &'static Dataset),
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Self {
        Self {
            dataset,
            kind,
            database,
            store,
            s3: S3Options::default(),
            load_via: LoadVia::Auto,
            dry_run: false,
            skip_publish: false,
            publishing: PublishingConfig::plain(dataset),
        }
    }

    /// The dataset as it is typed in a command, with the table that it goes into and that table's schema.
    pub fn typed(&self) -> String {
        self.dataset.typed_in(&self.database.schema)
    }

    /// The location of the store's archive.
    pub(super) fn archive(&self) -> Result<StoreUrl, Cause> {
        Ok(format!("{}/{}", self.store, Objects::of(self.dataset).archive()).parse()?)
    }
}

pub(super) fn store_url(args: &cli::StoreArgs) -> Result<StoreUrl, Cause> {
    let url = match (&args.store, &args.s3_bucket) {
        (Some(url), _) => url.clone(),
        // People write prefixes with or without slashes around them.
        (None, Some(bucket)) => {
            format!("s3://{bucket}/{}", args.s3_prefix.as_deref().unwrap_or("").trim_matches('/'))
        }
        (None, None) => {
            return Err(missing(
                "the store",
                "--store file:PATH (or s3://BUCKET/PREFIX)",
                "MERGANSER_STORE or AWS_S3_BUCKET_NAME",
            ));
        }
    };
    let variables = match args.store {
        Some(_) => "--store (MERGANSER_STORE)",
        None => "AWS_S3_BUCKET_NAME with S3_PREFIX",
    };
    writable(&url, variables)
}

/// A store as `--store` names it.
pub(super) fn writable_store(url: &str) -> Result<StoreUrl, Cause> {
    writable(url, "--store (MERGANSER_STORE)")
}

fn writable(url: &str, variables: &str) -> Result<StoreUrl, Cause> {
    let url: StoreUrl = url.parse().map_err(|error| refused(variables, error))?;
    if url.is_read_only() {
        return Err(Cause::usage(format!(
            "{url} can be read only; a store is file:PATH or s3://BUCKET/PREFIX"
        )));
    }
    Ok(url)
}

/// The database itself can read and write only S3.
fn check_way(load_via: LoadVia, store: &StoreUrl) -> Result<(), Cause> {
    if load_via != LoadVia::AwsS3 || matches!(store, StoreUrl::S3 { .. }) {
        return Ok(());
    }
    Err(Cause::Usage {
        message: format!("--load-via aws_s3 is for a store in S3, and this one is {store}"),
        hint: Some("--store s3://BUCKET/PREFIX, or --load-via copy".into()),
    })
}

pub(super) fn s3_options(encryption: Option<&str>) -> Result<S3Options, Cause> {
    let mut s3 = S3Options::from_env(environment)?;
    if let Some(encryption) = encryption {
        s3.encryption = encryption
            .parse()
            .map_err(|error| refused("--s3-encryption (MERGANSER_S3_ENCRYPTION)", error))?;
    }
    Ok(s3)
}
