//! `merganser demo metrics`: what it shows is there, and what it proposes works.

use crate::support::pipeline::{Pipeline, Ran};

#[tokio::test]
async fn the_demo_shows_ranks_and_metrics_and_what_it_proposes_works() {
    let pipeline = Pipeline::new("metrics demo").await;
    let dir = pipeline.folder().join("demo");
    let ran = pipeline.other(&["demo", "metrics", "--dir", dir.to_str().unwrap()]).await.exits(0);
    let first = "select name || ' ' || to_char(pagerank, 'FM0.00000') || ' ' || commits from graph_nodes
        where kind = 'project' order by pagerank desc, key limit 1";
    let first = pipeline.one(first).await;
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert!(words(&ran.stdout).contains(&words(&first)), "{first}\n{}", ran.stdout);
    assert!(ran.stdout.contains("similarity"), "{}", ran.stdout);
    let (_, proposals) = ran.stdout.split_once("What to try next:\n").unwrap();
    let tool = env!("CARGO_BIN_EXE_merganser");
    let lines: Vec<_> = proposals.lines().filter_map(|line| line.trim().strip_prefix(tool)).collect();
    assert_eq!(lines.len(), 3, "{proposals}");
    for line in lines {
        let none: [(&str, &str); 0] = [];
        Ran::new(crate::support::merganser(line.split_whitespace(), none)).exits(0);
    }
    let graph = std::fs::read_to_string(dir.join("graph.graphml")).unwrap();
    assert!(graph.contains("<graphml") && graph.ends_with("</graphml>\n"));
    assert_eq!(pipeline.one("select max(month) from site_metrics").await, "2025-09-01");
}
