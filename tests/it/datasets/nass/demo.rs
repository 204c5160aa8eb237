//! `merganser demo nass`: what it loads, what it says about that, and that its proposals work.

use std::path::Path;

use merganser::commands::demo::quickstats::read_bulk;
use merganser::datasets::nass::columns::position;

use super::world::holds;
use crate::support::merganser;
use crate::support::pipeline::{Pipeline, Ran};

#[tokio::test]
async fn the_demo_loads_three_years_and_one_of_them_again_and_what_it_proposes_works() {
    let pipeline = Pipeline::new("nass demo").await;
    let dir = pipeline.folder().join("demo");
    let words = ["demo", "nass", "--records", "12000", "--dir", dir.to_str().unwrap()];
    let ran = pipeline.other(&words).await.exits(0);

    // The earlier years as they were, the last one after its revision, cell by cell.
    let [before, revised] =
        ["before", "revised"].map(|name| read_bulk(&dir.join("quickstats").join(name)).unwrap());
    assert_eq!((before.len(), revised.len()), (12_000, 12_000));
    let year = position("year").unwrap();
    let of_before = (0..before.len()).map(|row| before.fields(row)).filter(|fields| fields[year] != "2024");
    let of_revised =
        (0..revised.len()).map(|row| revised.fields(row)).filter(|fields| fields[year] == "2024");
    holds(&pipeline, of_before.chain(of_revised)).await;
    let differ = (0..before.len()).filter(|row| before.fields(*row)[year] == "2024");
    let differ = differ.filter(|row| before.fields(*row) != revised.fields(*row)).count();
    assert!(differ > 10, "{differ}");

    // The requests were split, and the ledger's counts are shown.
    let parts =
        pipeline.column("select count(*) from etl.parts group by run_id order by count(*) desc").await;
    assert!(parts.len() == 2 && parts[0].parse::<u32>().unwrap() > 12, "{parts:?}");
    for said in [
        format!("The ledger: {} answers with 12,000 records", parts[0]),
        format!(
            "Before, 12,000 rows were there: {differ} were replaced and\n   0 deleted; 0 came, and 12,000 are there."
        ),
        "   county  ".to_owned(),
        dir.join("corn.svg").display().to_string(),
    ] {
        assert!(ran.stdout.contains(&said), "no {said:?} in\n{}", ran.stdout);
    }
    let highest = pipeline
        .one(
            "select initcap(county_name) || ' ' || state_alpha || ' ' || value from nass_facts
            where short_desc = 'CORN, GRAIN - YIELD, MEASURED IN BU / ACRE' and year = 2024 and agg_level_desc = 'COUNTY'
                and reference_period_desc = 'YEAR' and domain_desc = 'TOTAL' and source_desc = 'SURVEY' and fips is not null
            order by value desc nulls last, fips limit 1",
        )
        .await;
    let table = ran.stdout.split_once(" 2024\n").unwrap().1;
    let first: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    let first = [&first[..first.len() - 3], &first[first.len() - 1..]].concat().join(" ");
    assert_eq!(first, highest);
    let map = std::fs::read_to_string(dir.join("corn.svg")).unwrap();
    assert!(map.contains("Made-up data of the demo") && map.contains("1 January 2024 to 31 December 2024"));

    let proposed = try_proposals(&ran, &dir);
    for words in ["status last", "map nass", "reprocess nass", "run nass --from 2022"] {
        assert!(proposed.iter().any(|line| line.contains(words)), "{words} is not in {proposed:#?}");
    }
    let differs =
        "select count(*) from (table from_bulk except all table nass_facts) as differs where year = 2024";
    assert_eq!(pipeline.one(differs).await, "0");
}

/// Runs the demo's proposals, except those that need a key.
fn try_proposals(ran: &Ran, dir: &Path) -> Vec<String> {
    let (_, proposals) = ran.stdout.split_once("What to try next:\n").unwrap();
    let tool = env!("CARGO_BIN_EXE_merganser");
    let lines = proposals.lines().filter_map(|line| line.trim().strip_prefix(tool)).map(str::trim);
    let lines: Vec<_> = lines.filter(|line| !line.contains("--table real_corn")).map(str::to_owned).collect();
    for line in &lines {
        let words = line.split_whitespace().map(|word| word.trim_matches('\''));
        let none: [(&str, &str); 0] = [];
        Ran::new(merganser(words, none)).exits(0);
    }
    assert!(dir.join("cattle.html").exists());
    lines
}
