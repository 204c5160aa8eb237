//! The options of histories alone: which repositories, and which of their branches.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::mailmap::Mailmap;
use super::project::{self, PROJECTS, Project, projects};
use crate::dataset::walked::{ClonesWanted, WalkBudget};
use crate::dataset::{Options, WrongOption};
use crate::words::sha256;

const BRANCHES: &str = "branches";
const REQUESTS: &str = "requests";
/// Set: the list of projects is the table of the catalog.
const CATALOG: &str = "catalog";
/// The path of a mailmap, and its checksum.
const MAILMAP: &str = "mailmap";
const MAILMAP_SHA256: &str = "mailmap_sha256";
const MAX_WAIT: &str = "max_wait_seconds";
/// Seconds that a run waits for a service at most, if nobody says otherwise.
const WAIT_SECONDS: u64 = 300;

/// As they are typed.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Options of commits")]
pub struct CommitsOptions {
    /// commits: the list of projects, a CSV with the columns project and repository (OWNER/NAME or an address), or the word
    /// catalog: those of the table catalog_projects [default: with --source git:DIR, every clone in it]
    #[arg(long = "projects", env = "MERGANSER_COMMITS_PROJECTS", value_name = "FILE.csv|catalog")]
    pub commits_projects: Option<PathBuf>,
    /// commits: histories of which branches: the default one, or all
    #[arg(long = "branches", value_name = "default|all", default_value = "default")]
    pub commits_branches: String,
    /// commits: who people are who commit under several names or addresses, in clones: a file as git has them (.mailmap)
    #[arg(long = "mailmap", value_name = "FILE")]
    pub commits_mailmap: Option<PathBuf>,
    /// commits: requests to the service at most, redirections, retries and all; then the run ends, and the next one goes on
    /// there [default: any number]
    #[arg(long = "requests", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub commits_requests: Option<u64>,
    /// commits: how long a run waits for the service at most, such as 90s, 5m or 1h; what takes longer ends it
    #[arg(long = "max-wait", value_name = "TIME", default_value = "5m")]
    pub commits_max_wait: String,
}

impl CommitsOptions {
    /// What they mean; the list of projects is read.
    ///
    /// # Errors
    /// What is wrong, for the person who typed it.
    pub fn read(&self) -> Result<Options, WrongOption> {
        let mut options = Options::new();
        match self.commits_branches.trim() {
            "default" => {}
            "all" => {
                options.insert(BRANCHES.to_owned(), "all".into());
            }
            other => return Err(format!("--branches is default or all, not `{other}`").into()),
        }
        if let Some(requests) = self.commits_requests {
            options.insert(REQUESTS.to_owned(), requests.into());
        }
        let seconds = seconds(&self.commits_max_wait).ok_or_else(|| {
            format!("--max-wait is a time such as 90s, 5m or 1h, not `{}`", self.commits_max_wait)
        })?;
        if seconds != WAIT_SECONDS {
            options.insert(MAX_WAIT.to_owned(), seconds.into());
        }
        if let Some(path) = &self.commits_mailmap {
            let at = |why: String| format!("--mailmap {}: {why}", path.display());
            let path = std::path::absolute(path).map_err(|error| at(error.to_string()))?;
            let text = std::fs::read_to_string(&path).map_err(|error| at(error.to_string()))?;
            Mailmap::read(&text).map_err(at)?;
            options.insert(MAILMAP.to_owned(), path.to_string_lossy().into());
            options.insert(MAILMAP_SHA256.to_owned(), sha256(&text).into());
        }
        if self.commits_projects.as_ref().is_some_and(|list| list.as_os_str() == CATALOG) {
            options.insert(CATALOG.to_owned(), true.into());
        } else if let Some(path) = &self.commits_projects {
            let shown = path.display();
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("--projects {shown}: {error}"))?;
            let list = project::read(&text).map_err(|fault| WrongOption {
                message: format!("--projects {shown}: {}", fault.what),
                hint: Some(match fault.line {
                    Some(line) => format!("correct line {line} of {shown}, then run again"),
                    None => format!("write your projects into {shown}, a line each, then run again"),
                }),
            })?;
            let list = serde_json::to_value(list).map_err(|error| error.to_string())?;
            options.insert(PROJECTS.to_owned(), list);
        }
        Ok(options)
    }
}

/// The options of a run over this list that sends so many requests.
///
/// # Errors
/// What is wrong with the list.
pub fn of_list(list: &std::path::Path, requests: u64) -> Result<Options, WrongOption> {
    let options = CommitsOptions {
        commits_projects: Some(list.to_owned()),
        commits_branches: "default".into(),
        commits_mailmap: None,
        commits_requests: Some(requests),
        commits_max_wait: "5m".into(),
    };
    options.read()
}

/// Seconds of `90s`, `5m`, `1h` or `90`.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// How much may be asked of a service.
pub(super) fn budget(options: &Options) -> WalkBudget {
    let number = |name: &str| options.get(name).and_then(Value::as_u64);
    WalkBudget {
        requests: number(REQUESTS),
        max_wait: Duration::from_secs(number(MAX_WAIT).unwrap_or(WAIT_SECONDS)),
    }
}

/// The repositories that a service is asked for.
///
/// # Errors
/// Where no list names any.
pub(super) fn histories(options: &Options) -> Result<Vec<String>, String> {
    let named: Vec<_> = projects(options).into_iter().map(|project| project.repository).collect();
    // What the catalog has is read later.
    match named.is_empty() && !is_catalog(options) {
        true => Err("which repositories? --projects FILE.csv names them, or --projects catalog".into()),
        false => Ok(named),
    }
}

/// Is the list of projects the table of the catalog?
pub(super) fn is_catalog(options: &Options) -> bool {
    options.contains_key(CATALOG)
}

/// Are the histories of all branches wanted?
pub(super) fn is_all(options: &Options) -> bool {
    options.get(BRANCHES).and_then(Value::as_str) == Some("all")
}

/// The mailmap that the options name; it was read before.
///
/// # Errors
/// Where it cannot be read any more, or is another file by now: rows would not be those of the mailmap that the run is entered with.
pub(super) fn mailmap(options: &Options) -> io::Result<Mailmap> {
    match options.get(MAILMAP).and_then(Value::as_str) {
        None => Ok(Mailmap::default()),
        Some(path) => {
            let text = std::fs::read_to_string(path)?;
            let expected = options.get(MAILMAP_SHA256).and_then(Value::as_str);
            match expected == Some(sha256(&text).as_str()) {
                true => Mailmap::read(&text).map_err(io::Error::other),
                false => Err(io::Error::other(format!(
                    "somebody has changed {path} since the run began; a new run takes it as it is now"
                ))),
            }
        }
    }
}

/// The clones that the options name.
pub(super) fn clones(options: &Options) -> ClonesWanted {
    let named = projects(options);
    // Rows are stored under the number in the list: with another number they would be other rows.
    let number = |project: &Project| Some((project.repository.clone(), project.id?.to_string()));
    let manners = named.iter().filter_map(number).collect();
    let paths = named.into_iter().map(|project| project.repository).collect();
    ClonesWanted {
        paths: options.contains_key(PROJECTS).then_some(paths),
        manners,
        all_branches: is_all(options),
        manner: options.get(MAILMAP_SHA256).and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        let read = ["90", "90s", "5m", " 1h ", "5 m", "m", "-1", "1d", ""].map(seconds);
        assert_eq!(read, [Some(90), Some(90), Some(300), Some(3600), None, None, None, None, None]);
    }

    #[test]
    fn a_mailmap_that_was_changed_meanwhile_is_not_taken() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        write("Ada <ada@a>\n");
        let typed = CommitsOptions {
            commits_projects: None,
            commits_branches: "default".into(),
            commits_mailmap: Some(file.path().to_owned()),
            commits_requests: None,
            commits_max_wait: "5m".into(),
        };
        let options = typed.read().unwrap();
        assert!(mailmap(&options).is_ok());
        write("Eve <ada@a>\n");
        let error = mailmap(&options).unwrap_err().to_string();
        assert!(error.contains("has changed") && error.contains("since the run began"), "{error}");
    }
}
