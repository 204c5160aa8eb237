//! Made-up extracts, made once and kept.

use std::path::{Path, PathBuf};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use merganser::datasets::oca::sample::{SampleOptions, write_sample};

/// The newest run date of a history.
const HISTORY: Date = date(2026, 9, 26);
const SEED: u64 = 6;

/// The files of one run.
#[derive(Clone, Debug)]
pub struct Inputs {
    pub cases: u64,
    pub files: u64,
    /// An incremental extract of this many weeks after the history.
    week: Option<usize>,
}

impl Inputs {
    /// Initial extracts of successive years.
    pub fn history(cases: u64, files: u64) -> Self {
        Self { cases, files, week: None }
    }

    /// The extract of one week: 5,000 cases, of which a history has 60 %, and 50 deletes.
    pub fn week(number: usize) -> Self {
        Self { cases: 5_000, files: 1, week: Some(number) }
    }

    /// The folder with the files, which are made unless they exist.
    pub fn folder(&self) -> PathBuf {
        let name = match self.week {
            None => format!("history-{}-{}", self.cases, self.files),
            Some(number) => format!("week-{number}"),
        };
        let folder = crate::cache().join(name);
        if !folder.is_dir() {
            let half = folder.with_extension("new");
            self.make(&half);
            std::fs::rename(&half, &folder).expect("the inputs can be named");
        }
        folder
    }

    fn make(&self, folder: &Path) {
        for file in 0..self.files {
            let (run_date, initial, deletes) = match self.week {
                None => (HISTORY, Some(2026 - file as i16), 0),
                Some(number) => (HISTORY + (7 * number as i64).days(), None, 50),
            };
            let options = SampleOptions {
                cases: self.cases / self.files,
                out: folder.to_owned(),
                seed: SEED,
                run_date,
                initial,
                level: 1,
                deletes,
                malformed: 0,
            };
            write_sample(&options).expect("a sample can be written");
        }
    }

    /// The files themselves.
    pub fn paths(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder()).expect("the inputs can be listed");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}
