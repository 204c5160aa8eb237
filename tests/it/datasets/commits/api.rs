//! Histories from a host: the same rows as from clones, within a budget, and from where the last run ended.

use std::collections::{BTreeMap, BTreeSet};

use merganser::datasets::commits::host::LinkForm;

use super::world::{GitWorld, TOKEN, histories};
use crate::support::git_host::GitHostServer;
use crate::support::pipeline::{Pipeline, Ran};

#[tokio::test]
async fn a_host_gives_the_same_rows_as_clones_and_is_asked_once_where_nothing_is_new() {
    for (links, branches) in [(LinkForm::Numbered, "default"), (LinkForm::LastSha, "all")] {
        let world = GitWorld::new("commits_equal", 350).await;
        world.run(&["--branches", branches]).await.exits(0);
        let server = world.server().await;
        server.holdings.host().links = links;
        let asking = GitWorld::asking("commits_asking", &server).await;
        world.ask(&asking, &["--branches", branches]).await.exits(0).says("nothing more to do");
        let (expected, found) = (histories(&world.pipeline).await, histories(&asking).await);
        let unlike: Vec<_> = expected.iter().zip(&found).filter(|(a, b)| a != b).take(3).collect();
        assert!(expected == found, "{} and {} rows: {unlike:#?}", expected.len(), found.len());
        assert!(expected.len() > 900);
        server.take_log();
        let again = world.ask(&asking, &["--branches", branches]).await.exits(0);
        // What the empty one answers holds no commit, and nobody need be asked why.
        assert!(!again.stderr.contains("holds no commit"), "{}", again.stderr);
        again.says("nothing more to do");
        let log = server.take_log();
        assert_eq!(log.len(), 5, "{log:#?}");
        assert!(log.iter().all(|asked| asked.path.starts_with("/repositories/")));
        assert_eq!(
            log.iter().filter(|asked| asked.status == 304).count(),
            if branches == "all" { 5 } else { 4 }
        );
        no_token(&asking).await;
    }
}

/// The token is neither in the database nor in the store.
async fn no_token(pipeline: &Pipeline) {
    for table in pipeline
        .column("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname !~ '^(pg_|information)'")
        .await
    {
        for row in pipeline.column(&format!("select r::text from {table} as r")).await {
            assert!(!row.contains(TOKEN), "{table}: {row}");
        }
    }
    for (key, bytes) in pipeline.objects() {
        let bytes = if key.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes };
        assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{key}");
    }
}

#[tokio::test]
async fn a_budget_is_kept_and_the_next_run_goes_on_there() {
    let world = GitWorld::new("commits_budget", 350).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    let whole = GitWorld::asking("commits_whole", &server).await;
    world.ask(&whole, &[]).await.exits(0);
    let needed = server.take_log().len();
    let asking = GitWorld::asking("commits_parts", &server).await;
    let mut asked = Vec::new();
    for run in 1.. {
        let ran = world.ask(&asking, &["--requests", "3"]).await.exits(0);
        let log = server.take_log();
        assert!(log.len() <= 3, "{log:#?}");
        asked.extend(log.into_iter().filter(|asked| asked.status != 304));
        if ran.stdout.contains("nothing more to do") {
            break;
        }
        ran.says("more to do: about").says("at this limit");
        assert!(run < needed, "it comes to an end");
    }
    // What is whole is looked at again, and nothing else is asked twice; of an empty one nothing is known that could be the same.
    asked.retain(|asked| asked.status != 409);
    let different: BTreeSet<_> = asked.iter().map(|asked| (&asked.path, &asked.query)).collect();
    assert_eq!(different.len(), asked.len(), "{asked:#?}");
    assert!(asked.len() < needed, "{needed}");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
}

#[tokio::test]
async fn a_run_that_is_killed_after_any_request_loses_no_commit_and_repeats_one_at_most() {
    let world = GitWorld::new("commits_killed", 250).await;
    world.run(&["--branches", "all"]).await.exits(0);
    let expected = histories(&world.pipeline).await;
    let server = world.server().await;
    let whole = GitWorld::asking("commits_unbroken", &server).await;
    world.ask(&whole, &["--branches", "all"]).await.exits(0);
    let needed = server.take_log().len();
    // Nothing of the answer is kept; it is in the archive; the ledger knows where the walk is. What is lost is the first that the
    // next run asks for, so that one is killed at its second.
    for (point, at, most) in [("walk.answered", 2, 2), ("walk.archived", 2, 2), ("walk.saved", 1, 1)] {
        let asking = GitWorld::asking("commits_broken_off", &server).await;
        for _ in 1..=needed {
            let killed = broken(&world, &asking, &format!("{point}@{at}=kill")).await;
            assert_ne!(killed.code, 0, "{}", killed.stderr);
        }
        world.ask(&asking, &["--branches", "all"]).await.exits(0).says("nothing more to do");
        assert_eq!(histories(&asking).await, expected, "{point}");
        let mut asked: BTreeMap<_, usize> = BTreeMap::new();
        for answered in server.take_log().into_iter().filter(|asked| asked.status == 200) {
            *asked.entry((answered.path, answered.query)).or_default() += 1;
        }
        asked.retain(|_, times| *times > most);
        assert!(asked.is_empty(), "{point}: {asked:#?}");
    }
}

async fn broken(world: &GitWorld, pipeline: &Pipeline, fault: &str) -> Ran {
    let list = world.list();
    let words = ["run", "commits", "--projects", &list, "--branches", "all"];
    pipeline.start_other(&words, &[("FAULTS", fault)]).await.expect("the run is over")
}

#[tokio::test]
async fn what_is_not_promoted_is_gone_on_with_and_a_force_push_is_seen() {
    let world = GitWorld::new("commits_pushed", 250).await;
    let server: GitHostServer = world.server().await;
    let asking = GitWorld::asking("commits_pushed_host", &server).await;
    world.ask(&asking, &["--requests", "2"]).await.exits(0);
    // Between two runs, the branch goes another way.
    let name = "harbour/lighthouse";
    let tree = world.git(name, &["rev-parse", "main^{tree}"]);
    let other = world.git(name, &["commit-tree", "-m", "Another way", "-p", "main~120", &tree]);
    world.git(name, &["update-ref", "refs/heads/main", &other]);
    server.holdings.host().repositories = world.host().await.repositories;
    world.ask(&asking, &[]).await.exits(0);
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    world.run(&[]).await.exits(0);
    let reached = "select string_agg(sha, ' ' order by sha) from git_commits
        where repository_id = 9001 and unreachable_since_run is null";
    assert_eq!(asking.one(reached).await, world.pipeline.one(reached).await);
    let marked = "select count(*) from git_commits where unreachable_since_run is not null";
    assert_ne!(asking.one(marked).await, "0");
}

#[tokio::test]
async fn what_is_empty_or_gone_still_brings_nothing_to_load() {
    let world = GitWorld::new("commits_still_empty", 100).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_still_empty_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    server.holdings.host().refused = [(9002, 404), (9004, 451)].into();
    world.ask(&asking, &[]).await.exits(0);
    let states =
        "select string_agg(repository_id || ' ' || state, ', ' order by repository_id) from git_repositories";
    let before = "9001 active, 9002 gone, 9003 empty, 9004 blocked, 9005 active";
    assert_eq!(asking.one(states).await, before);
    let parts = "select count(*) from etl.parts";
    let of_first = asking.one(parts).await;
    server.take_log();
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(server.take_log().len(), 5, "each is looked at");
    assert_eq!(asking.one(parts).await, of_first);
    assert_eq!(asking.one(states).await, before);
    // What changes is news.
    server.holdings.host().refused = [(9003, 451)].into();
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one(states).await, "9001 active, 9002 active, 9003 blocked, 9004 active, 9005 active");
}
