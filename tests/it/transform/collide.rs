//! Rows that go over to another partition: the old copy is in the way of the new one where the table has a unique index.

use std::process::Output;

use super::world::{IN_ONE_PIECE, World};
use crate::support::waiting::until;

/// A job with a partition in each group, whose changed partitions are done again.
async fn changed(hint: &str, rows: u32) -> World {
    let world = World::new(hint, rows).await;
    world.edit("job.toml", "group_rows = 400", "group_rows = 1");
    world.edit("job.toml", "key = \"zip_code\"\n", "key = \"zip_code\"\nchanged = \"seen\"\n");
    world
}

/// Runs a worker, and these statements when it has done some groups.
async fn meanwhile(world: &World, words: &[&str], groups: u32, statements: &str) -> Output {
    let hold = world.folder.path().join("hold");
    let worker = world.start(words, &format!("transform.finished@{groups}=hold {}", hold.display()));
    until("a worker is held", async || hold.exists()).await;
    world.run(statements).await;
    std::fs::remove_file(&hold).unwrap();
    worker.wait_with_output().unwrap()
}

/// A view of the partitions that are done.
const DONE: &str = "create temp view done as
    select part.key
    from etl.transform_partitions as part
        join etl.transform_groups as groups using (version_id, group_no)
        join etl.transform_versions as version using (version_id)
    where groups.status = 'done' and version.state = 'open';";

#[tokio::test]
async fn rows_that_change_their_partition_while_it_is_read_are_where_they_belong() {
    let world = changed("transform_collide", 400).await;
    // Rows of one that is done go to one that is not, and to each other.
    let moves = format!(
        "{DONE}
        create temp table moved as
        select distinct on (zip_code) id, zip_code from companies_raw where zip_code in (select key from done) and name is not null;
        update companies_raw
        set zip_code = (select zip_code from moved where id <> companies_raw.id order by id limit 1)
        where id in (select id from moved order by id limit 2);
        update companies_raw
        set zip_code = (
            select key from etl.transform_partitions
            where key is not null and key not in (select key from done where key is not null) order by rows_planned limit 1
        )
        where id = (select max(id) from moved)"
    );
    let output = meanwhile(&world, &["work"], 4, &moves).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("it is done again with what has changed"), "{said}");
    world.assert_whole().await;
}

/// The old copy is in a partition that is done, and in the way until that one is cleaned again.
#[tokio::test]
async fn in_place_a_row_that_moves_while_it_is_read_is_where_it_belongs() {
    let world = changed("transform_collide_in_place", 400).await;
    world.expect(0, &["work"]);
    let moves = format!(
        "{DONE}
        update companies_raw
        set seen = clock_timestamp(), zip_code = (
            select key from etl.transform_partitions
            where key is not null and key not in (select key from done where key is not null) order by rows_planned limit 1
        )
        where id = (
            select max(id) from companies_raw where zip_code in (select key from done) and name is not null
        )"
    );
    let output = meanwhile(&world, &["work", "--in-place", "--anew"], 4, &moves).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("it is done again with what has changed"), "{said}");
    world.assert_whole().await;
}

#[tokio::test]
async fn rows_of_a_giant_that_move_to_later_pages_are_there_once() {
    let world = changed("transform_giant_moves", 3_000).await;
    world.edit("job.toml", "group_rows = 1", "group_rows = 20");
    world.edit("job.toml", "[clean]\n", "[clean]\nrow_wise = true\n");
    world.edit("clean.duckdb.sql", "row_number() over (partition by zip_code order by id)", "id");
    let output = meanwhile(&world, &["work"], 4, "update companies_raw set name = 'later'").await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("it is done again with what has changed"), "{said}");
    let truth = IN_ONE_PIECE.replace("row_number() over (partition by zip_code order by id)", "id");
    assert_eq!(world.differing("companies_clean", &truth).await, "0 too many, 0 missing");
}

#[tokio::test]
async fn a_row_that_two_partitions_give_is_poison_in_the_end() {
    let world = changed("transform_same_row", 100).await;
    world.run("insert into companies_raw (id, zip_code, name) values (1, 'twice', 'x')").await;
    let said = world.expect(3, &["work"]);
    assert!(said.contains("1 group failed again and again"), "{said}");
    let error = world.status()["poison"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("duplicate key"), "{error}");
}

#[tokio::test]
async fn in_place_rows_may_change_their_partition() {
    let world = World::new("transform_collide_in_place", 300).await;
    world.edit("job.toml", "group_rows = 400", "group_rows = 1");
    world
        .run("insert into companies_raw (id, zip_code, name) values (1001, 'a', 'x'), (1002, 'b', 'y'), (1003, 'c', 'z')")
        .await;
    world.expect(0, &["run"]);
    // A partition that is gone was merged into another.
    world.run("update companies_raw set zip_code = 'b' where zip_code = 'a'").await;
    world.expect(0, &["run", "--in-place", "--anew"]);
    world.assert_whole().await;
    // Two that exchange their rows: neither can be replaced before the other.
    world
        .run("update companies_raw set zip_code = case zip_code when 'b' then 'c' else 'b' end where zip_code in ('b', 'c')")
        .await;
    let said = world.expect(0, &["work", "--in-place", "--anew"]);
    assert!(said.contains("2 groups that collide are tried together"), "{said}");
    world.assert_whole().await;
    // What collides all the same is told.
    world.run("insert into companies_raw (id, zip_code, name) values (1001, 'd', 'x')").await;
    world.expect(3, &["run", "--in-place", "--anew"]);
    let error = world.status()["poison"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("a run without --in-place puts it right"), "{error}");
    assert!(error.contains("(and without `where`,"), "{error}");
}

/// Two workers delete the rows of one partition each, and wait for each other with what they insert: the server ends one of them.
#[tokio::test]
async fn partitions_that_exchange_rows_between_two_workers_are_tried_together() {
    let world = World::new("transform_exchange", 10).await;
    world.edit("job.toml", "group_rows = 400", "group_rows = 150");
    world
        .run(
            "insert into companies_raw (id, zip_code, name)
            select 1000 + number, case when number % 2 = 0 then 'p' else 'q' end, 'x' from generate_series(1, 400) as number",
        )
        .await;
    world.expect(0, &["run"]);
    let exchange = "update companies_raw set zip_code = case zip_code when 'p' then 'q' else 'p' end where zip_code in ('p', 'q')";
    for _ in 0..4 {
        world.run(exchange).await;
        world.expect(0, &["run", "--in-place", "--anew", "--workers", "2"]);
        world.assert_whole().await;
    }
}
