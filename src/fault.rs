//! Fault points: named places at which a test breaks a run. They exist only with the feature `failpoints`, which `make
//! test` switches on; without it [`point!`] compiles to nothing, and with it no release can be built.
//!
//! `FAULTS` says what happens where: `promote.inserted@3=kill` kills the process when it reaches that point for the
//! third time. The actions are those of `Action`; several are separated by line breaks; `*` means every point, every
//! time. (The crate `fail` does the same, but depends on a random number generator whose features would have TLS and
//! everything above it compiled a second time for the tests.)

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("fault points are for tests: a release has none");

/// Every point, in the order in which a run reaches them; a test breaks a run at each of them.
pub const POINTS: &[&str] = &[
    // The lock is held, the ledger does not know the run yet.
    "run.open",
    "run.begin",
    "select.begin",
    "select.end",
    "fetch.begin",
    "fetch.mid_file",
    "fetch.file",
    "fetch.end",
    "parse.begin",
    // After a chunk of rows, inside a file.
    "parse.rows",
    "parse.before_commit",
    "parse.file",
    "parse.end",
    "check.begin",
    // After some failed records have gone to the ledger.
    "check.failures",
    "check.file",
    "check.end",
    "enrich.begin",
    "enrich.end",
    "export.begin",
    "export.table",
    "export.end",
    "upload.begin",
    // The object is written but does not have its name yet.
    "upload.mid_object",
    "upload.archived",
    "upload.csv",
    "upload.end",
    "load.begin",
    "load.tables",
    "load.mid_copy",
    "load.table",
    "load.end",
    "promote.begin",
    "promote.fenced",
    "promote.derived",
    // The batch is known among those that can be undone.
    "promote.images",
    "promote.planned",
    // The ledger knows which records change.
    "promote.noted",
    "promote.removed",
    "promote.parent",
    "promote.inserted",
    "promote.filled",
    "promote.before_ledger",
    "promote.after_ledger",
    "promote.views",
    // The promotion was rolled back because the database refuses a record.
    "promote.refused",
    // In the middle of the search for that record.
    "promote.attempt",
    // The ledger has it as a failed record.
    "promote.found",
    "promote.before_commit",
    "promote.after_commit",
    "publish.begin",
    "publish.mid_object",
    "publish.object",
    "publish.before_manifest",
    "publish.after_manifest",
    "publish.end",
    // Everything is done except the last entry in the ledger.
    "run.end",
];

/// The points of a run that asks a service, between `run.begin` and `select.begin`; their tests are with the dataset that asks.
pub const ASKING_POINTS: &[&str] = &[
    // Before a request is sent, or the plan is done.
    "gather.step",
    // An answer is in the archive, but the ledger does not know it.
    "gather.archived",
    // An answer arrived, but the ledger's plan does not say so.
    "gather.told",
];

/// The points of a run that walks through histories, likewise.
pub const WALKING_POINTS: &[&str] = &[
    "walk.step",
    // An answer arrived, but nothing of it is kept.
    "walk.answered",
    // It is in the archive, but the ledger does not know where the walk is.
    "walk.archived",
    "walk.saved",
    // Answers are joined, but the ledger does not know it.
    "walk.joined",
];

/// Points that the plan of a transform reaches.
pub const PLAN_POINTS: &[&str] = &[
    // It is known whether this text of the job was planned before, but not yet which one is the newest.
    "transform.known",
    // The partitions are counted, and nothing is written.
    "transform.planning",
];

/// Points that a worker of a transform reaches, all but the first with each group.
pub const WORKER_POINTS: &[&str] = &[
    // The version's table is there, but its columns are not read yet.
    "transform.opening",
    "transform.claimed",
    "transform.read",
    "transform.cleaned",
    // The rows are written and the ledger says so, but nothing is committed.
    "transform.before_commit",
    "transform.finished",
    // The tables are swapped, but nothing is committed.
    "transform.swapping",
];

/// Points that a worker reaches with each range that it reads into buckets.
pub const RANGE_POINTS: &[&str] = &[
    "transform.range_claimed",
    // Some of its files are in the store.
    "transform.range_written",
    // All files are in the store, but the ledger does not say so yet.
    "transform.range_before_commit",
    "transform.range_finished",
];

/// Points that the writing of a site reaches.
pub const SITE_POINTS: &[&str] = &[
    // The folder beside the site exists, with nothing in it but its note.
    "site.begin",
    // After each file.
    "site.file",
    "site.before_exchange",
    // A failure here stands for a file system that cannot exchange two folders.
    "site.exchange",
    // The old site has moved aside, where two folders cannot be exchanged.
    "site.aside",
    // The new site is in its place, but the old one is not removed yet.
    "site.exchanged",
    // In the store: the changes are noted but not yet made; after each object; before the first is removed.
    "site.noted",
    "site.object",
    "site.before_removal",
];

/// The error at a point where a test makes a run fail.
#[cfg(feature = "failpoints")]
#[derive(Debug)]
pub struct Struck(pub std::io::Error);

/// Passes a point of the list, in asynchronous code that fails with what `failed` makes of an `io::Error`; without
/// `failed`, with an error that can be made from [`Struck`].
#[cfg(feature = "failpoints")]
macro_rules! point {
    ($name:literal) => {
        crate::fault::reach($name).await.map_err(crate::fault::Struck)?
    };
    ($name:literal, $failed:expr) => {
        crate::fault::reach($name).await.map_err($failed)?
    };
}

/// The same on a thread that may block.
#[cfg(feature = "failpoints")]
macro_rules! blocking_point {
    ($name:literal) => {
        crate::fault::reach_blocking($name).map_err(crate::fault::Struck)?
    };
    ($name:literal, $failed:expr) => {
        crate::fault::reach_blocking($name).map_err($failed)?
    };
}

#[cfg(not(feature = "failpoints"))]
macro_rules! point {
    ($($nothing:tt)*) => {};
}
#[cfg(not(feature = "failpoints"))]
macro_rules! blocking_point {
    ($($nothing:tt)*) => {};
}

pub(crate) use {blocking_point, point};

#[cfg(feature = "failpoints")]
pub(crate) use armed::{reach, reach_blocking};

/// Is there a point of this name?
#[cfg(feature = "failpoints")]
fn is_known(name: &str) -> bool {
    let lists =
        [POINTS, ASKING_POINTS, WALKING_POINTS, PLAN_POINTS, WORKER_POINTS, RANGE_POINTS, SITE_POINTS];
    lists.iter().any(|points| points.contains(&name))
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::fs::{self, File, OpenOptions};
    use std::io::{self, Write};
    use std::path::PathBuf;
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    /// How often a held run checks whether it may go on.
    const LOOK: Duration = Duration::from_millis(2);

    /// What a test may ask for at a point.
    #[derive(Clone, Debug)]
    enum Action {
        /// `fail`: an error.
        Fail,
        /// `kill`: SIGKILL to the own process.
        Kill,
        /// `panic`: a defect.
        Panic,
        /// `hold FILE`: creates the file, with the process id in it, and waits until somebody removes it.
        Hold(PathBuf),
        /// `trace FILE`: the point's name is added to the file.
        Trace(PathBuf),
    }

    pub async fn reach(name: &str) -> io::Result<()> {
        let held = act(name)?;
        while held.as_ref().is_some_and(|file| file.exists()) {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    pub fn reach_blocking(name: &str) -> io::Result<()> {
        let held = act(name)?;
        while held.as_ref().is_some_and(|file| file.exists()) {
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Does what is asked for at a point; returns the file whose removal is to be waited for.
    fn act(name: &str) -> io::Result<Option<PathBuf>> {
        match asked(name) {
            None => {}
            Some(Action::Fail) => return Err(io::Error::other(format!("fault point {name}"))),
            Some(Action::Kill) => {
                kill_process(getpid(), Signal::KILL)?;
                std::thread::sleep(Duration::from_secs(60));
            }
            Some(Action::Panic) => panic!("fault point {name}"),
            Some(Action::Hold(file)) => {
                let unready = file.with_extension("unready");
                write!(File::create(&unready)?, "{}", getpid().as_raw_nonzero())?;
                fs::rename(unready, &file)?;
                return Ok(Some(file));
            }
            Some(Action::Trace(file)) => {
                let mut file = OpenOptions::new().create(true).append(true).open(file)?;
                file.write_all(format!("{name}\n").as_bytes())?;
            }
        }
        Ok(None)
    }

    /// What is asked for at this point, this time.
    fn asked(name: &str) -> Option<Action> {
        static FAULTS: LazyLock<Vec<(String, Action)>> =
            LazyLock::new(|| parse(&std::env::var("FAULTS").unwrap_or_default()));
        static TIMES: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);
        assert!(super::is_known(name), "{name} is not in the lists of points");
        let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
        let time = times.get_or_insert_default().entry(name.into()).or_default();
        *time += 1;
        let this = format!("{name}@{time}");
        FAULTS.iter().find(|(at, _)| at == "*" || *at == this).map(|(_, action)| action.clone())
    }

    fn parse(faults: &str) -> Vec<(String, Action)> {
        let read = |line: &str| {
            let (at, words) = line.split_once('=')?;
            let name = at.split_once('@').map_or(at, |(name, _)| name);
            let at = if at == "*" || at != name { at.to_owned() } else { format!("{at}@1") };
            (at == "*" || super::is_known(name)).then_some(())?;
            let (word, file) = words.split_once(' ').unwrap_or((words, ""));
            let action = match word {
                "fail" => Action::Fail,
                "kill" => Action::Kill,
                "panic" => Action::Panic,
                "hold" => Action::Hold(file.into()),
                "trace" => Action::Trace(file.into()),
                _ => return None,
            };
            Some((at, action))
        };
        faults
            .lines()
            .map(|line| read(line).unwrap_or_else(|| panic!("FAULTS: nobody knows {line}")))
            .collect()
    }
}
