//! Reference: checks the files that rows are looked up in, converts them to one form, keeps them in the store, and
//! makes them the current reference. A failure leaves the current reference as it was.

mod filling;
mod input;
mod making;

use std::borrow::{Borrow, BorrowMut};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::ReferenceArgs;
use crate::clients::http::{Http, HttpUrl};
use crate::clients::store::{S3Options, Store, StoreUrl};
use crate::commands::terminal::say_line;
use crate::config::ReferenceConfig;
use crate::dataset::reference::Reference;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::context::Context;
use crate::run::opened::Opened;
use crate::run::progress::Progress;
use crate::run::reference as in_use;
use crate::system::background::blocking;
use crate::system::workspace::Workspace;
use crate::words;
use filling::Filled;
use input::{Taken, refused};
use making::{Change, make};

/// The outcome of loading a reference.
#[derive(Debug, Default)]
pub struct Referenced {
    pub version: String,
    /// The reference that was current before.
    pub before: Option<String>,
    /// By table: the number of rows, and of new and removed ones, if known.
    pub tables: Vec<(&'static str, u64, Option<Change>)>,
    /// Tables of the database that were filled from optional inputs.
    pub extras: Vec<Filled>,
    /// The number of rows that cannot be used, by reason.
    pub left_out: Vec<(String, u64)>,
}

struct Referencing {
    context: Context,
    workspace: Workspace,
}

impl Borrow<Context> for Referencing {
    fn borrow(&self) -> &Context {
        &self.context
    }
}

impl BorrowMut<Context> for Referencing {
    fn borrow_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

/// Loads a reference.
///
/// # Errors
/// Any error of a step; the current reference stays.
pub async fn take_in(config: ReferenceConfig, report: &Report) -> Result<Referenced, Failure> {
    let options = config.for_ledger();
    let ReferenceConfig { target, reference, inputs, work_dir, duckdb, allow } = config;
    let more = async |context: Context| {
        let workspace = Workspace::create(&work_dir)?;
        Ok(Referencing { context, workspace })
    };
    let opened = Opened::open(target, options, more, report).await?;
    let (done, _) = opened
        .run(async |this: &Referencing, progress: &mut Progress| {
            progress.step("fetch");
            let taken = this.fetch(reference, &inputs).await?;
            progress.step("check");
            let context = &this.context;
            let folder = this.workspace.path().join("in-use");
            // A damaged or missing reference must not prevent its replacement.
            let before = match in_use::current(&context.ledger, &context.store, &folder, "").await {
                Ok(before) => before,
                Err(cause) => {
                    tracing::warn!(run_id = %context.run_id, "not compared with the reference in use: {cause}");
                    None
                }
            };
            let step = context.begin(1, "check").await?;
            let work = this.workspace.path().to_owned();
            let was = before.clone();
            let made = blocking(move || make(reference, duckdb, &work, taken, was.as_ref())).await??;
            let rows: u64 = made.kept.iter().map(|kept| kept.rows).sum();
            let left_out: u64 = made.left_out.iter().map(|(_, rows)| rows).sum();
            let what = format!("{}, {left_out} cannot be used", words::counted(rows, "row"));
            step.done(&what, rows, 0, json!({ "version": made.version, "left_out": made.left_out })).await?;
            progress.step("promote");
            let known = context.ledger.current_reference().await?;
            let filled = filling::promote(context, &made, &known, &allow).await?;
            progress.batches = 1;
            let told =
                |name: &str| made.changes.iter().find(|(known, _)| *known == name).map(|(_, told)| *told);
            Ok(Referenced {
                tables: made.kept.iter().map(|k| (k.table.name, k.rows, told(k.table.name))).collect(),
                version: made.version,
                before: before.map(|before| before.version),
                extras: filled.into_iter().filter(|filled| filled.is_extra).collect(),
                left_out: made.left_out,
            })
        })
        .await?;
    Ok(done)
}

impl Referencing {
    /// Fetches the files and checks them.
    async fn fetch(
        &self,
        reference: &'static Reference,
        inputs: &[(&'static str, String)],
    ) -> Result<Vec<Taken>, Cause> {
        let step = self.context.begin(1, "fetch").await?;
        let mut taken = Vec::new();
        for input in reference.inputs {
            let from = inputs.iter().find(|(name, _)| *name == input.name).map(|(_, from)| from.as_str());
            let from = match from {
                None if input.is_optional => continue,
                from => from.ok_or_else(|| Cause::usage(format!("--{} is not given", input.name)))?,
            };
            let folder = self.workspace.path().join(input.name);
            crate::system::private::make_folder(&folder)
                .map_err(Cause::io(format!("make the folder {}", folder.display())))?;
            let path = local(input.name, from, &folder).await?;
            let called = called(from).to_owned();
            taken.extend(blocking(move || input::take(input, (&path, &called), &folder)).await??);
        }
        let sums = taken.iter().map(|file| json!({ "input": file.input, "sha256": file.sha256 }));
        let details = json!({ "files": sums.collect::<Vec<_>>() });
        step.done(&format!("{} files", taken.len()), taken.len() as u64, 0, details).await?;
        Ok(taken)
    }
}

/// The local path of an input; one that is elsewhere is downloaded into the folder.
async fn local(option: &str, from: &str, folder: &Path) -> Result<PathBuf, Cause> {
    let name = called(from);
    let to = folder.join("download");
    if from.starts_with("https://") || from.starts_with("http://") {
        let wrong = |error: &dyn std::fmt::Display| Cause::usage(format!("--{option}: {error}"));
        let url: HttpUrl = from.parse().map_err(|error| wrong(&error))?;
        let http = Http::new(url).map_err(|error| wrong(&error))?;
        http.download(&to).await.map_err(|error| refused(format!("--{option}: {name}: {error}")))?;
        return Ok(to);
    }
    if from.starts_with("s3://") {
        let (store, key) = from.rsplit_once('/').unwrap_or((from, ""));
        let url: StoreUrl = store.parse().map_err(|error| Cause::usage(format!("--{option}: {error}")))?;
        let store = Store::open(&url, &S3Options::from_env(crate::config::environment)?).await?;
        store.download(key, &to, &|_| ()).await?;
        return Ok(to);
    }
    let path = PathBuf::from(from.strip_prefix("file:").or(from.strip_prefix("dir:")).unwrap_or(from));
    if !path.exists() {
        return Err(Cause::Refused {
            message: format!("--{option}: there is no {}", path.display()),
            hint: Some(format!(
                "give --{option} a file or a folder that is there; the reference in use stays"
            )),
        });
    }
    Ok(path)
}

/// How messages call an input: its path; for an address, which may hold a secret after its question mark, the last part
/// of the path.
fn called(from: &str) -> &str {
    if !from.contains("://") {
        return from;
    }
    let path = from.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    path.rsplit('/').next().unwrap_or_default()
}

/// `merganser reference`.
pub async fn run(args: ReferenceArgs, report: &Report) -> Result<Exit, Failure> {
    let config = ReferenceConfig::from_reference(&args)?;
    let dataset = config.target.dataset;
    let done = take_in(config, report).await?;
    say_line!("{} is in use.", done.version);
    for (table, rows, change) in &done.tables {
        let rows = words::count(*rows);
        match change {
            Some((added, removed)) => {
                say_line!(
                    "{table}: {rows} rows; {} new, {} gone",
                    words::count(*added),
                    words::count(*removed)
                );
            }
            None => say_line!("{table}: {rows} rows"),
        }
    }
    for Filled { table, before, rows, .. } in &done.extras {
        say_line!("{table}: {} rows, {} before", words::count(*rows), words::count(*before));
    }
    let is_new = done.before.as_ref().is_none_or(|before| *before != done.version);
    let extras: Vec<_> = done.extras.iter().map(|filled| filled.table).collect();
    match &done.before {
        Some(_) if !is_new && extras.is_empty() => say_line!("It was in use before: nothing changed."),
        Some(_) if !is_new => say_line!("It was in use before: only {} is filled again.", extras.join(", ")),
        Some(before) => say_line!("Before: {before}."),
        None => say_line!("There was none before."),
    }
    for (reason, rows) in &done.left_out {
        say_line!("left out: {} rows: {reason}", words::count(*rows));
    }
    if let Some(enrichment) = dataset.enrichment.filter(|_| is_new) {
        say_line!(
            "Next: merganser backfill {} {} looks up loaded rows again; a run looks up only its own",
            dataset.typed(),
            enrichment.name
        );
    }
    Ok(Exit::Done)
}
