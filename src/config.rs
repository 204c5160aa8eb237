//! Flags and environment become one validated configuration, before any I/O.

use std::path::PathBuf;

use crate::cli;
use crate::clients::duckdb::DuckLimits;
use crate::clients::postgres::PgUrl;
use crate::clients::store::{S3Options, StoreUrl};
use crate::dataset::{Dataset, Limits};
use crate::datasets::oca::OCA;
use crate::error::Cause;
use crate::machine;
use crate::manifest::Kind;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Server(Box<PgUrl>),
    /// A private cluster in a folder (`None`: the default one).
    Embedded(Option<PathBuf>),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        match text.split_once(':') {
            None if text == "embedded" => Ok(Self::Embedded(None)),
            Some(("embedded", dir)) if !dir.is_empty() => Ok(Self::Embedded(Some(dir.into()))),
            _ => Ok(Self::Server(Box::new(PgUrl::parse(text, &environment)?))),
        }
    }
}

/// How many failed records a run may have: the larger of both.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct FailureBudget {
    pub percent: f64,
    pub records: u64,
}

impl Default for FailureBudget {
    /// Five in a hundred; a handful in a small file does not stop it.
    fn default() -> Self {
        Self { percent: 5.0, records: 10 }
    }
}

impl std::str::FromStr for FailureBudget {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        let budget = match text.trim().strip_suffix('%') {
            Some(_) => percent(text).map(|percent| Self { percent, records: 0 }),
            None => text.trim().parse().ok().map(|records| Self { percent: 0.0, records }),
        };
        budget.ok_or_else(|| {
            Cause::usage(format!(
                "--max-failures (MERGANSER_MAX_FAILURES) takes a number or per cent (20, 5%), not `{text}`"
            ))
        })
    }
}

/// What a table may lose in one batch: so many per cent of its rows, and fewer rows than this whatever the per cent.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct DropLimit {
    pub percent: f64,
    pub rows: u64,
}

impl Default for DropLimit {
    /// One in ten; a handful of a small table is not a drop.
    fn default() -> Self {
        Self { percent: 10.0, rows: 10 }
    }
}

impl std::str::FromStr for DropLimit {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        let limit = percent(text).map(|percent| Self { percent, rows: 0 });
        limit.ok_or_else(|| {
            Cause::usage(format!(
                "--max-drop (MERGANSER_MAX_DROP) takes per cent from 0 to 100, not `{text}`"
            ))
        })
    }
}

/// `12.5%` or `12.5` as a number from 0 to 100.
fn percent(text: &str) -> Option<f64> {
    let value: f64 = text.trim().trim_end_matches('%').trim().parse().ok()?;
    (0.0..=100.0).contains(&value).then_some(value)
}

/// The database and the schemas in it.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    pub schema: String,
    pub ledger_schema: String,
    pub staging_schema: String,
}

/// Which files and records a run takes.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Files of the source that the ledger does not know as done.
    New,
    /// Files of the archive whose names match; those that are done without a failure only if `force`.
    Archived { glob: globset::GlobMatcher, force: bool },
    /// Records that failed and are not put right: of one run, one of them, or all.
    Failed { run: Option<String>, record: Option<i64> },
}

/// All that one run needs to know.
#[derive(Clone, Debug)]
pub struct RunConfig {
    pub dataset: &'static Dataset,
    /// The ledger's word for what the run does.
    pub kind: Kind,
    pub selection: Selection,
    pub source: StoreUrl,
    /// The sender's own server, which keeps files for a while only.
    pub source_is_feed: bool,
    pub store: StoreUrl,
    pub s3: S3Options,
    pub database: DatabaseConfig,
    pub level: u8,
    pub batch_records: usize,
    pub batch_bytes: u64,
    pub work_dir: PathBuf,
    pub duckdb: DuckLimits,
    pub limits: Limits,
    pub fail_fast: bool,
    pub max_failures: FailureBudget,
    pub max_drop: DropLimit,
    pub allow: Vec<String>,
    pub overwrite_newer: bool,
    pub dry_run: bool,
    pub golden: Option<PathBuf>,
    pub skip_publish: bool,
}

impl RunConfig {
    /// Validates the arguments of `merganser run`.
    pub fn from_run(args: &cli::Run) -> Result<Self, Cause> {
        if let Some(glob) = &args.reprocess {
            let selection = archived(glob, args.force)?;
            return Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing);
        }
        let source = args.source.as_deref().ok_or_else(|| {
            missing(
                "where new files come from",
                "--source dir:PATH (or s3://BUCKET/PREFIX)",
                "MERGANSER_SOURCE",
            )
        })?;
        Self::new(
            dataset(args.dataset),
            (Kind::Run, Selection::New),
            source.parse()?,
            &args.database,
            &args.store,
            &args.processing,
        )
    }

    /// Validates the arguments of `merganser reprocess`.
    pub fn from_reprocess(args: &cli::Reprocess) -> Result<Self, Cause> {
        let selection = archived(&args.glob, args.force)?;
        let mut config =
            Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing)?;
        config.overwrite_newer = args.overwrite_newer;
        Ok(config)
    }

    /// Validates the arguments of `merganser retry`.
    pub fn from_retry(args: &cli::Retry) -> Result<Self, Cause> {
        let selection = (Kind::Retry, Selection::Failed { run: args.run.clone(), record: args.record });
        let mut config =
            Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing)?;
        // Records that fail again were known to fail: they are no reason to hold back the others.
        config.max_failures = FailureBudget { percent: 100.0, records: 0 };
        Ok(config)
    }

    /// Validates the arguments of `merganser adopt`.
    pub fn from_adopt(args: &cli::Adopt) -> Result<Self, Cause> {
        let selection = (Kind::Adopt, Selection::New);
        Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing)
    }

    /// Validates the arguments of `merganser purge`.
    pub fn from_purge(args: &cli::Purge) -> Result<Self, Cause> {
        let selection = (Kind::Purge, Selection::New);
        Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing)
    }

    /// A run whose source is the store's own archive.
    fn archived(
        name: cli::DatasetName,
        selection: (Kind, Selection),
        database: &cli::DatabaseArgs,
        store: &cli::StoreArgs,
        processing: &cli::Processing,
    ) -> Result<Self, Cause> {
        let archive = format!("{}/private", store_url(store)?);
        Self::new(dataset(name), selection, archive.parse()?, database, store, processing)
    }

    /// Validates what the commands that process files have in common.
    pub fn new(
        dataset: &'static Dataset,
        (kind, selection): (Kind, Selection),
        source: StoreUrl,
        database: &cli::DatabaseArgs,
        store: &cli::StoreArgs,
        args: &cli::Processing,
    ) -> Result<Self, Cause> {
        let store_url = store_url(store)?;
        let mut s3 = S3Options::from_env(environment)?;
        if let Some(encryption) = &store.s3_encryption {
            s3.encryption = encryption
                .parse()
                .map_err(|error| refused("--s3-encryption (MERGANSER_S3_ENCRYPTION)", error))?;
        }
        let mut limits = Limits::default();
        if args.no_fragments {
            limits.fragment_bytes = 0;
        }
        Ok(Self {
            dataset,
            kind,
            selection,
            source,
            source_is_feed: false,
            store: store_url,
            s3,
            database: DatabaseConfig::new(database)?,
            level: level(&args.level)?,
            batch_records: args.batch_records as usize,
            batch_bytes: args.batch_mib << 20,
            work_dir: args.work_dir.clone().unwrap_or_else(std::env::temp_dir),
            duckdb: duck_limits(args.duckdb_memory_mib),
            limits,
            fail_fast: args.fail_fast,
            max_failures: args.max_failures.as_deref().map_or(Ok(FailureBudget::default()), str::parse)?,
            max_drop: args.max_drop.as_deref().map_or(Ok(DropLimit::default()), str::parse)?,
            allow: args.allow.clone(),
            overwrite_newer: false,
            dry_run: args.dry_run,
            golden: args.golden.clone(),
            skip_publish: args.skip_publish,
        })
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self) -> serde_json::Value {
        serde_json::json!({
            "source": self.source.to_string(),
            "store": self.store.to_string(),
            "level": self.level,
            "batch_records": self.batch_records,
            "batch_bytes": self.batch_bytes,
            "fail_fast": self.fail_fast,
            "max_failures": self.max_failures,
            "max_drop": self.max_drop,
            "allow": self.allow,
            "overwrite_newer": self.overwrite_newer,
            "skip_publish": self.skip_publish,
        })
    }
}

impl DatabaseConfig {
    /// Validates where the database is.
    pub fn new(args: &cli::DatabaseArgs) -> Result<Self, Cause> {
        let url = args.database_url.as_deref().ok_or_else(|| {
            missing("the database", "--database-url postgresql://… (or `embedded`)", "DATABASE_URL")
        })?;
        let names = [
            (&args.schema, "--schema (DB_SCHEMA)"),
            (&args.ledger_schema, "--ledger-schema (MERGANSER_LEDGER_SCHEMA)"),
        ];
        for (name, option) in names {
            // PostgreSQL would cut a longer name without a word, and then not find it; the staging schema's name
            // is the ledger's with a suffix.
            if name.is_empty() || name.len() > 55 || name.contains('\0') || name.starts_with("pg_") {
                return Err(Cause::usage(format!("{option}: `{name}` cannot be the name of a schema")));
            }
        }
        if args.schema == args.ledger_schema {
            return Err(Cause::usage("--schema and --ledger-schema must differ"));
        }
        Ok(Self {
            url: url.parse().map_err(|error| refused("--database-url (DATABASE_URL)", error))?,
            schema: args.schema.clone(),
            ledger_schema: args.ledger_schema.clone(),
            staging_schema: format!("{}_staging", args.ledger_schema),
        })
    }
}

/// The selection of files of the archive.
fn archived(glob: &str, force: bool) -> Result<(Kind, Selection), Cause> {
    let glob = globset::GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| {
        Cause::usage(format!("`{glob}` (REPROCESS_GLOB) is not a glob: {}", error.kind()))
    })?;
    Ok((Kind::Reprocess, Selection::Archived { glob: glob.compile_matcher(), force }))
}

/// A variable of the environment, for what is not an option.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The dataset of that name.
pub fn dataset(name: cli::DatasetName) -> &'static Dataset {
    match name {
        cli::DatasetName::Oca => &OCA,
    }
}

fn store_url(args: &cli::StoreArgs) -> Result<StoreUrl, Cause> {
    let url = match (&args.store, &args.s3_bucket) {
        (Some(url), _) => url.clone(),
        // Prefixes are written with slashes around them and without.
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
    let url: StoreUrl = url.parse().map_err(|error| refused(variables, error))?;
    if url.is_read_only() {
        return Err(Cause::usage(format!(
            "{url} can be read only; a store is file:PATH or s3://BUCKET/PREFIX"
        )));
    }
    Ok(url)
}

fn level(text: &str) -> Result<u8, Cause> {
    match text.trim().to_ascii_lowercase().trim_start_matches("level").trim_matches([' ', '-', '_', '=']) {
        "1" => Ok(1),
        "2" => Ok(2),
        _ => Err(Cause::usage(format!("the level (--level, MODE) is 1 or 2, not `{text}`"))),
    }
}

/// DuckDB gets a quarter of the memory there is, at least what it needs and no more than helps.
fn duck_limits(memory_mib: Option<u64>) -> DuckLimits {
    let memory_mib = memory_mib.unwrap_or_else(|| ((machine::memory_bytes() / 4) >> 20).clamp(96, 128));
    DuckLimits { memory_mib, threads: machine::cpus().min(4) }
}

/// A setting that cannot be used; the value is not repeated, unless the error does.
fn refused(setting: &str, error: impl std::fmt::Display) -> Cause {
    Cause::usage(format!("{setting}: {error}"))
}

fn missing(what: &str, option: &str, variable: &str) -> Cause {
    Cause::Usage {
        message: format!("{what} is not given"),
        hint: Some(format!("{option}, or the environment variable {variable}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_people_write_them() {
        for (text, expected) in [("1", 1), ("2", 2), ("level2", 2), ("Level 1", 1), ("level-2", 2)] {
            assert_eq!(level(text).ok(), Some(expected), "{text}");
        }
        assert!(level("3").is_err() && level("").is_err());
    }

    #[test]
    fn a_failure_budget_is_a_number_or_per_cent() {
        assert_eq!("20".parse::<FailureBudget>().ok(), Some(FailureBudget { percent: 0.0, records: 20 }));
        assert_eq!("2.5%".parse::<FailureBudget>().ok(), Some(FailureBudget { percent: 2.5, records: 0 }));
        assert!("-1".parse::<FailureBudget>().is_err() && "101%".parse::<FailureBudget>().is_err());
    }
}
