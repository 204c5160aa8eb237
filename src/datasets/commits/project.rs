//! The list of projects: which repository each has.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dataset::Options;

/// Where the list stands among the options.
pub(super) const PROJECTS: &str = "projects";
/// The host whose addresses a list may name.
const HOST: &str = "github.com";

/// A project with its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Project {
    pub name: String,
    /// `OWNER/NAME`.
    pub repository: String,
    /// The number that the host knows the repository by, where the list says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
}

impl Project {
    /// Is its repository the one of this name? Hosts do not tell capitals from small letters.
    pub(super) fn is_of(&self, repository: &str) -> bool {
        self.repository.eq_ignore_ascii_case(repository)
    }
}

/// The projects that the options name.
pub(super) fn projects(options: &Options) -> Vec<Project> {
    let list = options.get(PROJECTS).cloned().unwrap_or_default();
    serde_json::from_value(list).unwrap_or_default()
}

/// The number of a repository as long as no host has said one: the list's, or one that follows from the name.
pub(super) fn number(options: &Options, repository: &str) -> i64 {
    let listed = projects(options).into_iter().find(|project| project.is_of(repository));
    listed.and_then(|project| project.id).unwrap_or_else(|| id_of_name(repository))
}

/// The number of a repository of which nobody has said one: below zero, where no host numbers any, and always the same for
/// one name.
pub(super) fn id_of_name(repository: &str) -> i64 {
    let hash = Sha256::digest(repository.to_lowercase().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    -((u64::from_be_bytes(first) >> 2) as i64) - 1
}

/// Adds the projects of the catalog to the options, of each repository the first; gives what is left out, in words.
///
/// # Errors
/// Where none is left.
pub(super) fn add_listed(options: &mut Options, rows: Vec<(String, String)>) -> Result<Vec<String>, String> {
    let mut seen = HashSet::new();
    let (mut projects, mut left_out) = (Vec::new(), Vec::new());
    for (name, address) in rows {
        match full_name(address.trim()) {
            Err(why) => left_out.push(format!("{name} is left out: {why}")),
            Ok(repository) if !seen.insert(repository.to_lowercase()) => {
                left_out.push(format!("{name} is left out: {repository} is another project's, too"));
            }
            Ok(repository) => projects.push(Project { name, repository, id: None }),
        }
    }
    if projects.is_empty() {
        return Err(format!("no project of the catalog has a repository at {HOST}"));
    }
    let list = serde_json::to_value(projects).map_err(|error| error.to_string())?;
    options.insert(PROJECTS.to_owned(), list);
    Ok(left_out)
}

/// What is wrong with a list, for the person who wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListFault {
    pub what: String,
    /// The line that is to be corrected; `None`: there is none yet.
    pub line: Option<u64>,
}

impl ListFault {
    fn at(line: u64, what: &str) -> Self {
        Self { what: format!("line {line}: {what}"), line: Some(line) }
    }

    fn of_csv(error: &csv::Error) -> Self {
        Self { what: error.to_string(), line: error.position().map(csv::Position::line) }
    }

    fn of_header(what: String) -> Self {
        Self { what, line: Some(1) }
    }
}

/// Reads a list: a CSV with the columns `project` and `repository`, and `repository_id` if somebody knows the numbers.
///
/// # Errors
/// What is wrong, with its line.
pub(super) fn read(text: &str) -> Result<Vec<Project>, ListFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| ListFault::of_csv(&error))?.clone();
    let known = ["project", "repository", "repository_id"];
    let place = |wanted: &str| header.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let (Some(name), Some(repository)) = (place(known[0]), place(known[1])) else {
        let found = header.iter().collect::<Vec<_>>().join(", ");
        return Err(ListFault::of_header(format!(
            "its first line names the columns {found}, and must name project and repository"
        )));
    };
    if let Some(odd) = header.iter().find(|name| !known.iter().any(|known| name.eq_ignore_ascii_case(known)))
    {
        return Err(ListFault::of_header(format!(
            "the column `{odd}` is not one of {}: is it misspelt?",
            known.join(", ")
        )));
    }
    let id = place(known[2]);
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut numbers: HashMap<i64, u64> = HashMap::new();
    let mut projects = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| ListFault::of_csv(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let at = |what: String| ListFault::at(line, &what);
        if record.iter().all(str::is_empty) {
            continue;
        }
        let cell = |place: usize| record.get(place).unwrap_or_default();
        if cell(name).is_empty() || cell(repository).is_empty() {
            return Err(at("the project or its repository is missing".into()));
        }
        let repository = full_name(cell(repository)).map_err(at)?;
        let id = match id.map(cell).filter(|id| !id.is_empty()) {
            None => None,
            Some(text) => {
                let number = text.parse::<i64>().ok().filter(|number| *number > 0);
                Some(number.ok_or_else(|| at(format!("`{text}` is not the number of a repository")))?)
            }
        };
        if let Some(before) = lines.insert(repository.to_lowercase(), line) {
            return Err(at(format!("{repository} is already in line {before}")));
        }
        if let Some((id, before)) = id.and_then(|id| Some((id, numbers.insert(id, line)?))) {
            return Err(at(format!(
                "the number {id} is already used in line {before}, and no two repositories have the same number"
            )));
        }
        projects.push(Project { name: cell(name).to_owned(), repository, id });
    }
    match projects.is_empty() {
        true => Err(ListFault { what: "it names no project".into(), line: None }),
        false => Ok(projects),
    }
}

/// `OWNER/NAME` of that, or of an address.
fn full_name(text: &str) -> Result<String, String> {
    let path = match text.split_once("://") {
        Some((_, rest)) => on_host(text, rest.split_once('/'))?,
        None => match text.strip_prefix("git@") {
            Some(rest) => on_host(text, rest.split_once(':'))?,
            None => text,
        },
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let is_name = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    };
    match path.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => Ok(path.to_owned()),
        _ => Err(format!("`{text}` is not a repository: OWNER/NAME, or its address")),
    }
}

fn on_host<'a>(text: &str, parts: Option<(&str, &'a str)>) -> Result<&'a str, String> {
    match parts {
        Some((host, path)) if host.trim_start_matches("www.").eq_ignore_ascii_case(HOST) => Ok(path),
        Some((host, _)) if host.contains('@') => {
            Err("an address with a user or a password in it is not taken".into())
        }
        Some((host, _)) => {
            Err(format!("`{text}` is at {host}, and only repositories of {HOST} are known by their address"))
        }
        None => Err(format!("`{text}` is not the address of a repository")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_however_its_repositories_are_written() {
        let text = "\u{feff}Project, repository ,repository_id\nOne,a/b,7\n\nTwo,https://github.com/C/d.git,\n\
                    Three , git@github.com:e/f\n,,\n";
        let found = read(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|project| (project.name.as_str(), project.repository.as_str(), project.id))
            .collect();
        assert_eq!(found, [("One", "a/b", Some(7)), ("Two", "C/d", None), ("Three", "e/f", None)]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("project,repo\nOne,a/b\n", "its first line names the columns project, repo, and must name"),
            ("project,repository,repositry_id\nOne,a/b,1\n", "the column `repositry_id` is not one of"),
            (
                "project,repository\nOne,a/b\nTwo,https://github.com/A/B/\n",
                "line 3: A/B is already in line 2",
            ),
            (
                "project,repository\nOne,https://gitlab.com/a/b\n",
                "line 2: `https://gitlab.com/a/b` is at gitlab.com",
            ),
            ("project,repository\nOne,\n", "line 2: the project or its repository is missing"),
            ("project,repository\nOne,a\n", "line 2: `a` is not a repository"),
            ("project,repository\nOne,a/..\n", "line 2: `a/..` is not a repository"),
            ("project,repository,repository_id\nOne,a/b,x\n", "line 2: `x` is not the number"),
            (
                "project,repository,repository_id\nOne,a/b,7\nTwo,c/d,\nThree,e/f,7\n",
                "line 4: the number 7 is already used in line 2",
            ),
            ("project,repository\nOne,https://me:pw@github.com/a/b\n", "line 2: an address with a user"),
            ("project,repository\n", "it names no project"),
            ("", "its first line names the columns"),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.what.starts_with(expected), "{text:?}: {fault:?}");
            let line = expected.strip_prefix("line ").map_or(1, |rest| rest[..1].parse().unwrap());
            assert_eq!(fault.line, (!expected.contains("no project")).then_some(line), "{text:?}");
        }
    }

    #[test]
    fn the_catalog_names_repositories_as_people_do() {
        let rows = [
            ("a", "https://github.com/x/A.git"),
            ("b", "X/a"),
            ("c", "https://gitlab.com/c/c"),
            ("d", "d/d"),
        ];
        let rows = rows.map(|(name, address)| (name.to_owned(), address.to_owned())).to_vec();
        let mut options = Options::new();
        let left_out = add_listed(&mut options, rows).unwrap();
        assert!(left_out[0].starts_with("b is left out: X/a is another"), "{left_out:?}");
        assert!(
            left_out[1].starts_with("c is left out: `https://gitlab.com/c/c` is at gitlab.com"),
            "{left_out:?}"
        );
        let found: Vec<_> = projects(&options).into_iter().map(|project| project.repository).collect();
        assert_eq!(found, ["x/A", "d/d"]);
        assert!(add_listed(&mut options, Vec::new()).is_err());
    }

    #[test]
    fn a_name_has_one_number_below_zero() {
        assert_eq!(id_of_name("A/b"), id_of_name("a/B"));
        assert!(id_of_name("a/b") < 0 && id_of_name("a/c") != id_of_name("a/b"));
    }
}
