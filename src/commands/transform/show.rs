//! What `merganser transform` prints.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::error::partitions_shown;
use crate::transform::job::Job;
use crate::transform::rows::shown_key;
use crate::transform::versions::{self, Version, short};
use crate::transform::work::WorkEnd;
use crate::words::{count, counted, duration, size};

/// A plan, several lines.
pub fn plan(job: &Job, version: &Version, is_new: bool) -> String {
    let plan = &version.plan;
    let number = |name: &str| plan[name].as_u64().unwrap_or(0);
    let mut text = format!("{}, version {}", job.name, short(&version.hash));
    // Writing to a String cannot fail.
    let _ = match is_new {
        true => writeln!(text, " is planned."),
        false => writeln!(text, " was planned at {} already, and is {}.", version.planned_at, version.state),
    };
    let _ = writeln!(
        text,
        "  {} rows of {} in {} partitions, packed into {} groups of up to {} rows",
        count(number("rows")),
        job.source.table,
        count(number("partitions")),
        count(number("groups")),
        count(job.source.group_rows)
    );
    let largest = plan["largest"].as_array().map(Vec::as_slice).unwrap_or_default();
    let largest: Vec<_> = largest
        .iter()
        .map(|one| format!("{} {}", shown_key(one[0].as_str()), count(one[1].as_u64().unwrap_or(0))))
        .collect();
    let _ =
        writeln!(text, "  largest: {}", if largest.is_empty() { "none".into() } else { largest.join(", ") });
    let padded = plan["padded"].as_array().map_or(0, Vec::len);
    if number("null_rows") + number("empty_rows") > 0 || padded > 0 {
        let keys: Vec<_> =
            plan["padded"].as_array().into_iter().flatten().map(|key| shown_key(key.as_str())).collect();
        let _ = writeln!(
            text,
            "  partitions of their own: NULL ({} rows), empty ({} rows), keys with blanks around them: {}",
            count(number("null_rows")),
            count(number("empty_rows")),
            if keys.is_empty() { "none".into() } else { keys.join(", ") }
        );
    }
    if number("split") > 0 {
        let _ = writeln!(text, "  giants that are split by pages: {}", count(number("split")));
    }
    let order = match plan["correlation"].as_f64() {
        Some(correlation) => format!("{correlation:.3}"),
        None => "not known".into(),
    };
    let index = plan["index"].as_str().unwrap_or("none");
    let _ = writeln!(
        text,
        "  on disk: {} in {} pages; index by {}: {index}; order by it (1 or -1: the same): {order}",
        size(number("size_bytes")),
        count(number("pages")),
        job.source.key
    );
    if let Some(store) = plan["store"].as_str() {
        let _ = writeln!(
            text,
            "  read once, in {} ranges of pages, into {} buckets in {store}",
            count(number("ranges")),
            count(number("buckets"))
        );
    }
    if let Some(bytes) = plan["version_bytes"].as_u64() {
        let old = plan["old_bytes"].as_u64().unwrap_or(0);
        let _ = match version.is_in_place {
            true => writeln!(text, "  room: {} that are replaced, and as much of log", size(bytes)),
            false => writeln!(
                text,
                "  room: about {} for the new table without its indexes, beside {} of the old one; as much of log",
                size(bytes),
                size(old)
            ),
        };
    }
    if let (Some(speed), Some(seconds)) = (plan["rows_per_s"].as_f64(), plan["expected_s"].as_f64()) {
        let _ = writeln!(
            text,
            "  time: about {} for one worker, at {} rows a second (from a sample of {} rows)",
            duration(Duration::from_secs_f64(seconds)),
            count(speed as u64),
            count(number("sample_rows"))
        );
    }
    for warning in plan["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(text, "  warning: {warning}");
    }
    text
}

/// How a worker ended, a line.
pub fn end(job: &Job, end: &WorkEnd) -> String {
    let (name, hash) = (&job.name, short(&job.hash));
    match end {
        WorkEnd::InPlace { old: Some(old) } => format!(
            "{name}, version {hash} is in place as {}; the table before it is {old} until merganser transform drop {}.\n",
            job.target.table,
            job.folder.display()
        ),
        WorkEnd::InPlace { old: None } => {
            format!("{name}, version {hash} is in place as {}.\n", job.target.table)
        }
        WorkEnd::Poison { groups, in_place } => format!(
            "{name}, version {hash}: {} failed again and again, and everything else is done; {} {}. \
             merganser transform status {} shows why, retry tries again.\n",
            counted(*groups as u64, "group"),
            job.target.table,
            partitions_shown(*in_place),
            job.folder.display()
        ),
        WorkEnd::Changed { words, in_place } => format!(
            "{name}, version {hash}: {words}; {} {}. \
             {} reads the table again; with [source] changed, only the partitions that changed are done again.\n",
            job.target.table,
            partitions_shown(*in_place),
            versions::anew_command(job, *in_place)
        ),
        WorkEnd::Paused => {
            format!("{name}, version {hash} is paused; merganser transform resume {}\n", job.folder.display())
        }
    }
}

/// The end of a worker that was told to stop, two lines; were its claims given back?
pub fn stopped(job: &Job, given_back: bool, in_place: bool) -> String {
    let claims = match given_back {
        true => "those under way are free for other workers",
        false => "those under way are free for other workers when their lease runs out",
    };
    format!(
        "{}, version {}: the work has stopped; partitions that are done are committed; {claims}.\nNext: merganser transform work {}{} goes on\n",
        job.name,
        short(&job.hash),
        job.folder.display(),
        if in_place { " --in-place" } else { "" }
    )
}

/// A version that was given up, with its progress until then.
pub fn given_up(job: &Job, version: &Version, status: &Value) -> String {
    let mut text = format!("{}: version {} is given up.\n", job.name, short(&version.hash));
    let done = status["partitions"]["done"].as_u64().unwrap_or(0);
    if version.is_in_place && done > 0 {
        let _ = writeln!(
            text,
            "It has replaced {} of {}, and the others are as they were; merganser transform work {} --in-place replaces all of them.",
            counted(done, "partition"),
            status["target"].as_str().unwrap_or_default(),
            job.folder.display()
        );
    }
    text
}

/// How far a version is, several lines.
pub fn status(job: &Job, version: &Version, status: &Value) -> String {
    let whole = |value: &Value| value.as_f64().unwrap_or(0.0).max(0.0) as u64;
    let number = |value: &Value| count(whole(value));
    let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (partitions, rows) = (&status["partitions"], &status["rows"]);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}, version {}: {} ({}), {} -> {}",
        text_of(&status["job"]),
        short(&text_of(&status["hash"])),
        text_of(&status["state"]),
        counted(whole(&status["workers"]), "worker"),
        text_of(&status["table"]),
        text_of(&status["target"])
    );
    let _ = writeln!(
        text,
        "  partitions: {} of {} done; {} waiting, {} running, {} failed and tried again, {} poison",
        number(&partitions["done"]),
        number(&partitions["total"]),
        number(&partitions["waiting"]),
        number(&partitions["running"]),
        number(&partitions["failed"]),
        number(&partitions["poison"])
    );
    let _ = writeln!(
        text,
        "  rows: {} of {} in, {} out ({} dropped, {} made), {} failed",
        number(&rows["in"]),
        number(&rows["planned"]),
        number(&rows["out"]),
        number(&rows["dropped"]),
        number(&rows["made"]),
        number(&rows["failed"])
    );
    if let Some(ranges) = status["ranges"].as_object() {
        let _ = writeln!(
            text,
            "  buckets: {} of {} ranges of pages are in them",
            number(&ranges["done"]),
            number(&ranges["total"])
        );
        if let Some(error) = ranges["error"].as_str() {
            let _ = writeln!(text, "  {} ranges cannot be read: {error}", number(&ranges["poison"]));
        }
    }
    if let Some(speed) = status["rows_per_s"].as_f64() {
        let left = status["eta_s"].as_f64().map(|eta| duration(Duration::from_secs_f64(eta.max(0.0))));
        let left = left.map(|left| format!(", about {left} left")).unwrap_or_default();
        let _ = writeln!(text, "  {} rows a second{left}", count(speed as u64));
    }
    if let Some(error) = status["error"].as_str() {
        let _ = writeln!(text, "  error: {error}; {}", versions::anew(job, version));
    }
    if let Some(old) = status["old_table"].as_str() {
        let _ = writeln!(text, "  the table before it: {old}");
    }
    for item in status["running"].as_array().into_iter().flatten() {
        let more = item["partitions"].as_u64().filter(|partitions| *partitions > 1);
        let more = more.map(|more| format!(" and {} more", more - 1)).unwrap_or_default();
        let what = match item["range"].as_u64() {
            Some(range) => format!("range {range}"),
            None => format!("{}{more}", shown_key(item["key"].as_str())),
        };
        let _ = writeln!(
            text,
            "  running for {}: {what} ({} rows), by {}",
            duration(Duration::from_secs_f64(item["seconds"].as_f64().unwrap_or(0.0).max(0.0))),
            number(&item["rows"]),
            text_of(&item["worker"])
        );
    }
    let lists = [("largest", "rows"), ("slowest", "seconds")];
    for (name, what) in lists {
        let items = status[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let items: Vec<_> = items
            .iter()
            .map(|item| {
                let more = item["partitions"].as_u64().filter(|partitions| *partitions > 1);
                let more = more.map(|more| format!(" and {} more", more - 1)).unwrap_or_default();
                let figure = match what {
                    "rows" => number(&item[what]),
                    _ => duration(Duration::from_secs_f64(item[what].as_f64().unwrap_or(0.0).max(0.0))),
                };
                format!("{}{more} {figure}", shown_key(item["key"].as_str()))
            })
            .collect();
        if !items.is_empty() {
            let _ = writeln!(text, "  {name}: {}", items.join(", "));
        }
    }
    for item in status["poison"].as_array().into_iter().flatten() {
        let error = text_of(&item["error"]);
        let _ = writeln!(
            text,
            "  poison: {} ({} rows, {} attempts): {}",
            shown_key(item["key"].as_str()),
            number(&item["rows"]),
            number(&item["attempts"]),
            error.lines().next().unwrap_or_default()
        );
    }
    text
}
