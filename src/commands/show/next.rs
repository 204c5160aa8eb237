//! What a run left behind, and what to type next.

use serde_json::Value;

use super::{list, number, word};
use crate::dataset::{Dataset, NOT_ARCHIVED};
use crate::datasets;
use crate::stages::promote;
use crate::words::{count, counted, quoted};

/// The state of the database where it is not obvious, and what to do. `open`: failed records of this run, `all`: of all
/// runs; in a `listed` run, errors and guards are not shown yet.
pub(super) fn next(run: &Value, open: u64, all: u64, listed: bool) -> String {
    let (id, dataset) = (word(run, "run_id"), word(run, "dataset"));
    let (subject, it) = match listed {
        true => (format!("Run {id}"), format!("run {id}")),
        false => ("It".to_owned(), "it".to_owned()),
    };
    let changed = match number(run, "batches_committed") {
        0 => format!("{subject} left the database unchanged."),
        1 => format!("1 batch of {it} is committed and whole."),
        batches => format!("{} of {it} are committed and whole.", counted(batches, "batch")),
    };
    let failures = match (open, all) {
        (0, 0) => None,
        (0, all) => Some(format!("Next: merganser failures lists {} that are open.\n", count(all))),
        (open, _) => {
            Some(format!("Next: merganser failures --run {id} lists {} that are open.\n", count(open)))
        }
    };
    let also = if listed { also(all) } else { String::new() };
    match word(run, "status") {
        // No process holds a version of a transform.
        _ if word(run, "kind") == "transform" => {
            "Next: merganser transform status JOB shows how far it is.\n".into()
        }
        "running" => format!("{subject} is still running.\n"),
        "failed" if listed => format!("{changed}\nNext: merganser status {id}\n{also}"),
        "failed" => match breaches(run).as_slice() {
            [] if is_unkept(run) => format!("{changed}\nNext: {}\n", again(run)),
            [] => format!("{changed}\nNext: remove the cause, then {}.\n", again(run)),
            // A reference has no dry run.
            _ if word(run, "kind") == "reference" => {
                format!("{changed}\nNext: if it is right: {} --allow drop\n", again(run))
            }
            names => format!("{changed}\nNext: {}\n", promote::let_through(names, &again(run))),
        },
        "interrupted" | "abandoned" => {
            format!("{changed}\nNext: {}{}\n{also}", again(run), goes_on(run))
        }
        "rolled_back" => {
            format!("A dry run, rolled back. The database is unchanged.\n{}", failures.unwrap_or_default())
        }
        _ if number(run, "files_failed") > 0 && listed => format!("Next: merganser status {id}\n"),
        _ if number(run, "files_failed") > 0 => {
            format!(
                "{}Some files could not be read to their end: have them put right at the source; the next run takes them.\n",
                failures.unwrap_or_default()
            )
        }
        _ => failures.unwrap_or_else(|| format!("Nothing to do for {dataset}.\n")),
    }
}

/// A note on open failed records when something else is more urgent.
fn also(open: u64) -> String {
    match open {
        0 => String::new(),
        open => format!("Open failed records: {}; merganser failures lists them.\n", count(open)),
    }
}

/// The names of the guards that stopped a run.
fn breaches(run: &Value) -> Vec<&str> {
    let stopped = |guard: &&Value| guard["passed"] == false && guard["allowed_by"].is_null();
    list(run, "guards").iter().filter(stopped).map(|guard| word(guard, "name")).collect()
}

/// What the command that [`again`] returns does.
fn goes_on(run: &Value) -> &'static str {
    match word(run, "kind") {
        "undo" if number(run, "batches_committed") > 0 => "; it writes the public files.",
        "undo" | "reference" => ".",
        _ if run["dry_run"] == true => ".",
        _ => "; it continues where this one stopped.",
    }
}

/// Whether a run failed because the archive never keeps what it was to read.
fn is_unkept(run: &Value) -> bool {
    word(run, "error").contains(NOT_ARCHIVED)
}

/// The command that does the rest of a run.
fn again(run: &Value) -> String {
    let (kind, options) = (word(run, "kind"), &run["options"]);
    let typed = datasets::typed_in(word(run, "dataset"), word(run, "target_schema"));
    let mut words = format!("merganser {kind} {typed}");
    let mut add = |option: &str, value: &Value| match value {
        Value::String(text) => words += &format!("{option}{}", quoted(text)),
        Value::Number(number) => words += &format!("{option}{number}"),
        Value::Bool(true) => words += option,
        _ => {}
    };
    match kind {
        _ if is_unkept(run) => {
            let schema = word(run, "target_schema");
            return datasets::known(word(run, "dataset"))
                .map_or(words, |dataset: &Dataset| dataset.read_again(schema));
        }
        // What an undo has committed is whole: only the public files are left to write.
        "undo" if number(run, "batches_committed") > 0 => return format!("merganser run {typed}"),
        "undo" => {
            let runs: Vec<_> = list(options, "runs").iter().filter_map(Value::as_str).collect();
            words = format!("merganser undo {}", runs.join(" "));
        }
        "backfill" => {
            add(" ", &options["enrichment"]);
            add(" --since ", &options["since"]);
        }
        "reference" => {
            for (name, from) in options["inputs"].as_object().into_iter().flatten() {
                add(&format!(" --{name} "), from);
            }
        }
        // The ledger does not say which person.
        "purge" if datasets::named(&typed).is_some_and(|dataset| dataset.walked.is_some()) => {
            add(" --person ", &"PERSON".into());
        }
        _ => {
            let asked = &options["asked_for"];
            add(" ", &asked["glob"]);
            add(" --force", &asked["force"]);
            add(" --run ", &asked["run"]);
            add(" --record ", &asked["record"]);
        }
    }
    // The ledger does not say how its years and filters were typed.
    if kind == "run" && datasets::known(word(run, "dataset")).is_some_and(|dataset| dataset.asked.is_some()) {
        words += " …";
    }
    if run["dry_run"] == true {
        words += " --dry-run";
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cli::Cli;

    /// Runs of every kind that did not end, and how each is typed again.
    fn unfinished() -> Vec<(Value, &'static str)> {
        let run = |kind: &str, dataset: &str, options: Value| json!({"kind": kind, "dataset": dataset, "status": "abandoned", "run_id": "1", "options": options});
        let with = |mut run: Value, name: &str, value: Value| {
            run[name] = value;
            run
        };
        let undo = run("undo", "oca", json!({"runs": ["2", "3"]}));
        let asked = |asked: Value| json!({ "asked_for": asked });
        let files = json!({"inputs": {"pad": "https://x/pad.zip", "pluto": "a b.csv"}});
        vec![
            (run("run", "oca", asked(Value::Null)), "merganser run oca"),
            (run("run", "nass_mine", asked(Value::Null)), "merganser run nass --table mine …"),
            (
                run("reprocess", "oca", asked(json!({"glob": "*.zip", "force": true}))),
                "merganser reprocess oca '*.zip' --force",
            ),
            (run("retry", "oca", asked(json!({"run": null, "record": 7}))), "merganser retry oca --record 7"),
            (run("adopt", "oca", json!({})), "merganser adopt oca"),
            (run("purge", "oca", json!({})), "merganser purge oca"),
            (run("purge", "commits", json!({})), "merganser purge commits --person PERSON"),
            (undo.clone(), "merganser undo 2 3"),
            (with(undo.clone(), "dry_run", true.into()), "merganser undo 2 3 --dry-run"),
            (with(undo, "batches_committed", 1.into()), "merganser run oca"),
            (
                run("backfill", "oca", json!({"enrichment": "geocode", "since": "2024-01-01"})),
                "merganser backfill oca geocode --since 2024-01-01",
            ),
            (
                run("reference", "oca", files),
                "merganser reference oca --pad https://x/pad.zip --pluto 'a b.csv'",
            ),
        ]
    }

    #[test]
    fn a_run_that_did_not_end_is_typed_again_as_it_was() {
        for (run, typed) in unfinished() {
            assert_eq!(again(&run), typed);
            let words = typed.replace("'a b.csv'", "ab.csv").replace('\'', "").replace(" …", "");
            if let Err(error) = Cli::try_parse_from(words.split(' ')) {
                panic!("{typed}: {error}");
            }
            for listed in [true, false] {
                let text = next(&run, 0, 0, listed);
                assert!(text.contains(&format!("\nNext: {typed}")), "{text}");
            }
        }
    }

    #[test]
    fn a_guard_that_stopped_a_run_is_what_is_let_through() {
        let guard = |name: &str, passed: bool| json!({"name": name, "passed": passed, "allowed_by": null});
        let run = json!({
            "kind": "run", "dataset": "oca", "status": "failed", "run_id": "1", "options": {},
            "guards": [guard("drop", false), guard("drop", false), guard("other", true), guard("short", false)],
        });
        assert!(next(&run, 0, 0, false).ends_with(": merganser run oca --allow drop,short\n"));
    }

    #[test]
    fn what_is_not_archived_is_read_again_at_its_source() {
        let run = |kind: &str| {
            let error =
                format!("select failed: qs.crops_20260102.txt.gz is a bulk file, which is {NOT_ARCHIVED}");
            let asked = json!({"asked_for": {"glob": "qs*", "force": true, "run": null}});
            json!({"kind": kind, "dataset": "nass_mine", "status": "failed", "run_id": "1", "options": asked, "error": error})
        };
        for kind in ["reprocess", "retry"] {
            let text = next(&run(kind), 0, 0, false);
            assert!(text.ends_with("\nNext: merganser run nass --table mine … --via bulk\n"), "{text}");
        }
    }

    #[test]
    fn a_list_says_which_run_it_speaks_of() {
        let run = json!({"kind": "run", "dataset": "oca", "status": "failed", "run_id": "17"});
        assert!(next(&run, 0, 0, true).starts_with("Run 17 left the database unchanged.\n"));
        assert!(next(&run, 0, 0, false).starts_with("It left the database unchanged.\n"));
    }
}
