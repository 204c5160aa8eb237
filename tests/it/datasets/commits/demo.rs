//! `merganser demo commits`: a budget twice, a force push between, the proof, and that what it proposes works.

use std::path::Path;
use std::process::Stdio;

use merganser::datasets::commits::sample::LIST;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::world::git;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::{command, merganser};

#[tokio::test]
async fn the_demo_keeps_its_budget_sees_a_force_push_and_proves_that_all_is_there() {
    let pipeline = Pipeline::new("commits demo").await;
    let dir = pipeline.folder().join("demo");
    let ran = pipeline.other(&["demo", "commits", "--dir", dir.to_str().unwrap()]).await.exits(0);
    let budgets: Vec<_> = ran.stdout.matches("30 requests for 5 histories; more to do: about").collect();
    assert!(!budgets.is_empty(), "{}", ran.stdout);
    for said in ["nothing more to do", "harbour/empty       empty, 0 there", "harbour/oddities"] {
        assert!(ran.stdout.contains(said), "no {said:?} in\n{}", ran.stdout);
    }
    let (_, proof) = ran.stdout.split_once("5. The proof").unwrap();
    let (proof, _) = proof.split_once("6. What to try next").unwrap();
    assert_eq!(proof.matches("(ok)").count(), 5, "{proof}");
    let lighthouse = dir.join("clones/harbour/lighthouse");
    let reached = String::from_utf8(git(&lighthouse, &["rev-list", "--count", "main"])).unwrap();
    let rows = "select count(*) from git_commits where repository_id = 9001 and unreachable_since_run is";
    assert_eq!(pipeline.one(&format!("{rows} null")).await, reached.trim());
    // What was fetched before the push, and is reached no more.
    assert_ne!(pipeline.one(&format!("{rows} not null")).await, "0");
    let asked = "select rows from etl.steps where step = 'walk'";
    for requests in pipeline.column(asked).await {
        assert!(requests.parse::<u32>().unwrap() <= 30, "{requests}");
    }
    let proposed = try_proposals(&ran);
    for words in ["status last", "run commits", "check commits --complete", "reprocess commits"] {
        assert!(proposed.iter().any(|line| line.contains(words)), "{words} is not in {proposed:#?}");
    }
    assert!(Path::new(&dir).join("store/public/commits").is_dir());
}

#[tokio::test]
async fn a_sample_is_served_as_a_host_serves_it() {
    let pipeline = Pipeline::new("commits served").await;
    let out = pipeline.folder().join("sample").display().to_string();
    let none: [(&str, &str); 0] = [];
    let words = ["sample", "commits", "--commits", "100", "--out", &out, "--serve"];
    let mut serving = tokio::process::Command::from(command(words, none))
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut said = BufReader::new(serving.stdout.take().expect("it is piped")).lines();
    let url = loop {
        let line = said.next_line().await.expect("it is text").expect("it says the address");
        if let Some((_, url)) = line.split_once("until Ctrl-C: ") {
            break url.to_owned();
        }
    };
    let list = format!("{out}/{LIST}");
    let run = ["run", "commits", "--projects", &list, "--source", &url, "--requests", "5"];
    let key = [("MERGANSER_EMAIL_KEY", "key")];
    let asked = pipeline.start_other(&run, &key).await.expect("it is over").exits(0);
    assert!(
        asked.stdout.contains("5 requests for") || asked.stderr.contains("5 requests for"),
        "{}",
        asked.stdout
    );
    let pid = rustix::process::Pid::from_raw(serving.id().expect("it runs") as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it can be ended");
    assert!(serving.wait().await.expect("it ends").success());
}

/// Runs what the demo proposes.
fn try_proposals(ran: &Ran) -> Vec<String> {
    let (_, proposals) = ran.stdout.split_once("What to try next:\n").unwrap();
    let tool = env!("CARGO_BIN_EXE_merganser");
    let lines = proposals.lines().filter_map(|line| line.trim().strip_prefix(tool)).map(str::trim);
    let lines: Vec<_> = lines.map(str::to_owned).collect();
    for line in &lines {
        let words = line.split_whitespace().map(|word| word.trim_matches('\''));
        Ran::new(merganser(words, [("MERGANSER_EMAIL_KEY", "demo")])).exits(0);
    }
    lines
}
