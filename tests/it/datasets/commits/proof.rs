//! What is there is proven, and comes back from the archive without a request.

use std::os::unix::fs::PermissionsExt;

use super::world::{GitWorld, SOMEBODY, git, histories};
use crate::support::git_host::HostTrouble;
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
            said.contains("ok    harbour/lighthouse: active, ") && said.contains("Complete: every head"),
            "{said}"
        );
        for (harm, mend, expected) in [
            (
                "create table kept as select * from git_commits where repository_id = 9001 and sha = (
                    select min(sha) from git_commits where repository_id = 9001);
                delete from git_commits where (repository_id, sha) in (select repository_id, sha from kept)",
                "insert into git_commits select * from kept; drop table kept",
                "1 named but missing",
            ),
            (
                "update git_commits set unreachable_since_run = 'x' where sha = (
                    select min(sha) from git_commits where repository_id = 9001)",
                "update git_commits set unreachable_since_run = null",
                "1 that a head reaches, with a mark",
            ),
            (
                "insert into git_commits (record_id, repository_id, sha) values ('9001:x', 9001, 'x')",
                "delete from git_commits where sha = 'x'",
                "1 that no head reaches, without a mark",
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
    let next = world.add_commit(SOMEBODY, "Next");
    server.holdings.host().repositories = world.host().await.repositories;
    let said = proves(&world, &asking, 1).await;
    assert!(said.contains(&format!("1 current head missing: {next}")), "{said}");
    let said = proves(&world, &world.pipeline, 1).await;
    assert!(said.contains(&format!("1 of the clone missing: {next}")), "{said}");
}

#[tokio::test]
async fn what_could_not_be_looked_at_is_not_proven() {
    let world = GitWorld::new("commits_unseen", 150).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_unseen_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    world.run(&[]).await.exits(0);
    proves(&world, &asking, 0).await;
    let list = world.list();
    let said = async |pipeline: &Pipeline, more: &[&str]| {
        let words = [&["check", "commits", "--projects", &list, "--complete"], more].concat();
        pipeline.other(&words).await.exits(1).stdout
    };
    // A host that refuses some, is asked no more, or asks to wait.
    server.holdings.host().refused = [(9002, 404), (9004, 451), (9005, 403)].into();
    let refused = said(&asking, &[]).await;
    for expected in [
        "SKIP  harbour/oddities: active, ",
        "not checked: harbour/oddities is gone",
        "not checked: harbour/detached is blocked",
        "not checked: harbour/replaced is blocked",
        "ok    harbour/lighthouse: active, ",
        "Not proven: everything that could be checked is there. 3 of 5 histories could not be checked.",
    ] {
        assert!(refused.contains(expected), "{expected}\n{refused}");
    }
    let as_json: serde_json::Value = serde_json::from_str(&said(&asking, &["--json"]).await).unwrap();
    assert_eq!(as_json["complete"], false);
    let unseen = as_json["histories"].as_array().unwrap();
    assert_eq!(unseen.iter().filter(|history| history["not_looked_at"].is_string()).count(), 3, "{as_json}");
    server.holdings.host().refused.clear();
    let spent = said(&asking, &["--requests", "2"]).await;
    assert_eq!(spent.matches("not checked: the budget of requests is used up").count(), 3, "{spent}");
    server.take_log();
    server.trouble(2, HostTrouble::Status(429, vec![("retry-after", "3600".into())]));
    let limited = said(&asking, &["--max-wait", "1s"]).await;
    assert_eq!(limited.matches("not checked: the service takes no request before").count(), 4, "{limited}");
    assert_eq!(server.take_log().len(), 2);
    proves(&world, &asking, 0).await;
    // A repository that was renamed is the same, whether or not a run has asked for it by the name of before.
    server.holdings.host().renamed.insert("harbour/beacon".into(), 9001);
    let before = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, before.replace("harbour/lighthouse,9001", "harbour/beacon,")).unwrap();
    let renamed = proves(&world, &asking, 0).await;
    assert!(renamed.contains("ok    harbour/beacon: harbour/lighthouse now; active, "), "{renamed}");
    // Clones that cannot be read, or are not there.
    let url = format!("file://{}", world.clones().join("harbour/lighthouse").display());
    git(&world.clones().join("harbour"), &["clone", "--quiet", "--bare", "--depth", "3", &url, "beacon.git"]);
    std::fs::remove_dir_all(world.clones().join("harbour/detached")).unwrap();
    std::fs::write(&list, before.replace("harbour/lighthouse,9001", "harbour/beacon,9001")).unwrap();
    let clones = said(&world.pipeline, &[]).await;
    for expected in [
        "not checked: it is a shallow clone",
        "not checked: the folder has no such clone",
        "Not proven: everything that could be checked is there. 2 of 5 histories could not be checked.",
    ] {
        assert!(clones.contains(expected), "{expected}\n{clones}");
    }
    let all = world.pipeline.other(&["check", "commits", "--complete"]).await.exits(1).stdout;
    assert!(all.contains("not checked: the folder has no clone of it"), "{all}");
}

/// What a run refuses, a check does not find right.
#[tokio::test]
async fn a_check_compares_the_key_as_a_run_does() {
    let world = GitWorld::new("commits_other_key", 100).await;
    let list = world.list();
    let words = ["check", "commits", "--projects", &list];
    world.pipeline.other(&words).await.exits(0);
    world.run(&[]).await.exits(0);
    world.pipeline.other(&words).await.exits(0).says("MERGANSER_EMAIL_KEY is the same key as before");
    let other = world.pipeline.env([("MERGANSER_EMAIL_KEY".to_owned(), "another".to_owned())]);
    let ran = other.other(&[&["run", "commits", "--projects", &list], &[][..]].concat()).await.exits(1);
    ran.says("MERGANSER_EMAIL_KEY is not the key");
    let checked = other.other(&words).await.exits(1).says("MERGANSER_EMAIL_KEY is not the key");
    checked.says("A run of commits would not work: key.");
}

#[tokio::test]
async fn heads_that_were_put_back_are_told_from_those_that_are_proven() {
    let world = GitWorld::new("commits_put_back", 150).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_put_back_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    world.run(&[]).await.exits(0);
    // Every commit that is reached is there, and some are there that no head reaches.
    world.git("harbour/lighthouse", &["update-ref", "refs/heads/main", "main~3"]);
    server.holdings.host().repositories = world.host().await.repositories;
    let said = proves(&world, &asking, 1).await;
    assert!(said.contains("its heads have changed since the last run"), "{said}");
    let said = proves(&world, &world.pipeline, 1).await;
    assert!(said.contains("without a mark, and the clone has"), "{said}");
    world.ask(&asking, &[]).await.exits(0);
    world.run(&[]).await.exits(0);
    proves(&world, &asking, 0).await;
    proves(&world, &world.pipeline, 0).await;
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
