//! What the steps of runs cost: one run step by step, or the last ones beside each other.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::{list, moment, number, status_of, took, word};
use crate::words::{count, duration, size};

/// The steps of a run in the order in which they come.
const STEPS: [&str; 9] =
    ["select", "fetch", "parse", "check", "export", "upload", "load", "promote", "publish"];

/// The last runs, a line each: seconds of every step, so that a slowdown stands out.
pub fn timings(runs: &[Value]) -> String {
    let mut text = format!("{:<36}  {:<20} {:>10} {:>9}", "run", "started (UTC)", "records", "took");
    for step in STEPS {
        let _ = write!(text, " {step:>7}");
    }
    text += "   memory\n";
    for run in runs {
        let _ = write!(
            text,
            "{:<36}  {:<20} {:>10} {:>9}",
            word(run, "run_id"),
            moment(run, "started_at"),
            count(number(run, "records_seen")),
            took(run)
        );
        for name in STEPS {
            let step = list(run, "steps").iter().find(|step| word(step, "step") == name);
            let _ = match step {
                Some(step) => write!(text, " {:>7.1}", number(step, "duration_ms") as f64 / 1000.0),
                None => write!(text, " {:>7}", "-"),
            };
        }
        let _ = writeln!(text, " {:>8}", memory(run));
    }
    match runs.first() {
        None => text += "No run yet.\n",
        Some(run) => {
            let _ = writeln!(
                text,
                "Steps in seconds.\nNext: merganser status {} --timings shows one run in full.",
                word(run, "run_id")
            );
        }
    }
    text
}

/// One run: time, share, processor time, rows and bytes a second of every step.
pub fn timing(run: &Value) -> String {
    let mut text = format!(
        "Run {} of {} ({}, {}), started {} UTC, took {}\n{}\n",
        word(run, "run_id"),
        word(run, "dataset"),
        word(run, "kind"),
        status_of(run, "status"),
        moment(run, "started_at"),
        took(run),
        rate(run)
    );
    let _ = writeln!(
        text,
        "{:<10} {:>10} {:>6} {:>10} {:>12} {:>12} {:>9} {:>9}",
        "step", "took", "share", "cpu", "rows", "rows/s", "MB/s", "memory"
    );
    for step in list(run, "steps") {
        let millis = number(step, "duration_ms");
        let per_second = |amount: u64| match (amount, millis) {
            (0, _) | (_, 0) => None,
            (amount, millis) => Some(amount as f64 * 1000.0 / millis as f64),
        };
        let bytes = per_second(number(step, "bytes"));
        let _ = writeln!(
            text,
            "{:<10} {:>10} {:>5.0}% {:>10} {:>12} {:>12} {:>9} {:>9}",
            word(step, "step"),
            took(step),
            share(step, run),
            step["cpu_ms"].as_u64().map_or("-".into(), |ms| duration(Duration::from_millis(ms))),
            count(number(step, "rows")),
            per_second(number(step, "rows")).map_or("-".into(), |rows| count(rows as u64)),
            bytes.map_or("-".into(), |bytes| format!("{:.1}", bytes / 1e6)),
            memory(step)
        );
    }
    text
}

/// One line of the largest shares, for the end of a run.
pub fn shares(run: &Value) -> String {
    let mut steps: Vec<_> = list(run, "steps").iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(number(step, "duration_ms")));
    let steps = steps.into_iter().take(4);
    let steps: Vec<_> = steps
        .map(|step| format!("{} {} ({:.0}%)", word(step, "step"), took(step), share(step, run)))
        .collect();
    format!("{} Most of it: {}.", rate(run), steps.join(", "))
}

/// Records a second over the whole run, where there were enough of them to say so, and its peak memory.
fn rate(run: &Value) -> String {
    let (records, millis) = (number(run, "records_seen"), number(run, "duration_ms").max(1));
    let rate = match records * 1000 / millis {
        ..10 => String::new(),
        per_second => format!(" {}/s,", count(per_second)),
    };
    format!("{} record(s),{rate} {} of memory.", count(records), memory(run))
}

/// Per cent of the run's time.
fn share(step: &Value, run: &Value) -> f64 {
    100.0 * number(step, "duration_ms") as f64 / number(run, "duration_ms").max(1) as f64
}

fn memory(value: &Value) -> String {
    value["peak_memory_bytes"].as_u64().map_or("-".into(), size)
}
