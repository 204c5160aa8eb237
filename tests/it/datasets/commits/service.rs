//! A host that is down, or knows us no more, or asks for a long pause; and one that is asked after clones were read.

use super::world::GitWorld;
use crate::support::git_host::HostTrouble;

const STATES: &str =
    "select string_agg(repository_id || ' ' || state, ', ' order by repository_id) from git_repositories";

#[tokio::test]
async fn a_host_of_which_nobody_answers_fails_the_run() {
    let world = GitWorld::new("commits_down", 100).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_down_host", &server).await;
    // Whether or not something was loaded before.
    for loaded in [false, true] {
        if loaded {
            world.ask(&asking, &[]).await.exits(0);
            server.take_log();
        }
        for status in [500, 400] {
            for number in 1..=40 {
                server.trouble(number, HostTrouble::Status(status, Vec::new()));
            }
            let ran = world.ask(&asking, &[]).await.exits(1);
            let ran = ran.says("gave no answer about any of 5 histories").says(&format!("HTTP {status}"));
            ran.says("The database is unchanged.").says("\"hint\":\"check that");
            assert!(server.take_log().len() <= 25);
        }
        let ran = world.ask(&asking, &["--source", "http://127.0.0.1:9"]).await.exits(1);
        ran.says("gave no answer about any of 5 histories");
    }
    assert_eq!(asking.one(STATES).await, "9001 active, 9002 active, 9003 empty, 9004 active, 9005 active");
    // One that answers is enough, and the rest is not done.
    for number in 1..=20 {
        server.trouble(number, HostTrouble::Status(500, Vec::new()));
    }
    let ran =
        world.ask(&asking, &[]).await.exits(0).says("more to do: about 4 requests, 1 minute at this limit");
    assert!(!ran.stdout.contains("is done"), "{}", ran.stdout);
}

#[tokio::test]
async fn all_that_were_there_are_not_gone_at_once() {
    let world = GitWorld::new("commits_rights", 100).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_rights_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    let before = asking.one(STATES).await;
    server.holdings.host().refused = (9001..=9005).map(|id| (id, 404)).collect();
    for _ in 0..2 {
        let ran = world
            .ask(&asking, &[])
            .await
            .exits(1)
            .says("all 5 histories that it was asked for and had before are gone");
        ran.says("The database is unchanged.").says("that the token in GITHUB_TOKEN may still read them");
    }
    server.holdings.host().refused.clear();
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(asking.one(STATES).await, before);
    // Where another one is there, all that are gone may be.
    server.holdings.host().refused = (9001..=9004).map(|id| (id, 404)).collect();
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one(STATES).await, "9001 gone, 9002 gone, 9003 gone, 9004 gone, 9005 active");
    // And so may one alone.
    server.holdings.host().refused = [(9005, 404)].into();
    std::fs::write(world.list(), "project,repository\nReplaced,harbour/replaced\n").unwrap();
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one(STATES).await, "9001 gone, 9002 gone, 9003 gone, 9004 gone, 9005 gone");
}

#[tokio::test]
async fn a_long_pause_is_said_though_all_was_seen_today() {
    let world = GitWorld::new("commits_pause", 100).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_pause_host", &server).await;
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    server.trouble(1, HostTrouble::Status(429, vec![("retry-after", "4000".into())]));
    for said in ["1 request for 5 histories", "Nothing was asked for 5 histories"] {
        let ran = world.ask(&asking, &[]).await.exits(0);
        assert!(ran.stderr.contains("the service takes no request before"), "{}", ran.stderr);
        let ran = ran.says(said).says("so 5 histories were not asked for").says("Nothing new so far");
        assert!(!ran.stdout.contains("nothing more"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn marks_are_those_of_the_heads_that_were_told_last() {
    let world = GitWorld::new("commits_told", 100).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_told_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    let (list, clones) = (world.list(), format!("git:{}", world.clones().display()));
    let proof = async || {
        let proof = asking.other(&["check", "commits", "--complete", "--projects", &list]).await;
        proof.exits(0).says("Complete: every head");
    };
    proof().await;
    let marked = "select count(*) from git_commits where unreachable_since_run is not null";
    world.ask(&asking, &["--source", &clones, "--branches", "all"]).await.exits(0);
    assert_eq!(asking.one(marked).await, "0");
    // The host says that nothing has changed since it was asked.
    server.take_log();
    world.ask(&asking, &[]).await.exits(0);
    let log = server.take_log();
    assert_eq!(log.iter().filter(|asked| asked.status == 304).count(), 4, "{log:#?}");
    assert_ne!(asking.one(marked).await, "0");
    proof().await;
    let parts = "select count(*) from etl.parts";
    let before = asking.one(parts).await;
    world.ask(&asking, &[]).await.exits(0).says("Nothing new");
    assert_eq!(asking.one(parts).await, before, "it is said once");
}
