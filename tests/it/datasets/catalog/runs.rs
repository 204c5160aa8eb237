//! All sheets are replaced together, and only rows that differ are touched.

use std::fs;
use std::time::SystemTime;

use super::world::{World, good};

#[tokio::test]
async fn the_sheets_become_tables_and_the_same_sheets_are_nothing_new() {
    let world = World::new("catalog tables").await;
    world.run(&[]).await.exits(0);
    let project = "select concat_ws('|', project, name, repository, community, license, started, description)
                   from catalog_projects order by project";
    let projects = world.pipeline.column(project).await;
    assert_eq!(
        projects[0],
        "numpy|NumPy|https://git.example.org/numpy/numpy|py|BSD-3-Clause|2005-01-01|Arrays"
    );
    assert_eq!(projects[1], "sled|sled|MIT OR Apache-2.0", "empty cells are null");
    assert_eq!(world.keys("catalog_project_backers").await, "numpy,fund tensorflow,acme");
    assert_eq!(world.pipeline.one("select count(*) from catalog_rows").await, "16");
    world.run(&[]).await.exits(0);
    let runs = "select count(*) filter (where status = 'completed') from etl.runs";
    assert_eq!(world.pipeline.one(runs).await, "2");
    assert_eq!(world.pipeline.one("select count(*) from etl.parts").await, "8", "nothing was new");
    let check = world.pipeline.other(&["check", "catalog"]).await.exits(0);
    assert!(!check.stdout.contains("unique index"), "our own rules are nobody else's\n{}", check.stdout);
    let public = world.pipeline.csv("public/catalog/catalog_projects.csv");
    assert_eq!(public.rows.len(), 3);
}

/// A sheet that is saved again keeps its name, and may keep its size and its time.
#[tokio::test]
async fn one_changed_checksum_takes_all_sheets() {
    let world = World::new("catalog changed").await;
    let sheet = world.pipeline.source().join("categories.csv");
    let saved = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let keep_time = || fs::File::options().write(true).open(&sheet).unwrap().set_modified(saved).unwrap();
    keep_time();
    world.run(&[]).await.exits(0);
    let versions = "select string_agg(xmin::text, ' ' order by record_id) from catalog_projects";
    let before = world.pipeline.one(versions).await;
    world.put("categories.csv", good("categories.csv").replace("Storage", "Storing"));
    keep_time();
    world.run(&[]).await.exits(0);
    assert_eq!(
        world.pipeline.one("select name from catalog_categories where category = 'storage'").await,
        "Storing"
    );
    assert_eq!(world.pipeline.one(versions).await, before, "rows that are the same are not written");
    assert_eq!(world.pipeline.one("select count(*) from etl.parts").await, "16");
    let change = "select concat_ws(' ', inserted, replaced, deleted) from etl.table_changes
                  where table_name = 'catalog_categories' order by run_id desc limit 1";
    assert_eq!(world.pipeline.one(change).await, "0 1 0");
    // The archive has the new sheet in its place, and keeps the old one.
    let archived = fs::read_to_string(world.pipeline.store().join("private/catalog/categories.csv")).unwrap();
    assert!(archived.contains("Storing"));
    let postings: Vec<_> =
        fs::read_dir(world.pipeline.store().join("private/catalog/postings")).unwrap().collect();
    assert_eq!(postings.len(), 1);
}

#[tokio::test]
async fn what_no_sheet_names_any_more_goes_and_comes_back_by_an_undo() {
    let world = World::new("catalog gone").await;
    world.run(&[]).await.exits(0);
    world.put("links.csv", "project,kind,url\nsled,docs,https://docs.example.org/sled\n");
    world.put("projects.csv", good("projects.csv").replace("Learns", "Learns and learns"));
    world.run(&[]).await.exits(0);
    assert_eq!(world.keys("catalog_links").await, "sled,docs,https");
    world.pipeline.other(&["undo", "last"]).await.exits(0);
    assert_eq!(world.keys("catalog_links").await, "numpy,docs,https");
    let learns = "select description from catalog_projects where project = 'tensorflow'";
    assert_eq!(world.pipeline.one(learns).await, "Learns");
    // The undone sheets are not loaded again without force.
    world.run(&[]).await.exits(0).says("was undone");
    assert_eq!(world.pipeline.one(learns).await, "Learns");
    world.pipeline.other(&["reprocess", "catalog", "*.csv", "--force"]).await.exits(0);
    assert_eq!(world.pipeline.one(learns).await, "Learns and learns");
}

/// A row that has become bad goes, with the rows that refer to it. The failures stay open until it is put right.
#[tokio::test]
async fn a_bad_row_goes_and_comes_back_when_it_is_put_right() {
    let world = World::new("catalog failed").await;
    world.run(&[]).await.exits(0);
    world.put("projects.csv", good("projects.csv").replace("2015-11-09", "9.11.2015"));
    world.run(&["--allow", "drop"]).await.exits(3);
    assert_eq!(world.keys("catalog_projects").await, "numpy sled");
    assert_eq!(world.keys("catalog_project_categories").await, "numpy,data sled,storage");
    let failures = world.failures().await;
    assert_eq!(failures.len(), 4, "{failures:#?}");
    assert_eq!(failures.iter().filter(|row| row[4].contains("is not loaded")).count(), 3);
    // Another sheet changes: the failures are those of the new run, each once.
    world.put("communities.csv", good("communities.csv").replace("people", "folks"));
    world.run(&["--allow", "drop"]).await.exits(3);
    assert_eq!(world.failures().await.len(), 4);
    world.put("projects.csv", good("projects.csv"));
    world.run(&[]).await.exits(0);
    assert_eq!(world.failures().await.len(), 0);
    assert_eq!(world.keys("catalog_projects").await, "numpy sled tensorflow");
}

#[tokio::test]
async fn with_more_failures_than_are_allowed_the_last_good_state_stays() {
    let world = World::new("catalog budget").await;
    world.run(&[]).await.exits(0);
    world.put("projects.csv", good("projects.csv").replace("2015-11-09", "9.11.2015"));
    world.put("links.csv", "project,kind,url\n");
    world.run(&["--max-failures", "3"]).await.exits(1).says("guard failures");
    assert_eq!(world.keys("catalog_projects").await, "numpy sled tensorflow");
    assert_eq!(world.keys("catalog_links").await.split(' ').count(), 1);
    assert_eq!(world.failures().await.len(), 4, "the failures are still reported");
    world.run(&["--max-failures", "4"]).await.exits(1).says("guard drop");
    world.run(&["--max-failures", "4", "--allow", "drop"]).await.exits(3);
    assert_eq!(world.keys("catalog_projects").await, "numpy sled");
}
