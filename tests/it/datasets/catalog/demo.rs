//! `merganser demo catalog`: every planted error is shown, corrected rows are loaded, and the proposals work.

use super::world::World;
use crate::support::csv::Csv;
use crate::support::pipeline::{Pipeline, Ran};

#[tokio::test]
async fn the_demo_shows_what_was_planted_and_loads_what_is_put_right() {
    let world = World { pipeline: Pipeline::new("catalog demo").await };
    let dir = world.pipeline.folder().join("demo");
    let ran = world.pipeline.other(&["demo", "catalog", "--dir", dir.to_str().unwrap()]).await.exits(0);
    let (_, shown) = ran.stdout.split_once("(merganser failures --csv):\n").unwrap();
    let shown: String =
        shown.lines().map_while(|line| line.strip_prefix("   ")).map(|line| format!("{line}\n")).collect();
    assert!(shown.starts_with("file,row,column,value,reason,suggestion\n"), "{shown}");
    assert!(shown.lines().count() > 11, "an error of each kind, and what refers to them\n{shown}");
    let failed = "select count(distinct reason) from etl.failed_records where reason <> 'it refers to a row that is not loaded'";
    assert!(world.pipeline.one(failed).await.parse::<u32>().unwrap() >= 9);
    assert_eq!(world.failures().await.len(), 0, "all of it is put right");
    assert_eq!(world.pipeline.one("select count(*) from catalog_projects").await, "60");
    let (_, proposals) = ran.stdout.split_once("What to try next:\n").unwrap();
    let tool = env!("CARGO_BIN_EXE_merganser");
    let lines: Vec<_> = proposals.lines().filter_map(|line| line.trim().strip_prefix(tool)).collect();
    assert_eq!(lines.len(), 4, "{proposals}");
    for line in lines {
        let none: [(&str, &str); 0] = [];
        let ran = Ran::new(crate::support::merganser(line.split_whitespace(), none)).exits(0);
        if line.contains("failures --csv") {
            assert!(Csv::parse(&ran.stdout).rows.len() > 11, "{}", ran.stdout);
        }
    }
}
