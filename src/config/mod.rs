//! Flags and environment become one validated configuration, before any I/O.

mod budget;

use std::path::PathBuf;

use crate::cli;
pub use crate::cli::LoadVia;
use crate::clients::duckdb::DuckLimits;
use crate::clients::postgres::PgUrl;
use crate::clients::sftp::{SftpOptions, SftpUrl};
use crate::clients::source::SourceUrl;
use crate::clients::store::{S3Options, StoreUrl};
use crate::dataset::{Dataset, Limits, Options};
use crate::error::Cause;
use crate::ledger::entries::Kind;
use crate::objects::Objects;
use crate::system::machine;

pub use budget::{DeleteLimit, DropLimit, FailureBudget};

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
    pub source: SourceUrl,
    /// Of an SFTP source.
    pub sftp: SftpOptions,
    pub store: StoreUrl,
    pub s3: S3Options,
    pub database: DatabaseConfig,
    /// The dataset's own.
    pub options: Options,
    /// How CSVs get from the store into the database and back.
    pub load_via: LoadVia,
    pub batch_records: usize,
    pub batch_bytes: u64,
    pub work_dir: PathBuf,
    pub duckdb: DuckLimits,
    pub limits: Limits,
    pub fail_fast: bool,
    pub max_failures: FailureBudget,
    pub max_deletes: DeleteLimit,
    pub max_drop: DropLimit,
    pub allow: Vec<String>,
    pub overwrite_newer: bool,
    pub dry_run: bool,
    pub golden: Option<PathBuf>,
    pub skip_publish: bool,
}

impl RunConfig {
    /// Validates the arguments of `merganser run`.
    pub fn from_run(args: &cli::RunArgs) -> Result<Self, Cause> {
        if let Some(glob) = &args.reprocess {
            let selection = archived(glob, args.force)?;
            return Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing);
        }
        let source = match &args.source {
            Some(text) => SourceUrl::parse(text, &environment)?,
            None => SftpUrl::from_env(&environment)?.map(SourceUrl::Sftp).ok_or_else(|| {
                missing(
                    "where new files come from",
                    "--source sftp://USER@HOST/DIR (or dir:PATH, s3://BUCKET/PREFIX)",
                    "MERGANSER_SOURCE, or SFTP_HOST with SFTP_USER and SFTP_DIR",
                )
            })?,
        };
        let mut config = Self::new(
            args.dataset,
            (Kind::Run, Selection::New),
            source,
            &args.database,
            &args.store,
            &args.processing,
        )?;
        if config.source.is_feed() {
            config.sftp = SftpOptions::from_env(&environment, args.sftp_trust_on_first_use)?;
        }
        Ok(config)
    }

    /// Validates the arguments of `merganser reprocess`.
    pub fn from_reprocess(args: &cli::ReprocessArgs) -> Result<Self, Cause> {
        let selection = archived(&args.glob, args.force)?;
        let mut config =
            Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing)?;
        config.overwrite_newer = args.overwrite_newer;
        Ok(config)
    }

    /// Validates the arguments of `merganser retry`.
    pub fn from_retry(args: &cli::RetryArgs) -> Result<Self, Cause> {
        let selection = (Kind::Retry, Selection::Failed { run: args.run.clone(), record: args.record });
        let mut config =
            Self::archived(args.dataset, selection, &args.database, &args.store, &args.processing)?;
        // Records that fail again were known to fail: they are no reason to hold back the others.
        if args.processing.max_failures.is_none() {
            config.max_failures = FailureBudget { percent: 100.0, records: 0 };
        }
        Ok(config)
    }

    /// Validates the arguments of `merganser adopt`.
    pub fn from_adopt(args: &cli::AdoptArgs) -> Result<Self, Cause> {
        let store = store_url(&args.store)?;
        let source = archive(&store, args.dataset).parse()?;
        let database = DatabaseConfig::new(&args.database)?;
        Ok(Self {
            kind: Kind::Adopt,
            s3: s3_options(&args.store)?,
            dry_run: args.dry_run,
            ..Self::plain(args.dataset, source, store, database)
        })
    }

    /// Validates the arguments of `merganser purge`.
    pub fn from_purge(args: &cli::PurgeArgs) -> Result<Self, Cause> {
        let store = store_url(&args.store)?;
        check_way(args.load_via, &store)?;
        let source = archive(&store, args.dataset).parse()?;
        let database = DatabaseConfig::new(&args.database)?;
        Ok(Self {
            kind: Kind::Purge,
            load_via: args.load_via,
            s3: s3_options(&args.store)?,
            dry_run: args.dry_run,
            skip_publish: args.skip_publish,
            ..Self::plain(args.dataset, source, store, database)
        })
    }

    /// A run of what is new, everything else as it is by default.
    pub fn plain(
        dataset: &'static Dataset,
        source: SourceUrl,
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Self {
        Self {
            dataset,
            kind: Kind::Run,
            selection: Selection::New,
            source,
            sftp: SftpOptions::default(),
            store,
            s3: S3Options::default(),
            database,
            options: Options::new(),
            load_via: LoadVia::Auto,
            batch_records: 2000,
            batch_bytes: 256 << 20,
            work_dir: std::env::temp_dir(),
            duckdb: duck_limits(None),
            limits: Limits::default(),
            fail_fast: false,
            max_failures: FailureBudget::default(),
            max_deletes: DeleteLimit::default(),
            max_drop: DropLimit::default(),
            allow: Vec::new(),
            overwrite_newer: false,
            dry_run: false,
            golden: None,
            skip_publish: false,
        }
    }

    /// A run whose source is the store's own archive.
    fn archived(
        dataset: &'static Dataset,
        selection: (Kind, Selection),
        database: &cli::DatabaseArgs,
        store: &cli::StoreArgs,
        processing: &cli::Processing,
    ) -> Result<Self, Cause> {
        let source = archive(&store_url(store)?, dataset).parse()?;
        Self::new(dataset, selection, source, database, store, processing)
    }

    /// Validates what the commands that process files have in common.
    pub fn new(
        dataset: &'static Dataset,
        (kind, selection): (Kind, Selection),
        source: SourceUrl,
        database: &cli::DatabaseArgs,
        store: &cli::StoreArgs,
        args: &cli::Processing,
    ) -> Result<Self, Cause> {
        let store_url = store_url(store)?;
        let guards = dataset.guard_names();
        if let Some(unknown) = args.allow.iter().find(|name| !guards.contains(&name.as_str())) {
            return Err(Cause::Usage {
                message: format!("--allow: {} has no guard `{unknown}`", dataset.name),
                hint: Some(format!("its guards: {}", guards.join(", "))),
            });
        }
        check_way(args.load_via, &store_url)?;
        let mut limits = Limits::default();
        if args.no_fragments {
            limits.fragment_bytes = 0;
        }
        Ok(Self {
            dataset,
            kind,
            selection,
            source,
            sftp: SftpOptions::default(),
            store: store_url,
            s3: s3_options(store)?,
            database: DatabaseConfig::new(database)?,
            options: args.own.of(dataset).map_err(Cause::usage)?,
            load_via: args.load_via,
            batch_records: args.batch_records as usize,
            batch_bytes: args.batch_mib << 20,
            work_dir: args.work_dir.clone().unwrap_or_else(std::env::temp_dir),
            duckdb: duck_limits(args.duckdb_memory_mib),
            limits,
            fail_fast: args.fail_fast,
            max_failures: args.max_failures.as_deref().map_or(Ok(FailureBudget::default()), str::parse)?,
            max_deletes: args.max_deletes.as_deref().map_or(Ok(DeleteLimit::default()), str::parse)?,
            max_drop: args.max_drop.as_deref().map_or(Ok(DropLimit::default()), str::parse)?,
            allow: args.allow.clone(),
            overwrite_newer: false,
            dry_run: args.dry_run,
            golden: args.golden.clone(),
            skip_publish: args.skip_publish,
        })
    }

    /// Are all files promoted together, however many they are?
    pub fn is_one_batch(&self) -> bool {
        self.fail_fast || self.dry_run || self.golden.is_some() || self.dataset.is_replaced()
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self) -> serde_json::Value {
        let asked = match &self.selection {
            Selection::New => serde_json::Value::Null,
            Selection::Archived { glob, force } => {
                serde_json::json!({ "glob": glob.glob().glob(), "force": force })
            }
            Selection::Failed { run, record } => serde_json::json!({ "run": run, "record": record }),
        };
        let mut options = serde_json::json!({
            "asked_for": asked,
            "golden": self.golden,
            "source": self.source.to_string(),
            "store": self.store.to_string(),
            "load_via": self.load_via,
            "batch_records": self.batch_records,
            "batch_bytes": self.batch_bytes,
            "fail_fast": self.fail_fast,
            "max_failures": self.max_failures,
            "max_deletes": self.max_deletes,
            "max_drop": self.max_drop,
            "allow": self.allow,
            "overwrite_newer": self.overwrite_newer,
            "skip_publish": self.skip_publish,
        });
        if let Some(all) = options.as_object_mut() {
            all.extend(self.options.clone());
        }
        options
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

/// A variable of the environment, for what is not an option. That it is text was seen when the command line was read.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the raw files of a dataset are in a store, as a URL.
fn archive(store: &StoreUrl, dataset: &Dataset) -> String {
    format!("{store}/{}", Objects::of(dataset).archive())
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

/// The database reads and writes nothing but S3 by itself.
fn check_way(load_via: LoadVia, store: &StoreUrl) -> Result<(), Cause> {
    if load_via != LoadVia::AwsS3 || matches!(store, StoreUrl::S3 { .. }) {
        return Ok(());
    }
    Err(Cause::Usage {
        message: format!("--load-via aws_s3 is for a store in S3, and this one is {store}"),
        hint: Some("--store s3://BUCKET/PREFIX, or --load-via copy".into()),
    })
}

fn s3_options(args: &cli::StoreArgs) -> Result<S3Options, Cause> {
    let mut s3 = S3Options::from_env(environment)?;
    if let Some(encryption) = &args.s3_encryption {
        s3.encryption = encryption
            .parse()
            .map_err(|error| refused("--s3-encryption (MERGANSER_S3_ENCRYPTION)", error))?;
    }
    Ok(s3)
}

/// DuckDB gets a quarter of the memory there is, at least what it needs and no more than helps.
fn duck_limits(memory_mib: Option<u64>) -> DuckLimits {
    let memory_mib = memory_mib.unwrap_or_else(|| ((machine::memory_bytes() / 4) >> 20).clamp(96, 136));
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
