//! A host that limits, moves, refuses and breaks off.

use std::time::Duration;

use super::world::{GitWorld, histories};
use crate::support::git_host::{HostAsked, HostTrouble};

#[tokio::test]
async fn limits_are_waited_for_or_end_the_run() {
    let world = GitWorld::new("commits_limits", 250).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    let asking = GitWorld::asking("commits_limited", &server).await;
    // What is short is waited for.
    for status in [403, 429] {
        server.trouble(2, HostTrouble::Status(status, vec![("retry-after", "1".into())]));
        let ran = world.ask(&asking, &["--requests", "3", "--max-wait", "10s"]).await.exits(0);
        ran.says("asks us to wait");
        assert_eq!(server.take_log().len(), 3);
    }
    // What is long ends the run, and the next one knows it.
    server.trouble(1, HostTrouble::Status(429, vec![("retry-after", "3600".into())]));
    world.ask(&asking, &["--max-wait", "1s"]).await.exits(0).says("the service takes no request before");
    assert_eq!(server.take_log().len(), 1);
    world.ask(&asking, &["--max-wait", "1s"]).await.exits(0).says("the service takes no request before");
    assert_eq!(server.take_log().len(), 0);
    // Time passes.
    let forget = "delete from etl.plans where want like 'wait %'";
    asking.execute(forget).await;
    // Where nothing is said of how long, it is a minute.
    server.trouble(1, HostTrouble::Status(403, Vec::new()));
    world.ask(&asking, &["--max-wait", "59s"]).await.exits(0).says("the service takes no request before");
    assert_eq!(server.take_log().len(), 1);
    asking.execute(forget).await;
    // The limit of the hour is told before it is reached.
    {
        let mut limit = server.holdings.limit();
        (limit.limit, limit.used) = (1, 0);
        limit.reset = jiff::Timestamp::now().checked_add(Duration::from_secs(3600)).unwrap();
        limit.window_seconds = 3600;
    }
    world.ask(&asking, &["--max-wait", "1s"]).await.exits(0).says("the service takes no request before");
    let log = server.take_log();
    assert!(log.iter().all(|asked| asked.status != 403), "{log:#?}");
    server.holdings.limit().limit = 5_000;
    asking.execute(forget).await;
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
}

#[tokio::test]
async fn what_breaks_off_is_asked_again_and_what_is_refused_is_a_state() {
    let world = GitWorld::new("commits_states", 150).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    server.holdings.host().renamed.insert("harbour/lighthouse".into(), 9001);
    server.trouble(1, HostTrouble::Status(307, vec![("location", "/repositories/9001".into())]));
    server.trouble(3, HostTrouble::Half);
    server.trouble(4, HostTrouble::Status(502, Vec::new()));
    let asking = GitWorld::asking("commits_states_host", &server).await;
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
    // Under its name of before, it is the same, and the list may have both.
    server.take_log();
    server.holdings.host().renamed.insert("harbour/beacon".into(), 9001);
    let list = std::fs::read_to_string(world.list()).unwrap();
    std::fs::write(world.list(), format!("{list}Beacon,harbour/beacon,\n")).unwrap();
    let ran = world.ask(&asking, &[]).await.exits(0);
    assert!(ran.stderr.contains("are one history under two names"), "{}", ran.stderr);
    assert_eq!(asking.one("select count(*) from git_repositories").await, "5");
    std::fs::write(world.list(), &list).unwrap();
    // Gone, blocked and moved to another host: nobody else is the worse for it.
    server.take_log();
    server.holdings.host().refused = [(9002, 404), (9004, 451), (9005, 403)].into();
    server.trouble(1, HostTrouble::Status(302, vec![("location", "https://example.org/x".into())]));
    let ran = world.ask(&asking, &[]).await.exits(0);
    assert!(ran.stderr.contains("harbour/oddities is gone"), "{}", ran.stderr);
    assert!(ran.stderr.contains("harbour/detached is blocked"), "{}", ran.stderr);
    assert!(ran.stderr.contains("harbour/replaced is blocked"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("asks us to wait"), "{}", ran.stderr);
    assert!(ran.stderr.contains("it leads to another host"), "{}", ran.stderr);
    let states =
        "select string_agg(repository_id || ' ' || state, ', ' order by repository_id) from git_repositories";
    assert_eq!(asking.one(states).await, "9001 active, 9002 gone, 9003 empty, 9004 blocked, 9005 blocked");
    assert_eq!(
        asking.one("select count(*) from git_commits where unreachable_since_run is not null").await,
        "0"
    );
    server.holdings.host().token = Some("another".into());
    world.ask(&asking, &[]).await.exits(1).says("does not take the token in GITHUB_TOKEN");
}

#[tokio::test]
async fn a_host_that_says_at_once_again_and_again_is_left_after_a_while() {
    let world = GitWorld::new("commits_at_once", 100).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_at_once_host", &server).await;
    std::fs::write(world.list(), "project,repository\nLighthouse,harbour/lighthouse\n").unwrap();
    for number in 1..=60 {
        server.trouble(number, HostTrouble::Status(429, vec![("retry-after", "0".into())]));
    }
    let ran = world.ask(&asking, &["--requests", "60"]).await.exits(1);
    let ran = ran.says("gave no answer about any of 1 history");
    assert!(ran.stderr.contains("it is refused however long the run waits"), "{}", ran.stderr);
    let asked = server.take_log().len();
    assert!((2..=8).contains(&asked), "{asked}");
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
}

/// The token is this host's, and so is what a run asks.
#[tokio::test]
async fn a_next_page_at_another_host_is_not_asked_for_and_what_it_had_is_found_otherwise() {
    let world = GitWorld::new("commits_elsewhere", 350).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    let asking = GitWorld::asking("commits_elsewhere_host", &server).await;
    let list = std::fs::read_to_string(world.list()).unwrap();
    std::fs::write(world.list(), "project,repository,repository_id\nLighthouse,harbour/lighthouse,9001\n")
        .unwrap();
    // The details, the heads, and the first page.
    server.trouble(3, HostTrouble::Link("<https://example.org/x?page=2>; rel=\"next\""));
    world.ask(&asking, &["--requests", "4"]).await.exits(0).says("more to do");
    // What an earlier run has kept is of another host now, as after a move.
    let elsewhere =
        "update etl.plans set state = jsonb_set(state, '{walk,next}', '\"https://example.org/y\"')
        where state ? 'walk'";
    asking.execute(elsewhere).await;
    std::fs::write(world.list(), list).unwrap();
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
}

#[tokio::test]
async fn heads_of_one_that_goes_away_in_the_same_run_are_kept() {
    let world = GitWorld::new("commits_went", 350).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    let asking = GitWorld::asking("commits_went_host", &server).await;
    // Details, heads, two pages; then where the walk was, what is missing, and the details again.
    for number in [5, 6, 7] {
        server.trouble(number, HostTrouble::Status(404, Vec::new()));
    }
    let list = std::fs::read_to_string(world.list()).unwrap();
    std::fs::write(world.list(), "project,repository\nLighthouse,harbour/lighthouse\n").unwrap();
    let ran = world.ask(&asking, &[]).await.exits(0);
    assert!(ran.stderr.contains("harbour/lighthouse is gone"), "{}", ran.stderr);
    assert_eq!(server.take_log().len(), 7, "one commit and the details are enough to know it");
    let said =
        "select concat_ws(' ', state, project, cardinality(head_shas), default_branch) from git_repositories";
    assert_eq!(asking.one(said).await, "gone Lighthouse 1 main");
    std::fs::write(world.list(), list).unwrap();
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
    // Since when it is as it is comes from the archive as it came with the answers.
    let since =
        "select string_agg(full_name || ' ' || state_since, ', ' order by full_name) from git_repositories";
    let before = asking.one(since).await;
    asking.execute("drop schema etl cascade; drop schema public cascade; create schema public").await;
    let list = world.list();
    asking.other(&["reprocess", "commits", "*", "--projects", &list]).await.exits(0);
    assert_eq!(asking.one(since).await, before);
}

#[tokio::test]
async fn a_token_that_expires_half_way_ends_the_run_and_what_came_before_is_kept() {
    let world = GitWorld::new("commits_expired", 350).await;
    world.run(&[]).await.exits(0);
    let server = world.server().await;
    let asking = GitWorld::asking("commits_expired_host", &server).await;
    server.trouble(4, HostTrouble::Status(401, Vec::new()));
    world.ask(&asking, &[]).await.exits(1).says("does not take the token in GITHUB_TOKEN");
    let before = server.take_log();
    assert_eq!(before.len(), 4);
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    let after = server.take_log();
    let is_again = |asked: &&HostAsked| {
        after.iter().any(|again| (&again.path, &again.query) == (&asked.path, &asked.query))
    };
    assert_eq!(before.iter().filter(is_again).count(), 1, "only what was refused: {after:#?}");
    assert_eq!(histories(&asking).await, histories(&world.pipeline).await);
}

#[tokio::test]
async fn addresses_and_lists_that_make_no_sense_are_refused() {
    let world = GitWorld::new("commits_addresses", 100).await;
    for (source, said) in
        [("http://example.org", "https://"), ("ftp://example.org", "git:DIR"), ("git:", "names no folder")]
    {
        world.run(&["--source", source]).await.exits(2).says(said);
    }
    let server = world.server().await;
    let asking = GitWorld::asking("commits_no_list", &server).await;
    asking.other(&["run", "commits"]).await.exits(2).says("--projects FILE.csv names them");
    let nowhere = GitWorld::empty("commits_nowhere").await.pipeline.without("--source");
    nowhere.other(&["run", "commits"]).await.exits(2).says("the source of histories is not given");
    let no_key = asking.env([("MERGANSER_EMAIL_KEY".to_owned(), String::new())]);
    world.ask(&no_key, &[]).await.exits(2).says("MERGANSER_EMAIL_KEY is not set");
}
