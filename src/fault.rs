//! Fault points: named places at which a test breaks a run. They are there with the feature `failpoints` alone, which
//! `make test` switches on; without it [`point!`] is nothing at all, and with it no release can be built.
//!
//! `FAULTS` says what happens where: `promote.inserted@3=kill` kills the process when it comes by there for the third
//! time. The words are those of `Action`; several are separated by line breaks; `*` is every point at every time.
//! (The crate `fail` does such things, too, and brings a generator of random numbers with it, whose features would
//! have TLS and all above it compiled a second time for the tests.)

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("fault points are for tests: a release has none");

/// Every point, in the order in which a run comes by; a test breaks a run at each of them.
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
    // The object is written and has not got its name.
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
    // It was rolled back: the database refuses a record.
    "promote.refused",
    // In the middle of the search for it.
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
    // All is done but the ledger's last word.
    "run.end",
];

/// The points of a run that asks a service, between `run.begin` and `select.begin`; their tests are with the dataset that asks.
pub const ASKING_POINTS: &[&str] = &[
    // Before a request is sent, or the plan is done.
    "gather.step",
    // An answer is in the archive, and the ledger does not know it.
    "gather.archived",
    // Something came, and the ledger's plan does not say so.
    "gather.told",
];

/// The points of a run that walks through histories, likewise.
pub const WALKING_POINTS: &[&str] = &[
    "walk.step",
    // An answer came, and nothing of it is kept.
    "walk.answered",
    // It is in the archive, and the ledger does not know where the walk is.
    "walk.archived",
    "walk.saved",
    // Answers are joined, and the ledger does not know it.
    "walk.joined",
];

/// Points that a worker of a transform comes by, with each group.
pub const WORKER_POINTS: &[&str] = &[
    "transform.claimed",
    "transform.read",
    "transform.cleaned",
    // The rows are written, and the ledger says so; nothing is committed.
    "transform.before_commit",
    "transform.finished",
    // The tables have changed places, and nothing is committed.
    "transform.swapping",
];

/// Points that a worker comes by with each range that it reads into buckets.
pub const RANGE_POINTS: &[&str] = &[
    "transform.range_claimed",
    // Some of its files are in the store.
    "transform.range_written",
    // All are, and the ledger does not say so yet.
    "transform.range_before_commit",
    "transform.range_finished",
];

/// Points that the writing of a site comes by.
pub const SITE_POINTS: &[&str] = &[
    // The folder beside the site is there, with nothing but its note.
    "site.begin",
    // After each file.
    "site.file",
    "site.before_exchange",
    // Who fails here has a file system that cannot exchange two folders.
    "site.exchange",
    // The old site has moved aside, where two folders cannot be exchanged.
    "site.aside",
    // The new site is in its place, and the old one is not gone yet.
    "site.exchanged",
    // In the store: nothing is changed there yet, and what will be is noted; after each object; before the first goes.
    "site.noted",
    "site.object",
    "site.before_removal",
];

/// A test has a run fail at a point.
#[cfg(feature = "failpoints")]
#[derive(Debug)]
pub struct Struck(pub std::io::Error);

/// Comes by a point of the list, in asynchronous code that may fail with what `failed` makes of an `io::Error`; as
/// it stands, with an error that can be made of [`Struck`].
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
    let lists = [POINTS, ASKING_POINTS, WALKING_POINTS, WORKER_POINTS, RANGE_POINTS, SITE_POINTS];
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

    /// How often somebody who is held looks whether he may go on.
    const LOOK: Duration = Duration::from_millis(2);

    /// What a test may ask for at a point.
    #[derive(Clone, Debug)]
    enum Action {
        /// `fail`: an error.
        Fail,
        /// `kill`: SIGKILL to the own process.
        Kill,
        /// `hold FILE`: the file is made, with the own process' id in it; when somebody removes it, the run goes on.
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

    /// Does what is asked for at a point; gives the file whose end is to be waited for.
    fn act(name: &str) -> io::Result<Option<PathBuf>> {
        match asked(name) {
            None => {}
            Some(Action::Fail) => return Err(io::Error::other(format!("fault point {name}"))),
            Some(Action::Kill) => {
                kill_process(getpid(), Signal::KILL)?;
                std::thread::sleep(Duration::from_secs(60));
            }
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
