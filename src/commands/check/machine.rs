//! This machine: disk space for staging, memory, the clock.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::{Finding, Probes};
use crate::config::RunConfig;
use crate::error::Cause;
use crate::stages::select::{self, SelectedFile};
use crate::system::machine;
use crate::words::size;

/// Staging takes this many times the size of a batch's files: the files, the local store and the CSVs. Measured, see
/// docs/operations.md.
const STAGING_FACTOR: u64 = 8;
/// A generous estimate of a run's memory besides DuckDB.
const OWN_MEMORY_BYTES: u64 = 224 << 20;
/// Beyond this difference S3 refuses signatures.
const CLOCK_FAIL_SECONDS: f64 = 300.0;
const CLOCK_WARN_SECONDS: f64 = 60.0;

/// `clocks`: names of other machines, and how far their clocks are ahead of ours, if known.
pub(super) fn probe(
    probes: &mut Probes,
    config: &RunConfig,
    files: Option<&[SelectedFile]>,
    clocks: &[(&str, Option<f64>)],
) {
    let disk = disk(config, files).unwrap_or_else(Finding::from);
    probes.note("disk", disk);
    probes.note("memory", memory(config));
    match clock(clocks) {
        Some(finding) => probes.note("clock", finding),
        None => probes.skip(&["clock"], "neither the database nor the store gave its time"),
    }
}

fn disk(config: &RunConfig, files: Option<&[SelectedFile]>) -> Result<Finding, Cause> {
    let folder = &config.processing.work_dir;
    let io = |what: &'static str| Cause::io(format!("{what} {}", folder.display()));
    // A run would make the folder, but a check does not.
    let nearest = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let nearest = if nearest.as_os_str().is_empty() { Path::new(".") } else { nearest };
    let hint = |finding: Finding| Finding {
        hint: Some("name a folder that this user can write to: --work-dir".into()),
        ..finding
    };
    let written = tempfile::tempfile_in(nearest).and_then(|mut file| file.write_all(&[0; 64 << 10]));
    if let Err(error) = written.and_then(|()| fs::read_dir(nearest).map(drop)) {
        return Ok(hint(io("write to")(error).into()));
    }
    let free = rustix::fs::statvfs(nearest).map_err(|error| io("look at")(error.into()))?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    let place = format!("{} can be written to and has {} free", folder.display(), size(free));
    let Some(files) = files else {
        return Ok(Finding::ok(format!("{place}; what is needed is not known")));
    };
    let batches = select::into_batches(
        files.to_vec(),
        config.processing.batch_bytes,
        config.processing.is_one_batch(&config.target),
    );
    let sizes = batches.iter().map(|batch| batch.files.iter().map(|file| file.size_bytes).sum::<u64>());
    let need = sizes.max().unwrap_or(0).saturating_mul(STAGING_FACTOR);
    if need > free {
        return Ok(Finding::fail(
            format!("{place}; the largest batch needs some {}", size(need)),
            "make room, name another folder with --work-dir, or make batches smaller with --batch-mib (a single \
             file is never split)",
        ));
    }
    Ok(Finding::ok(match need {
        0 => place,
        need => format!("{place}; the largest batch needs some {}", size(need)),
    }))
}

fn memory(config: &RunConfig) -> Finding {
    let there = machine::memory_bytes();
    let need = (config.processing.duckdb.memory_mib << 20) + OWN_MEMORY_BYTES;
    let found = format!("{} may be used, some {} of it are needed", size(there), size(need));
    match there < need {
        true => Finding::warn(found, "raise the container's limit, or lower --duckdb-memory-mib"),
        false => Finding::ok(found),
    }
}

/// `None`: no other clock is known.
fn clock(clocks: &[(&str, Option<f64>)]) -> Option<Finding> {
    let known: Vec<_> = clocks.iter().filter_map(|(name, ahead)| Some((*name, (*ahead)?))).collect();
    let worst = known.iter().map(|(_, ahead)| ahead.abs()).reduce(f64::max)?;
    let words = known.iter().map(|(name, ahead)| match ahead.abs() < 1.0 {
        true => format!("the {name}'s is the same within a second"),
        false => format!(
            "the {name}'s is {:.0} s {}",
            ahead.abs(),
            if *ahead > 0.0 { "ahead of ours" } else { "behind ours" }
        ),
    });
    let found = words.collect::<Vec<_>>().join(", ");
    let hint = "set this machine's clock (or the other's, whichever is wrong): beyond 5 min S3 refuses every request";
    Some(match worst {
        worst if worst > CLOCK_FAIL_SECONDS => Finding::fail(found, hint),
        worst if worst > CLOCK_WARN_SECONDS => Finding::warn(found, hint),
        _ => Finding::ok(found),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::State;

    #[test]
    fn the_worst_clock_counts() {
        let state = |clocks: &[(&str, Option<f64>)]| clock(clocks).map(|finding| finding.state);
        assert_eq!(state(&[("database", None), ("store", None)]), None);
        assert_eq!(state(&[("database", Some(0.2)), ("store", None)]), Some(State::Ok));
        assert_eq!(state(&[("database", Some(0.2)), ("store", Some(-61.0))]), Some(State::Warn));
        assert_eq!(state(&[("database", Some(-301.0)), ("store", Some(0.0))]), Some(State::Fail));
        let found = clock(&[("database", Some(-400.0))]).unwrap().found;
        assert_eq!(found, "the database's is 400 s behind ours");
    }
}
