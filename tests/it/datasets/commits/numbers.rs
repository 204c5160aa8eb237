//! A repository that comes under another number than before is the same, and nothing of it stands twice.

use super::world::{GitWorld, SOMEBODY};
use crate::support::pipeline::Pipeline;

const NUMBERS: &str =
    "select string_agg(repository_id::text, ' ' order by repository_id) from git_repositories";
const HOSTS: &str = "9001 9002 9003 9004 9005";

/// The list without its numbers; gives what it was.
fn without_numbers(world: &GitWorld) -> String {
    let list = std::fs::read_to_string(world.list()).unwrap();
    let lines: Vec<_> = list.lines().map(|line| line.rsplit_once(',').unwrap().0).collect();
    std::fs::write(world.list(), lines.join("\n")).unwrap();
    list
}

/// All rows belong to a repository that is there, once; gives how many of each table.
async fn counts(pipeline: &Pipeline) -> String {
    for table in ["git_commits", "git_parents", "git_trailers"] {
        let astray = format!(
            "select count(*) from {table} where repository_id not in (select repository_id from git_repositories)
                or record_id <> repository_id || ':' || sha"
        );
        assert_eq!(pipeline.one(&astray).await, "0", "{table}");
    }
    let origins = "select count(*) from git_commits as c full join etl.record_origins as o
        on o.record_id = c.record_id where c.record_id is null or o.record_id is null";
    assert_eq!(pipeline.one(origins).await, "0");
    let counts = "select concat_ws(' ', (select count(*) from git_commits), (select count(*) from git_parents),
        (select count(*) from git_trailers), (select count(*) from git_commits where unreachable_since_run is not null))";
    pipeline.one(counts).await
}

#[tokio::test]
async fn a_number_that_the_list_has_later_takes_the_history_over() {
    let world = GitWorld::new("commits_numbered", 150).await;
    let pipeline = &world.pipeline;
    let list = without_numbers(&world);
    world.run(&[]).await.exits(0);
    assert!(pipeline.one(NUMBERS).await.starts_with('-'));
    let before = counts(pipeline).await;
    std::fs::write(world.list(), &list).unwrap();
    world.run(&[]).await.exits(0).says("Committed");
    assert_eq!(pipeline.one(NUMBERS).await, HOSTS);
    assert_eq!(counts(pipeline).await, before);
    world.run(&[]).await.exits(0).says("Nothing new");
    let projects = world.list();
    let proof = ["check", "commits", "--complete", "--projects", &projects];
    pipeline.other(&proof).await.exits(0).says("Complete: every head");
    // A wrong number that is put right, and one that is taken off again.
    std::fs::write(world.list(), list.replace(",9001", ",9009")).unwrap();
    world.run(&[]).await.exits(0);
    assert_eq!(pipeline.one(NUMBERS).await, "9002 9003 9004 9005 9009");
    without_numbers(&world);
    world.run(&[]).await.exits(0);
    assert!(pipeline.one("select max(repository_id) from git_repositories").await.starts_with('-'));
    assert_eq!(counts(pipeline).await, before);
}

#[tokio::test]
async fn the_number_of_a_host_is_that_of_clones_without_one() {
    let world = GitWorld::new("commits_unnumbered", 150).await;
    without_numbers(&world);
    let server = {
        let mut host = world.host().await;
        host.repositories.iter_mut().zip(9001..).for_each(|(repository, id)| repository.id = id);
        crate::support::git_host::GitHostServer::start(host, 5_000)
    };
    let asking = GitWorld::asking("commits_unnumbered_host", &server).await;
    let clones = format!("git:{}", world.clones().display());
    world.ask(&asking, &["--source", &clones]).await.exits(0);
    let before = counts(&asking).await;
    // A budget ends the first run in the middle.
    world.ask(&asking, &["--requests", "3"]).await.exits(0);
    assert_eq!(counts(&asking).await, before);
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(asking.one(NUMBERS).await, HOSTS);
    assert_eq!(counts(&asking).await, before);
    world.add_commit(SOMEBODY, "Next");
    world.ask(&asking, &["--source", &clones]).await.exits(0);
    assert_eq!(asking.one(NUMBERS).await, HOSTS);
    let added =
        asking.one("select count(*) from git_commits where repository_id = 9001 and subject = 'Next'");
    assert_eq!(added.await, "1");
    counts(&asking).await;
}

#[tokio::test]
async fn what_an_earlier_program_has_twice_goes_when_it_is_told_of() {
    let world = GitWorld::new("commits_twice", 150).await;
    let pipeline = &world.pipeline;
    let list = without_numbers(&world);
    world.run(&[]).await.exits(0);
    let once = counts(pipeline).await;
    pipeline.execute("update git_repositories set full_name = 'x' || full_name").await;
    std::fs::write(world.list(), &list).unwrap();
    world.run(&[]).await.exits(0);
    assert_ne!(counts(pipeline).await, once);
    pipeline
        .execute("update git_repositories set full_name = substr(full_name, 2) where repository_id < 0")
        .await;
    world.add_commit(SOMEBODY, "Next");
    world.run(&[]).await.exits(1).says("guard drop").says("The database is unchanged.");
    world.run(&["--allow", "drop"]).await.exits(0);
    let of_lighthouse = "select string_agg(repository_id::text, ' ') from git_repositories where full_name = 'harbour/lighthouse'";
    assert_eq!(pipeline.one(of_lighthouse).await, "9001");
    counts(pipeline).await;
}
