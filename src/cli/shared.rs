//! What several commands share: a dataset, the database, the store.

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::dataset::{Dataset, PublishedForm};
use crate::datasets;

/// The datasets that this program knows, by name.
pub(super) fn dataset() -> impl TypedValueParser<Value = &'static Dataset> {
    let names = datasets::ALL.iter().map(|dataset| PossibleValue::new(dataset.name).help(dataset.about));
    PossibleValuesParser::new(names)
        .map(|name| datasets::named(&name).expect("a possible value is the name of a dataset"))
}

#[derive(Args)]
#[command(next_help_heading = "The database")]
pub struct DatabaseArgs {
    /// PostgreSQL: a URL, or `embedded` (`embedded:DIR`) for a private one that this tool starts and stops
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Schema of the production tables
    #[arg(long, env = "DB_SCHEMA", default_value = "public", value_name = "NAME")]
    pub schema: String,
    /// Schema of the ledger; staging tables are in the schema with this name and `_staging` appended
    #[arg(long, env = "MERGANSER_LEDGER_SCHEMA", default_value = "etl", value_name = "NAME")]
    pub ledger_schema: String,
}

#[derive(Args)]
#[command(next_help_heading = "The store")]
pub struct StoreArgs {
    /// Where raw files, staging CSVs and public CSVs go: file:PATH or s3://BUCKET/PREFIX
    #[arg(long, env = "MERGANSER_STORE", value_name = "URL", hide_env_values = true)]
    pub store: Option<String>,
    /// Bucket of the store, if --store is not given
    #[arg(long, env = "AWS_S3_BUCKET_NAME", value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// Prefix in that bucket
    #[arg(long, env = "S3_PREFIX", value_name = "PREFIX")]
    pub s3_prefix: Option<String>,
    /// Server-side encryption for what is written to S3: AES256, aws:kms or aws:kms:KEY-ID
    #[arg(long, env = "MERGANSER_S3_ENCRYPTION", value_name = "KIND")]
    pub s3_encryption: Option<String>,
}

/// How rows and files move between the database, the store and this machine.
#[derive(Args)]
#[command(next_help_heading = "Files and public files")]
pub struct MovingArgs {
    /// How CSVs get from the store into the database, and the public ones back
    #[arg(long, env = "MERGANSER_LOAD_VIA", default_value = "auto", value_name = "WAY")]
    pub load_via: LoadVia,
    /// Folder for staging; the run makes a folder of its own in it and removes it [default: the system's]
    #[arg(long, env = "MERGANSER_WORK_DIR", value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// Forms of the public files; csv is always one of them [default: csv, and the dataset's own further forms]
    #[arg(long, env = "MERGANSER_PUBLISH", value_name = "FORM", value_delimiter = ',')]
    pub publish: Vec<PublishedForm>,
    /// Do not write the public files (also: SKIP_PUBLIC_PUBLISH)
    #[arg(long, env = "MERGANSER_SKIP_PUBLISH", value_parser = switch())]
    pub skip_publish: bool,
}

/// How rows get from the store into the database and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum LoadVia {
    /// aws_s3 if the database has that extension and the store is in Amazon S3, else copy
    Auto,
    /// Through this program and its connection
    Copy,
    /// Directly, by the database's extension of that name, with the database's own role
    AwsS3,
}

/// The values of a switch's variable: true, yes, on or 1, and their opposites, in upper or lower case. People write all of
/// these.
pub(super) fn switch() -> BoolishValueParser {
    BoolishValueParser::new()
}
