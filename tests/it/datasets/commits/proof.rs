//! What is there is proven, and comes back from the archive without a request.

use std::os::unix::fs::PermissionsExt;

use super::world::{GitWorld, histories};
use crate::support::pipeline::Pipeline;

async fn proves(world: &GitWorld, pipeline: &Pipeline, code: i32) -> String {
    let list = world.list();
    let words = ["check", "commits", "--projects", &list, "--complete"];
    pipeline.other(&words).await.exits(code).stdout
}

#[tokio::test]
async fn what_is_missing_is_said_and_what_is_whole_is_proven() {
    let world = GitWorld::new("commits_proof", 250).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_proof_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    server.take_log();
    for pipeline in [&world.pipeline, &asking] {
        world.run(&[]).await.exits(0);
        let said = proves(&world, pipeline, 0).await;
        assert!(
            said.contains("ok    harbour/lighthouse: active, ") && said.contains("All is there"),
            "{said}"
        );
        for (harm, mend, expected) in [
            (
                "create table kept as select * from git_commits where repository_id = 9001 and sha = (
                    select min(sha) from git_commits where repository_id = 9001);
                delete from git_commits where (repository_id, sha) in (select repository_id, sha from kept)",
                "insert into git_commits select * from kept; drop table kept",
                "1 named and not there",
            ),
            (
                "update git_commits set unreachable_since_run = 'x' where sha = (
                    select min(sha) from git_commits where repository_id = 9001)",
                "update git_commits set unreachable_since_run = null",
                "1 with a mark that a head reaches",
            ),
            (
                "insert into git_commits (record_id, repository_id, sha) values ('9001:x', 9001, 'x')",
                "delete from git_commits where sha = 'x'",
                "1 without a mark that no head reaches",
            ),
        ] {
            pipeline.execute(harm).await;
            let said = proves(&world, pipeline, 1).await;
            assert!(said.contains(expected), "{expected}\n{said}");
            pipeline.execute(mend).await;
        }
        proves(&world, pipeline, 0).await;
    }
    let log = server.take_log();
    assert_eq!(log.len(), 5 * 5, "the requests of the heads alone: {log:#?}");
    // A commit that the last run has not seen.
    let name = "harbour/lighthouse";
    let tree = world.git(name, &["rev-parse", "main^{tree}"]);
    let next = world.git(name, &["commit-tree", "-m", "Next", "-p", "main", &tree]);
    world.git(name, &["update-ref", "refs/heads/main", &next]);
    server.holdings.host().repositories = world.host().await.repositories;
    let said = proves(&world, &asking, 1).await;
    assert!(said.contains(&format!("1 head(s) of now not there: {next}")), "{said}");
    let said = proves(&world, &world.pipeline, 1).await;
    assert!(said.contains(&format!("1 of the clone not there: {next}")), "{said}");
}

#[tokio::test]
async fn the_archive_gives_all_of_it_again_without_a_request() {
    let world = GitWorld::new("commits_again", 250).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_archive", &server).await;
    world.ask(&asking, &["--requests", "4"]).await.exits(0);
    world.ask(&asking, &[]).await.exits(0);
    let expected = histories(&asking).await;
    server.take_log();
    asking.execute("drop schema etl cascade; drop schema public cascade; create schema public").await;
    let list = world.list();
    let again = ["reprocess", "commits", "*", "--projects", &list];
    asking.other(&again).await.exits(0);
    assert_eq!(histories(&asking).await, expected);
    assert_eq!(server.take_log(), []);
    // What is closed is not written to, and what somebody wrote to it is not taken.
    let objects = asking.objects();
    let closed: Vec<_> = objects.keys().filter(|key| key.ends_with(".ndjson.zst")).collect();
    assert!(closed.len() >= 5 && !objects.keys().any(|key| key.contains("/open/")), "{objects:#?}");
    let path = asking.store().join(closed[0]);
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_mode(0o644);
    std::fs::set_permissions(&path, permissions).unwrap();
    let mut text = zstd::decode_all(&std::fs::read(&path).unwrap()[..]).unwrap();
    text.extend_from_slice(
        b"{\"history\":9001,\"note\":{\"full_name\":\"x/y\",\"state\":\"gone\",\"seen_us\":9}}\n",
    );
    std::fs::write(&path, zstd::encode_all(&text[..], 3).unwrap()).unwrap();
    let ran = asking.other(&["reprocess", "commits", "*", "--force", "--projects", &list]).await;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("somebody has changed it since it was closed"), "{}", ran.stderr);
    assert_eq!(histories(&asking).await, expected);
}
