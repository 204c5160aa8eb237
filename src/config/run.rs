//! The configuration of `merganser run`, `reprocess` and `retry`.

use super::processing::{duck_limits, own_options};
use super::source::archived;
use super::{
    ApiSecret, AskingConfig, DatabaseConfig, FailureBudget, ProcessingConfig, PublishingConfig, Selection,
    SourceConfig, TargetConfig, WalkingConfig, environment, missing,
};
use crate::cli;
use crate::clients::git::GitFolder;
use crate::clients::sftp::{SftpOptions, SftpUrl};
use crate::clients::source::SourceUrl;
use crate::clients::store::StoreUrl;
use crate::clients::web::SheetUrls;
use crate::dataset::asked::{Asked, FilesInstead};
use crate::dataset::walked::ClonesWanted;
use crate::dataset::{Dataset, Options};
use crate::error::Cause;
use crate::ledger::entries::Kind;

/// The settings of a run that takes files.
#[derive(Clone, Debug)]
pub struct RunConfig {
    pub target: TargetConfig,
    pub from: SourceConfig,
    pub processing: ProcessingConfig,
}

impl RunConfig {
    /// Validates the arguments of `merganser run`.
    pub fn from_run(args: &cli::RunArgs) -> Result<Self, Cause> {
        Self::from_run_or_check(args, false)
    }

    /// Validates the arguments of `merganser check`, which are those of the run that is checked.
    pub fn from_check(args: &cli::RunArgs) -> Result<Self, Cause> {
        Self::from_run_or_check(args, true)
    }

    fn from_run_or_check(args: &cli::RunArgs, is_look: bool) -> Result<Self, Cause> {
        if let Some(glob) = &args.files.reprocess {
            has_archive(args.dataset)?;
            let selection = archived(glob, args.files.force)?;
            let what = (Kind::Reprocess, args.dataset);
            return Self::archived(what, selection, &args.database, &args.store, &args.processing);
        }
        if let Some(asked) = args.dataset.asked {
            return Self::from_asked(asked, args, is_look);
        }
        if !args.dataset.inputs.is_empty() {
            let what = (Kind::Run, args.dataset);
            return Self::archived(what, Selection::Tables, &args.database, &args.store, &args.processing);
        }
        let url = match &args.files.source {
            _ if args.dataset.has_sheets && !args.files.sheet.is_empty() => SourceUrl::Sheets(sheets(args)?),
            Some(text) if is_service(args, text) => return Self::from_walked(args, text),
            Some(text) if args.dataset.has_sheets => SourceUrl::of_files(text)?,
            Some(text) => source(args, text)?,
            None if args.dataset.walked.is_some() => {
                return Err(missing(
                    "the source of histories",
                    "--source https://HOST of a service, or git:DIR, a folder with clones",
                    "MERGANSER_SOURCE",
                ));
            }
            None => SftpUrl::from_env(&environment)?.map(SourceUrl::Sftp).ok_or_else(|| {
                missing(
                    "the source of new files",
                    "--source sftp://USER@HOST/DIR (or dir:PATH, s3://BUCKET/PREFIX)",
                    "MERGANSER_SOURCE, or SFTP_HOST with SFTP_USER and SFTP_DIR",
                )
            })?,
        };
        let what = (Kind::Run, args.dataset);
        let target = target(what, &args.database, &args.store, &args.processing)?;
        let processing = ProcessingConfig::new(target.dataset, &args.processing)?;
        let mut from = SourceConfig::new(url, Selection::New);
        if from.url.is_feed() {
            from.sftp = SftpOptions::from_env(&environment, args.files.sftp_trust_on_first_use)?;
        }
        Ok(Self { target, from, processing })
    }

    /// A run that asks a service, and takes the answers from the archive, where they are kept.
    fn from_asked(asked: &Asked, args: &cli::RunArgs, is_look: bool) -> Result<Self, Cause> {
        let what = (Kind::Run, args.dataset);
        let mut config =
            Self::archived(what, Selection::Asked, &args.database, &args.store, &args.processing)?;
        config.from.asking = Some(AskingConfig::new(asked, &config.processing.options, is_look)?);
        if let FilesInstead::Always(files) = (asked.files)(&config.processing.options) {
            config.from.url = SourceUrl::of_files(&files)?;
            config.from.selection = Selection::Bulk;
        }
        Ok(config)
    }

    /// A run that asks a service for histories, and takes the answers from the archive, where they are kept.
    fn from_walked(args: &cli::RunArgs, text: &str) -> Result<Self, Cause> {
        let what = (Kind::Run, args.dataset);
        let mut config =
            Self::archived(what, Selection::Walked, &args.database, &args.store, &args.processing)?;
        let walked = args.dataset.walked.expect("only a dataset of histories is walked");
        config.from.walking = Some(WalkingConfig::new(walked, text.trim(), &config.processing.options)?);
        Ok(config)
    }

    /// Validates the arguments of `merganser reprocess`.
    pub fn from_reprocess(args: &cli::ReprocessArgs) -> Result<Self, Cause> {
        has_archive(args.dataset)?;
        let selection = archived(&args.glob, args.force)?;
        let what = (Kind::Reprocess, args.dataset);
        let mut config = Self::archived(what, selection, &args.database, &args.store, &args.processing)?;
        config.processing.overwrite_newer = args.overwrite_newer;
        Ok(config)
    }

    /// Validates the arguments of `merganser retry`.
    pub fn from_retry(args: &cli::RetryArgs) -> Result<Self, Cause> {
        has_archive(args.dataset)?;
        let selection = Selection::Failed { run: args.run.clone(), record: args.record };
        let what = (Kind::Retry, args.dataset);
        let mut config = Self::archived(what, selection, &args.database, &args.store, &args.processing)?;
        // Records that fail again were known to fail, so they are no reason to hold back the others. A dataset whose
        // parts replace everything is processed completely, as by a run.
        if args.processing.max_failures.is_none() && !args.dataset.is_replaced() {
            config.processing.max_failures = FailureBudget { percent: 100.0, records: 0 };
        }
        Ok(config)
    }

    /// A run of new files, with defaults for everything else.
    pub fn plain(
        dataset: &'static Dataset,
        source: SourceUrl,
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Self {
        Self {
            target: TargetConfig::plain((Kind::Run, dataset), store, database),
            from: SourceConfig::new(source, Selection::New),
            processing: ProcessingConfig::default(),
        }
    }

    /// A run over tables of the database, with these options of the dataset and defaults for everything else.
    ///
    /// # Errors
    /// Fails if the store's archive cannot be named.
    pub fn of_tables(
        dataset: &'static Dataset,
        options: Options,
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Result<Self, Cause> {
        let target = TargetConfig::plain((Kind::Run, dataset), store, database);
        let from = SourceConfig::new(SourceUrl::Store(target.archive()?), Selection::Tables);
        let processing = ProcessingConfig { options, ..ProcessingConfig::default() };
        Ok(Self { target, from, processing })
    }

    /// A run that asks a service with this secret, with defaults for everything else.
    ///
    /// # Errors
    /// An error in the dataset's options; a dataset that asks no service.
    pub fn plainly_asked(
        dataset: &'static Dataset,
        (options, secret): (Options, ApiSecret),
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Result<Self, Cause> {
        let asked = dataset.asked.ok_or_else(|| Cause::usage(format!("{} asks no service", dataset.name)))?;
        let target = TargetConfig::plain((Kind::Run, dataset), store, database);
        let mut from = SourceConfig::new(SourceUrl::Store(target.archive()?), Selection::Asked);
        from.asking = Some(AskingConfig::with(asked, &options, secret)?);
        Ok(Self { target, from, processing: ProcessingConfig { options, ..ProcessingConfig::default() } })
    }

    /// A run that asks the service at this address for histories, with a token, a secret of the parser, and defaults
    /// for everything else.
    ///
    /// # Errors
    /// An error in the options or the address; a dataset without histories.
    pub fn plainly_walked(
        dataset: &'static Dataset,
        (options, service): (Options, &str),
        [token, parse_secret]: [ApiSecret; 2],
        store: StoreUrl,
        database: DatabaseConfig,
    ) -> Result<Self, Cause> {
        let none = || Cause::usage(format!("{} has no histories", dataset.name));
        let walked = dataset.walked.ok_or_else(none)?;
        let target = TargetConfig::plain((Kind::Run, dataset), store, database);
        let mut from = SourceConfig::new(SourceUrl::Store(target.archive()?), Selection::Walked);
        let mut walking = WalkingConfig::new(walked, service, &options)?;
        walking.token = Some(token);
        from.walking = Some(walking);
        let parse_secret = Some(parse_secret);
        Ok(Self {
            target,
            from,
            processing: ProcessingConfig { options, parse_secret, ..ProcessingConfig::default() },
        })
    }

    /// A run whose source is the store's own archive.
    fn archived(
        what: (Kind, &'static Dataset),
        selection: Selection,
        database: &cli::DatabaseArgs,
        store: &cli::StoreArgs,
        processing: &cli::Processing,
    ) -> Result<Self, Cause> {
        let target = target(what, database, store, processing)?;
        let from = SourceConfig::new(SourceUrl::Store(target.archive()?), selection);
        let processing = ProcessingConfig::new(target.dataset, processing)?;
        Ok(Self { target, from, processing })
    }

    /// The options as the ledger keeps them: no secrets.
    pub fn for_ledger(&self) -> serde_json::Value {
        let asked = match &self.from.selection {
            Selection::New | Selection::Asked | Selection::Bulk | Selection::Tables | Selection::Walked => {
                serde_json::Value::Null
            }
            Selection::Archived { glob, force } => {
                serde_json::json!({ "glob": glob.glob().glob(), "force": force })
            }
            Selection::Failed { run, record } => serde_json::json!({ "run": run, "record": record }),
        };
        let mut options = serde_json::json!({
            "asked_for": asked,
            "golden": self.processing.golden,
            "source": self.from.url.to_string(),
            "store": self.target.store.to_string(),
            "load_via": self.target.load_via,
            "batch_records": self.processing.batch_records,
            "batch_bytes": self.processing.batch_bytes,
            "fail_fast": self.processing.fail_fast,
            "max_failures": self.processing.max_failures,
            "max_deletes": self.processing.max_deletes,
            "max_drop": self.processing.max_drop,
            "allow": self.processing.allow,
            "overwrite_newer": self.processing.overwrite_newer,
            "keep_undo": self.processing.keep_undo,
            "skip_publish": self.target.skip_publish,
            "publish": self.target.publishing.names(),
        });
        if let Some(all) = options.as_object_mut() {
            all.extend(self.processing.options.clone());
        }
        options
    }
}

/// Is it a dataset of histories whose source is a service?
fn is_service(args: &cli::RunArgs, text: &str) -> bool {
    let text = text.trim();
    args.dataset.walked.is_some() && (text.starts_with("https:") || text.starts_with("http:"))
}

/// The source of the files, or of the clones for a dataset of histories.
fn source(args: &cli::RunArgs, text: &str) -> Result<SourceUrl, Cause> {
    let Some(walked) = args.dataset.walked else { return Ok(SourceUrl::parse(text, &environment)?) };
    let Some(folder) = text.trim().strip_prefix("git:") else {
        return Err(Cause::usage(format!(
            "--source of {} is the address of a service, https://…, or git:DIR, a folder with clones",
            args.dataset.name
        )));
    };
    if folder.is_empty() {
        return Err(Cause::usage("--source git: names no folder"));
    }
    let options = own_options(args.dataset, &args.processing)?;
    let ClonesWanted { paths, all_branches, manner, manners } = (walked.clones)(&options);
    Ok(SourceUrl::Git(GitFolder { folder: folder.into(), wanted: paths, all_branches, manner, manners }))
}

/// The address of each sheet of a dataset: all of them and no others.
fn sheets(args: &cli::RunArgs) -> Result<SheetUrls, Cause> {
    if args.files.source.is_some() {
        return Err(Cause::usage(
            "--source (MERGANSER_SOURCE) says where all sheets are, --sheet (MERGANSER_SHEETS) where each is: give one of both",
        ));
    }
    let urls = SheetUrls::parse(args.files.sheet.iter().map(String::as_str));
    let urls = urls.map_err(|error| super::refused("--sheet (MERGANSER_SHEETS)", error))?;
    let parts = args.dataset.together().unwrap_or_default();
    let unknown: Vec<_> = urls.names().filter(|name| !parts.contains(name)).collect();
    let missing: Vec<_> =
        parts.iter().filter(|part| urls.names().all(|name| name != **part)).copied().collect();
    let message = match (unknown.is_empty(), missing.is_empty()) {
        (true, true) => return Ok(urls),
        (false, _) => format!("--sheet: {} is not a sheet of {}", unknown.join(", "), args.dataset.name),
        (true, false) => format!("--sheet: no address is given for {}", missing.join(", ")),
    };
    Err(Cause::Usage { message, hint: Some(format!("give all of them: {}", parts.join(", "))) })
}

/// Fails if the dataset has no archive to take files from again.
fn has_archive(dataset: &Dataset) -> Result<(), Cause> {
    if dataset.inputs.is_empty() {
        return Ok(());
    }
    Err(Cause::Usage {
        message: format!("{} is made from tables of the database, and has no archive", dataset.name),
        hint: Some(format!("merganser run {} rebuilds it from the tables as they are now", dataset.typed())),
    })
}

/// The target of a run.
fn target(
    what: (Kind, &'static Dataset),
    database: &cli::DatabaseArgs,
    store: &cli::StoreArgs,
    args: &cli::Processing,
) -> Result<TargetConfig, Cause> {
    let (kind, dataset) = what;
    let (schema, dataset) = args.own.table(dataset).map_err(Cause::usage)?.unwrap_or((None, dataset));
    let mut target = TargetConfig::new((kind, dataset), database, store, args.moving.load_via)?;
    target.database = target.database.with_tables_in(schema)?;
    let mut publishing = PublishingConfig::new(dataset, &args.moving.publish, args.moving.work_dir.as_ref())?;
    publishing.duckdb = duck_limits(args.duckdb_memory_mib);
    Ok(TargetConfig { dry_run: args.dry_run, skip_publish: args.moving.skip_publish, publishing, ..target })
}
