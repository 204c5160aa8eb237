//! Parts of the archive that tell of the same records are taken again by one command, each after the newer ones.

use std::sync::Arc;
use std::time::Duration;

use merganser::datasets::nass::columns::VALUE;

use super::world::{World, records};
use crate::support::pipeline::Ran;

/// From now on the service says this value in every record. The names of answers tell their time in seconds.
async fn revise(world: &World, value: &str) {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let mut revised = records(2014..=2014, 300);
    (0..revised.len()).for_each(|row| revised.set(row, VALUE, value));
    world.server.change(|api| api.records = Arc::new(revised));
}

async fn differ(world: &World, one: &str, other: &str) -> String {
    let query = format!(
        "select count(*) from ((table {one} except all table {other})
        union all (table {other} except all table {one})) as differs"
    );
    world.pipeline.one(&query).await
}

async fn again(world: &World, more: &[&str]) -> Ran {
    world.pipeline.other(&[&["reprocess", "nass", "2014*"], more].concat()).await
}

#[tokio::test]
async fn one_command_puts_a_whole_table_right() {
    let world = World::new("nass overlaps", records(2014..=2014, 300), 2_000).await;
    world.run("2014", "2014", &["--api-limit", "700"]).await.exits(0);
    revise(&world, "4711").await;
    world.run("2014", "2014", &["--filter", "commodity_desc=CORN"]).await.exits(0);
    world.pipeline.execute("create table was as table nass_facts").await;
    let newer = "select count(*) from was where value = 4711 and commodity_desc = 'CORN'";
    assert_eq!(world.pipeline.one(newer).await, "750");
    let spoil = "update nass_facts set value = -999 where commodity_desc = 'OATS'";
    world.pipeline.execute(spoil).await;
    world.pipeline.execute("create table spoilt as table nass_facts").await;

    let ran = again(&world, &["--force", "--dry-run"]).await.exits(0);
    assert!(ran.stderr.contains("they come in 2 batches"), "{}", ran.stderr);
    assert_eq!(differ(&world, "nass_facts", "spoilt").await, "0");
    for option in ["--fail-fast", "--golden"] {
        let value = world.pipeline.folder().display().to_string();
        std::fs::write(world.pipeline.folder().join("nass_facts.csv"), "record_id\n").unwrap();
        let words = match option {
            "--golden" => vec!["--force", option, &value],
            _ => vec!["--force", option],
        };
        let ran = again(&world, &words).await.exits(1);
        assert!(ran.stderr.contains(&format!("leave out {option}")), "{}", ran.stderr);
        assert_eq!(differ(&world, "nass_facts", "spoilt").await, "0");
    }
    again(&world, &["--force"]).await.exits(0);
    assert_eq!(differ(&world, "nass_facts", "was").await, "0");
    // Older data may come over newer data of other runs, not over that of the same run.
    world.pipeline.execute(spoil).await;
    again(&world, &["--force", "--overwrite-newer"]).await.exits(0);
    assert_eq!(differ(&world, "nass_facts", "was").await, "0");
    // All batches of the run are taken back together.
    world.pipeline.other(&["undo", "last"]).await.exits(0);
    assert_eq!(differ(&world, "nass_facts", "spoilt").await, "0");
}

/// The first overlaps the second and the second the third, so the first must not come with the third.
#[tokio::test]
async fn a_chain_of_parts_comes_from_its_newest_end_also_when_it_is_cut_off() {
    let world = World::new("nass chain", records(2014..=2014, 300), 2_000).await;
    for (value, filter) in [("1", "state_alpha=AL"), ("2", "commodity_desc=CORN"), ("3", "state_alpha=IA")] {
        revise(&world, value).await;
        world.run("2014", "2014", &["--filter", filter]).await.exits(0);
    }
    let tell = |table: &str| {
        format!(
            "select string_agg(told, '; ' order by told) from (select distinct
            concat_ws(' ', case when state_alpha in ('AL', 'IA') then state_alpha else 'other' end,
            commodity_desc, value) as told from {table}) as t"
        )
    };
    let whole = "AL CORN 2; AL OATS 1; IA CORN 3; IA OATS 3; other CORN 2";
    assert_eq!(world.pipeline.one(&tell("nass_facts")).await, whole);
    let into = ["reprocess", "nass", "2014*", "--table", "again"];
    for (batch, told) in
        [("1", "IA CORN 3; IA OATS 3"), ("2", "AL CORN 2; IA CORN 3; IA OATS 3; other CORN 2")]
    {
        let fault = format!("promote.after_commit@{batch}=kill");
        world.pipeline.start_other(&[&into[..], &["--force"]].concat(), &[("FAULTS", &fault)]).await.unwrap();
        assert_eq!(world.pipeline.one(&tell("again")).await, told);
    }
    world.pipeline.other(&into).await.exits(0);
    assert_eq!(world.pipeline.one(&tell("again")).await, whole);
    assert_eq!(differ(&world, "nass_facts", "again").await, "0");
}
