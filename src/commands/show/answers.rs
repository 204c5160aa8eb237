//! Answers from elsewhere: which ways were asked in a run, and what is still without an answer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{TextTable, number};
use crate::words::{count, counted};

/// What became of the questions to one way of answering.
#[derive(Default)]
struct WayTally {
    questions: u64,
    requests: u64,
    unanswered: u64,
    /// Why it was not asked any more.
    gave_up: Option<String>,
}

/// A section with a line for each way that was asked, over all batches; empty if nobody was.
pub(super) fn answers(steps: &[Value]) -> String {
    let (mut ways, mut found, mut unasked) = (BTreeMap::<_, WayTally>::new(), BTreeMap::<_, u64>::new(), 0);
    let fields = |value: &'_ Value, name: &str| value[name].as_object().cloned().unwrap_or_default();
    for details in steps.iter().map(|step| &step["details"]) {
        for (way, questions) in fields(details, "asked") {
            ways.entry(way).or_default().questions += questions.as_u64().unwrap_or(0);
        }
        for (way, cost) in fields(details, "services") {
            let asked = ways.entry(way).or_default();
            asked.requests += number(&cost, "requests");
            asked.unanswered += number(&cost, "failed");
            asked.gave_up = cost["gave_up"].as_str().map(str::to_owned).or(asked.gave_up.take());
        }
        for (status, questions) in fields(details, "found") {
            *found.entry(status).or_default() += questions.as_u64().unwrap_or(0);
        }
        unasked += number(details, "unasked");
    }
    if ways.is_empty() && found.is_empty() && unasked == 0 {
        return String::new();
    }
    let mut table = TextTable::new(&["asked", ">questions", ">requests", ">without an answer"]);
    for (way, asked) in &ways {
        let numbers = [asked.questions, asked.requests, asked.unanswered].map(count);
        table.row(std::iter::once(way.clone()).chain(numbers));
    }
    let mut text = String::from("\nAnswers\n");
    if !ways.is_empty() {
        text += &table.render(2);
    }
    for (way, asked) in &ways {
        if let Some(why) = &asked.gave_up {
            text += &format!("  {way} was given up: {why}\n");
        }
    }
    if unasked > 0 {
        text += &format!("  {} not asked\n", counted(unasked, "question"));
    }
    let found: Vec<_> =
        found.iter().map(|(status, questions)| format!("{status} {}", count(*questions))).collect();
    if !found.is_empty() {
        text += &format!("  in all: {}\n", found.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn batches_are_added_up() {
        let step = |failed: u64, gave_up: Option<&str>| {
            json!({"step": "enrich", "details": {
                "asked": {"pad": 10, "geosearch": 4},
                "services": {"geosearch": {"requests": 7, "failed": failed, "gave_up": gave_up}},
                "found": {"match": 8, "failed": failed},
                "unasked": 0
            }})
        };
        let steps = [json!({"step": "parse", "details": {}}), step(0, None), step(2, Some("it is down"))];
        let text = answers(&steps);
        let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[3], ["geosearch", "8", "14", "2"], "{text}");
        assert_eq!(lines[4], ["pad", "20", "0", "0"], "{text}");
        assert!(
            text.ends_with("  geosearch was given up: it is down\n  in all: failed 2, match 16\n"),
            "{text}"
        );
        assert_eq!(answers(&steps[..1]), "");
    }
}
