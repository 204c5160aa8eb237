//! The steps of a build, one after the other. A dataset's step does what its command would do; this file only decides
//! which step it is and whether it is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::cli::{BuildArgs, Command, environment};
use crate::clients::postgres::PgUrl;
use crate::commands::run;
use crate::commands::terminal::say;
use crate::config::{BuildConfig, RunConfig};
use crate::dataset::Dataset;
use crate::datasets::catalog::CATALOG;
use crate::datasets::commits::COMMITS;
use crate::datasets::metrics::METRICS;
use crate::error::{Cause, Database, Exit, Failure};
use crate::ledger::Ledger;
use crate::ledger::inspect::Reader;
use crate::log::Report;
use crate::run::progress::RunOutcome;
use crate::site;
use crate::site::folder::{SiteChange, SiteFolder};
use crate::site::links::broken;
use crate::site::read::{NOT_THERE, fingerprint, read};
use crate::site::render::{SiteFile, Templates};
use crate::site::state::{Contents, SiteState, StepState, reason};
use crate::site::upload::SiteStore;
use crate::system::signals::Interrupt;
use crate::words::{count, counted, sha256, step_line};

/// The version of the steps: when it changes, every step runs again.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " 1");
/// The name of a build's lock, beside those of the datasets: one ledger has one store with one site in it.
const BUILD: &str = "build";

/// A build under way.
pub struct Building<'b> {
    args: &'b BuildArgs,
    config: &'b BuildConfig,
    templates: &'b Templates,
    folder: &'b SiteFolder,
    url: &'b PgUrl,
    report: &'b Report,
    known: SiteState,
    steps: BTreeMap<String, StepState>,
    /// The fingerprints of tables, as far as they were read since the last load into them.
    prints: Contents,
    loaded: Vec<&'static str>,
    /// A step would run that may change the tables, if this were no dry run.
    would_load: bool,
    exit: Exit,
}

impl<'b> Building<'b> {
    /// A build that has not done anything yet.
    pub fn new(
        args: &'b BuildArgs,
        config: &'b BuildConfig,
        templates: &'b Templates,
        folder: &'b SiteFolder,
        url: &'b PgUrl,
        report: &'b Report,
    ) -> Self {
        let (known, steps, prints) = (SiteState::default(), BTreeMap::new(), Contents::new());
        let (loaded, would_load, exit) = (Vec::new(), false, Exit::Done);
        Self { args, config, templates, folder, url, report, known, steps, prints, loaded, would_load, exit }
    }

    /// Does all steps.
    ///
    /// # Errors
    /// The error of the failed step; the steps before it are done, and the site is the last good one.
    pub async fn build(mut self) -> Result<Exit, Failure> {
        self.all().await.map_err(|mut failure| {
            if !self.loaded.is_empty() && failure.database == Database::Unchanged {
                failure.database = Database::Steps { loaded: std::mem::take(&mut self.loaded) };
            }
            failure
        })
    }

    async fn all(&mut self) -> Result<Exit, Failure> {
        if self.config.check {
            return Ok(self.check().await?);
        }
        let lock = match self.config.dry_run {
            true => None,
            false => Some(Ledger::open(self.url, &self.config.database, BUILD).await?),
        };
        let store = SiteStore::open(&self.config.store, &self.config.s3).await?;
        self.known = match self.folder.state() {
            Some(known) => known,
            None => store.state().await?.unwrap_or_default(),
        };
        if let Some(source) = &self.config.site.sheets {
            let words = vec!["--source".to_owned(), source.clone()];
            self.dataset(&CATALOG, sheets(source), words).await?;
        }
        if let Some(words) = self.histories() {
            // The state of a service is not known before it is asked.
            self.dataset(&COMMITS, None, words).await?;
        }
        let as_of = self.config.site.as_of.clone();
        let read = METRICS.inputs.iter().flat_map(|input| input.needs).map(|(table, _)| *table);
        let read: BTreeSet<_> = CATALOG.own_tables().map(|table| table.name).chain(read).collect();
        let read = Vec::from_iter(read);
        let inputs = self.prints(&read).await?;
        let words = as_of.map(|month| vec!["--as-of".to_owned(), month]).unwrap_or_default();
        self.dataset(&METRICS, Some(inputs), words).await?;
        // It may have waited for hours, and another build may have begun since.
        if lock.as_ref().is_some_and(Ledger::is_closed) {
            return Err(Cause::Refused {
                message: "the session that kept other builds out was ended: another build may have begun"
                    .into(),
                hint: Some("build again: steps with unchanged inputs are not repeated".into()),
            }
            .into());
        }
        self.site(&store).await?;
        drop(lock);
        Ok(self.exit)
    }

    /// The fingerprints of these tables.
    async fn prints(&mut self, tables: &[&str]) -> Result<Contents, Cause> {
        let open = tables.iter().copied().filter(|table| !self.prints.contains_key(*table));
        let open: Vec<_> = open.collect();
        if !open.is_empty() {
            self.prints.extend(fingerprint(self.url, &self.config.database.schema, &open).await?);
        }
        Ok(tables.iter().map(|table| ((*table).to_owned(), self.prints[*table].clone())).collect())
    }

    /// The arguments of the command that loads the histories of the projects in the database, if histories are asked
    /// for.
    fn histories(&self) -> Option<Vec<String>> {
        let wanted = self.config.site.histories.as_ref()?;
        let mut words = ["--projects", "catalog", "--source", &wanted.source].map(str::to_owned).to_vec();
        if let Some(requests) = wanted.requests {
            words.extend(["--requests".to_owned(), requests.to_string()]);
        }
        Some(words)
    }

    /// The step of a dataset. `inputs`: what it would read, if that can be known in advance.
    async fn dataset(
        &mut self,
        dataset: &'static Dataset,
        inputs: Option<Contents>,
        words: Vec<String>,
    ) -> Result<(), Failure> {
        let name = dataset.name;
        let config = self.run_config(name, words)?;
        let tables: Vec<_> = dataset.own_tables().map(|table| table.name).collect();
        let outputs = self.prints(&tables).await?;
        let options = &config.processing.options;
        let inputs = inputs.map(|inputs| {
            // Including those set by environment variables.
            let options = options.iter().map(|(name, value)| (name.clone(), value.to_string()));
            let version = [("program".to_owned(), VERSION.to_owned())];
            inputs.into_iter().chain(options).chain(version).collect::<Contents>()
        });
        let asks = dataset.links.is_some_and(|links| (links.plan)(options).is_some());
        let why = match &inputs {
            _ if asks => Some("what is at its addresses is known only when they are requested".into()),
            Some(inputs) => reason(self.known.steps.get(name), inputs, &outputs),
            None => Some(
                "what its source holds is known only when it is read; unchanged parts are not loaded again"
                    .into(),
            ),
        };
        let known = self.known.steps.remove(name);
        let Some(why) = why else {
            self.tell(name, "as it was", "its inputs and its tables are as the last build left them");
            self.steps.extend(known.map(|known| (name.to_owned(), known)));
            return Ok(self.missing(dataset).await?);
        };
        if self.config.dry_run {
            self.tell(name, "would run", &why);
            self.would_load = true;
            return Ok(());
        }
        let done = Box::pin(run::run(config, self.report)).await?;
        if done.exit() != Exit::Done {
            self.exit = done.exit();
        }
        let is_new = done.outcome != RunOutcome::NothingNew;
        self.loaded.extend(is_new.then_some(name));
        self.tell(name, if is_new { "loaded" } else { "nothing new" }, &why);
        self.missing(dataset).await?;
        let derived = dataset.derived.iter().map(|derived| derived.table.name);
        for table in tables.iter().copied().chain(derived) {
            self.prints.remove(table);
        }
        let outputs = self.prints(&tables).await?;
        self.steps.insert(name.to_owned(), StepState { inputs: inputs.unwrap_or_default(), outputs });
        Ok(())
    }

    /// Unresolved failed records are missing from the site, whoever loaded the tables.
    async fn missing(&mut self, dataset: &Dataset) -> Result<(), Cause> {
        let database = &self.config.database;
        let reader = Reader::open(self.url, &database.ledger_schema).await?;
        let failures = reader.open_failures_of(dataset.name, &database.schema).await?;
        if failures == 0 {
            return Ok(());
        }
        if self.exit == Exit::Done {
            self.exit = Exit::SomeFailed;
        }
        say(&format!(
            "{} failed and not in the site: merganser failures --dataset {}\n",
            step_line("", &counted(failures, dataset.record)),
            dataset.name
        ));
        Ok(())
    }

    /// The configuration of `merganser run DATASET` with these arguments.
    fn run_config(&self, dataset: &str, words: Vec<String>) -> Result<RunConfig, Cause> {
        let (database, store) = (&self.args.database, self.config.store.to_string());
        let url = database.database_url.clone().unwrap_or_default();
        let options = [
            ("--database-url", url.as_str()),
            ("--schema", &database.schema),
            ("--ledger-schema", &database.ledger_schema),
            ("--store", &store),
        ];
        let mut line: Vec<OsString> = ["merganser", "run", dataset].map(OsString::from).into();
        line.extend(options.into_iter().flat_map(|(option, value)| [option.into(), value.into()]));
        line.extend(words.into_iter().map(OsString::from));
        line.extend(self.args.allow.iter().flat_map(|guard| ["--allow", guard].map(OsString::from)));
        let parsed = environment::parse(line).map_err(|error| Cause::usage(error.to_string()))?;
        let Command::Run(mut args) = parsed.command else {
            return Err(Cause::usage(format!("{dataset} cannot be run")));
        };
        // A variable that was set for another purpose would keep new files out.
        args.files.reprocess = None;
        args.files.sheet.clear();
        args.store.s3_encryption.clone_from(&self.args.store.s3_encryption);
        RunConfig::from_run(&args)
    }

    /// The step of the site: replaces the old files, here and in the store.
    async fn site(&mut self, store: &SiteStore) -> Result<(), Cause> {
        const NAME: &str = "site";
        // The earlier runs have replaced the default handling of these signals.
        let mut interrupt = Interrupt::listen().map_err(Cause::io("listen for signals"))?;
        let prints = self.prints(&site_tables()).await?;
        if self.config.dry_run && prints.values().any(|print| print == NOT_THERE) {
            self.tell(NAME, "would be built", "its tables are not there yet");
            return Ok(());
        }
        // From now on no other build changes the folder.
        let mut build = match self.config.dry_run {
            true => None,
            false => Some(self.folder.begin()?),
        };
        let inputs = self.site_inputs(prints);
        let held = self.folder.files()?;
        let there: Contents = held.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect();
        let known = self
            .known
            .steps
            .get(NAME)
            .map(|step| StepState { inputs: step.inputs.clone(), outputs: self.known.files.clone() });
        let why = reason(known.as_ref(), &inputs, &there)
            .or_else(|| there.is_empty().then(|| "its files are not there".to_owned()));
        let (files, inputs) = match &why {
            None => (held, inputs),
            Some(_) => {
                drop(held);
                self.rendered().await?
            }
        };
        let change = SiteChange::between(&there, &files);
        let why = why.unwrap_or_else(|| "its inputs and its files are as the last build left them".into());
        let Some(build) = &mut build else {
            let [written, removed, same] = counts(&change);
            let what = format!("would write {written}, remove {removed} and leave {same} unchanged");
            self.tell(NAME, &what, &why);
            if self.would_load {
                say("         This is of the tables as they are now; the steps above may change them.\n");
            }
            self.list(&change);
            return Ok(());
        };
        self.steps.insert(NAME.to_owned(), StepState { inputs, ..StepState::default() });
        let state = SiteState::new(std::mem::take(&mut self.steps), &files);
        if !change.is_none() || self.folder.state().as_ref() != Some(&state) {
            build.put(&files, &change, &state)?;
        }
        self.tell(NAME, &told(&change), &why);
        self.list(&change);
        let change = tokio::select! {
            change = store.put(&files, &state) => change?,
            () = interrupt.arrives() => return Err(Cause::Interrupted),
        };
        self.tell("store", &told(&change), "objects are compared with what the last build noted there");
        say(&format!("{}\n", self.folder.path().join("index.html").display()));
        Ok(())
    }

    /// All inputs of the pages, by their content.
    fn site_inputs(&self, tables: Contents) -> Contents {
        let mut inputs = tables;
        let title = &self.config.site.title;
        let own = [
            ("program", VERSION),
            ("title", &title.title),
            ("base_url", &title.base_url),
            ("templates", &self.templates.hash),
        ];
        inputs.extend(own.map(|(name, content)| (name.to_owned(), content.to_owned())));
        inputs
    }

    /// The files as rendered from the current database, and their inputs.
    async fn rendered(&self) -> Result<(Vec<SiteFile>, Contents), Cause> {
        let read = read(self.url, &self.config.database.schema, &site_tables()).await?;
        let files = site::files(&read.facts, &self.config.site.title, self.templates)?;
        Ok((files, self.site_inputs(read.tables)))
    }

    /// Compares the folder with the current database, and follows every link.
    async fn check(&self) -> Result<Exit, Cause> {
        let (files, _) = self.rendered().await?;
        let there = self.folder.files()?;
        let there: Contents = there.into_iter().map(|file| (file.path, file.sha256)).collect();
        let change = SiteChange::between(&there, &files);
        let mut found: Vec<_> = broken(&files);
        found.extend(change.written.iter().map(|path| match there.contains_key(path) {
            true => format!("{path}: it differs from what its inputs make now"),
            false => format!("{path}: it is not there"),
        }));
        found.extend(change.removed.iter().map(|path| format!("{path}: no input accounts for it")));
        found.iter().for_each(|problem| say(&format!("{problem}\n")));
        if found.is_empty() {
            say(&format!(
                "{} files: every link leads somewhere, and each is what its inputs make\n",
                change.same
            ));
            return Ok(Exit::Done);
        }
        Ok(Exit::Failed)
    }

    /// Prints a line for a step, with the reason if that was asked for.
    fn tell(&self, name: &str, what: &str, why: &str) {
        let why = if self.config.explain { format!(": {why}") } else { String::new() };
        say(&(step_line(name, &format!("{what}{why}")) + "\n"));
    }

    fn list(&self, change: &SiteChange) {
        if self.config.explain {
            change.written.iter().for_each(|path| say(&format!("         written {path}\n")));
            change.removed.iter().for_each(|path| say(&format!("         removed {path}\n")));
        }
    }
}

fn told(change: &SiteChange) -> String {
    let [written, removed, same] = counts(change);
    format!("{written} written, {removed} removed, {same} unchanged")
}

fn counts(change: &SiteChange) -> [String; 3] {
    [change.written.len(), change.removed.len(), change.same].map(|number| count(number as u64))
}

fn site_tables() -> Vec<&'static str> {
    CATALOG.own_tables().chain(METRICS.own_tables()).map(|table| table.name).collect()
}

/// The sheets of a folder by their content; `None`: they are elsewhere, or cannot be read, which the run will report.
fn sheets(source: &str) -> Option<Contents> {
    let folder = Path::new(source.strip_prefix("dir:")?);
    let mut found = Contents::from([("source".to_owned(), source.to_owned())]);
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_string_lossy().into_owned();
        if (CATALOG.file_name)(&name).is_some() {
            found.insert(name, sha256(&fs::read(&path).ok()?));
        }
    }
    Some(found)
}
