//! The state of the last build: what each step read and left, and every file. It is kept in the site's folder, which it
//! marks as ours, and in the store. It contains no time and no run, so that the same inputs make the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::render::SiteFile;

/// The file by which a folder is known to be a site of ours.
pub const MARKER: &str = ".merganser-site.json";

/// The most things that a reason names.
const NAMED: usize = 5;

/// Names of the things that a step read or left, each with a fingerprint of its content.
pub type Contents = BTreeMap<String, String>;

/// What a step read, and what it left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    pub inputs: Contents,
    pub outputs: Contents,
}

/// The state of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteState {
    /// By the step's name.
    pub steps: BTreeMap<String, StepState>,
    /// The SHA-256 of each file, by path; empty while the file is being written or removed.
    pub files: Contents,
}

impl SiteState {
    /// The state after a build.
    pub fn new(steps: BTreeMap<String, StepState>, files: &[SiteFile]) -> Self {
        let files = files.iter().map(|file| (file.path.clone(), file.sha256.clone()));
        Self { steps, files: files.collect() }
    }

    /// Reads it; `None`: it is damaged, and nothing is known.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// As it is written.
    pub fn to_text(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).expect("maps of texts are JSON"))
    }
}

/// Why a step must run; `None`: its inputs and outputs are unchanged, so it need not run.
pub fn reason(known: Option<&StepState>, inputs: &Contents, outputs: &Contents) -> Option<String> {
    let Some(known) = known else { return Some("no earlier build is known".into()) };
    let others = different(&known.inputs, inputs);
    if !others.is_empty() {
        return Some(format!("not as the last build read it: {}", listed(&others)));
    }
    let others = different(&known.outputs, outputs);
    (!others.is_empty()).then(|| format!("not as the last build left it: {}", listed(&others)))
}

/// The names whose content differs, or that only one side has.
fn different<'n>(old: &'n Contents, new: &'n Contents) -> Vec<&'n str> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let other = new.iter().filter(|(name, content)| old.get(*name) != Some(content)).map(|(name, _)| name);
    let mut names: Vec<_> = gone.chain(other).map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The first names, and how many more there are.
fn listed(names: &[&str]) -> String {
    let first = &names[..names.len().min(NAMED)];
    match names.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(pairs: &[(&str, &str)]) -> Contents {
        pairs.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
    }

    #[test]
    fn a_step_runs_for_a_reason_that_is_named() {
        let (inputs, outputs) = (contents(&[("a.csv", "1"), ("b.csv", "2")]), contents(&[("table", "3")]));
        let known = StepState { inputs: inputs.clone(), outputs: outputs.clone() };
        assert_eq!(reason(Some(&known), &inputs, &outputs), None);
        assert_eq!(reason(None, &inputs, &outputs).unwrap(), "no earlier build is known");
        let changed = contents(&[("b.csv", "5"), ("c.csv", "1")]);
        let why = reason(Some(&known), &changed, &outputs).unwrap();
        assert_eq!(why, "not as the last build read it: a.csv, b.csv, c.csv");
        let why = reason(Some(&known), &inputs, &contents(&[("table", "4")])).unwrap();
        assert_eq!(why, "not as the last build left it: table");
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let steps = BTreeMap::from([("site".to_owned(), StepState::default())]);
        let files = [SiteFile::new("a.html", *b"a")];
        let state = SiteState::new(steps, &files);
        assert_eq!(SiteState::parse(state.to_text().as_bytes()), Some(state));
        assert_eq!(SiteState::parse(b"{"), None);
    }
}
