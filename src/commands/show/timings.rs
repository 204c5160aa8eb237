//! The cost of the steps of runs: one run step by step, or the last ones side by side.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::{TextTable, list, moment, number, status_of, took, word};
use crate::words::{count, counted, duration, size};

/// The steps of a run in the order in which they come.
const STEPS: [&str; 10] =
    ["select", "fetch", "parse", "check", "enrich", "export", "upload", "load", "promote", "publish"];

/// The last runs, a line each: seconds of every step, so that a slowdown stands out.
pub fn timings(runs: &[Value]) -> String {
    let steps = STEPS.map(|step| format!(">{step}"));
    let headings = ["run", "started (UTC)", ">records", ">took"].into_iter();
    let headings = headings.chain(steps.iter().map(String::as_str)).chain([">memory"]);
    let mut table = TextTable::new(&headings.collect::<Vec<_>>());
    for run in runs {
        let seconds = STEPS.map(|name| {
            let step = list(run, "steps").iter().find(|step| word(step, "step") == name);
            step.map_or("-".to_owned(), |step| format!("{:.1}", number(step, "duration_ms") as f64 / 1000.0))
        });
        let known = [
            word(run, "run_id").to_owned(),
            moment(run, "started_at"),
            count(number(run, "records_seen")),
            took(run),
        ];
        table.row(known.into_iter().chain(seconds).chain([memory(run)]));
    }
    let mut text = table.render(0);
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
    let text = format!(
        "Run {} of {} ({}, {}), started {} UTC, took {}\n{}\n",
        word(run, "run_id"),
        word(run, "dataset"),
        word(run, "kind"),
        status_of(run, "status"),
        moment(run, "started_at"),
        took(run),
        rate(run, number(run, "duration_ms"))
    );
    let headings = ["step", ">took", ">share", ">cpu", ">rows", ">rows/s", ">MB/s", ">memory"];
    let mut table = TextTable::new(&headings);
    for step in list(run, "steps") {
        let millis = number(step, "duration_ms");
        let per_second = |amount: u64| match (amount, millis) {
            (0, _) | (_, 0) => None,
            (amount, millis) => Some(amount as f64 * 1000.0 / millis as f64),
        };
        let bytes = per_second(number(step, "bytes"));
        table.row([
            word(step, "step").to_owned(),
            took(step),
            format!("{:.0}%", share(step, number(run, "duration_ms"))),
            step["cpu_ms"].as_u64().map_or("-".into(), |ms| duration(Duration::from_millis(ms))),
            count(number(step, "rows")),
            per_second(number(step, "rows")).map_or("-".into(), |rows| count(rows as u64)),
            bytes.map_or("-".into(), |bytes| format!("{:.1}", bytes / 1e6)),
            memory(step),
        ]);
    }
    text + &table.render(0)
}

/// One line of the largest shares of the time that a run took, for its end.
pub fn shares(run: &Value, time: Duration) -> String {
    let millis = time.as_millis() as u64;
    let mut steps: Vec<_> = list(run, "steps").iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(number(step, "duration_ms")));
    let steps = steps.into_iter().take(4);
    let steps: Vec<_> = steps
        .map(|step| format!("{} {} ({:.0}%)", word(step, "step"), took(step), share(step, millis)))
        .collect();
    format!("{} Most of it: {}.", rate(run, millis), steps.join(", "))
}

/// Records per second over the whole run, if there were enough of them, and its peak memory.
fn rate(run: &Value, millis: u64) -> String {
    let records = number(run, "records_seen");
    let rate = match records * 1000 / millis.max(1) {
        ..10 => String::new(),
        per_second => format!(" {}/s,", count(per_second)),
    };
    format!("{},{rate} {} of memory.", counted(records, "record"), memory(run))
}

/// The percentage of the run's time.
fn share(step: &Value, millis: u64) -> f64 {
    100.0 * number(step, "duration_ms") as f64 / millis.max(1) as f64
}

fn memory(value: &Value) -> String {
    value["peak_memory_bytes"].as_u64().map_or("-".into(), size)
}
