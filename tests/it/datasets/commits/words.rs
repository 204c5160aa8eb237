//! What is said of repositories at several times: names that change, and words that are read again.

use merganser::dataset::Promotion;
use merganser::datasets::commits::COMMITS;
use merganser::sql;

use super::world::{GitWorld, SOMEBODY};

const LIGHTHOUSE: &str =
    "select concat_ws(' ', full_name, moved_from, moved_at is not null) from git_repositories
    where repository_id = 9001";

#[tokio::test]
async fn a_repository_that_moved_says_when_and_from_where() {
    let world = GitWorld::new("commits_moved", 150).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_moved_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one(LIGHTHOUSE).await, "harbour/lighthouse f");
    {
        let mut host = server.holdings.host();
        host.renamed.insert("harbour/lighthouse".into(), 9001);
        let moved = host.repositories.iter_mut().find(|repository| repository.id == 9001).unwrap();
        moved.full_name = "harbour/beacon".into();
    }
    // The details are asked for anew, and the number finds it.
    asking
        .execute(
            "update etl.plans set state = jsonb_set(state, '{walk,details_us}', '1') where state ? 'walk'",
        )
        .await;
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one(LIGHTHOUSE).await, "harbour/beacon harbour/lighthouse t");
    let seen = "select (moved_at = seen_at)::text from git_repositories where repository_id = 9001";
    assert_eq!(asking.one(seen).await, "true");
    // Who reads all of it anew is told the same; and of one that is new to us, the list has the name of before.
    let moved_at = "select moved_at::text from git_repositories where repository_id = 9001";
    let before = asking.one(moved_at).await;
    let list = world.list();
    for again in ["select 1", "delete from git_repositories"] {
        asking.execute(again).await;
        asking.other(&["reprocess", "commits", "*", "--force", "--projects", &list]).await.exits(0);
        assert_eq!(asking.one(LIGHTHOUSE).await, "harbour/beacon harbour/lighthouse t");
        assert_eq!(asking.one(moved_at).await, before);
    }
    let later = GitWorld::asking("commits_moved_later", &server).await;
    world.ask(&later, &[]).await.exits(0);
    assert_eq!(later.one(LIGHTHOUSE).await, "harbour/beacon harbour/lighthouse t");
    let published = asking.objects();
    let csv = published.iter().find(|(key, _)| key.ends_with("public/commits/repositories.csv.gz"));
    let (_, packed) = csv.expect("repositories are published");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert!(text.contains("moved_from") && text.contains("harbour/lighthouse"), "{text}");
}

/// A clone is called what its folder is called, which a person chose or forgot to change.
#[tokio::test]
async fn the_folder_of_a_clone_renames_nothing_that_a_host_has_named() {
    let world = GitWorld::new("commits_folder", 150).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_folder_host", &server).await;
    {
        let mut host = server.holdings.host();
        host.renamed.insert("harbour/lighthouse".into(), 9001);
        let moved = host.repositories.iter_mut().find(|repository| repository.id == 9001).unwrap();
        moved.full_name = "harbour/beacon".into();
    }
    world.ask(&asking, &[]).await.exits(0);
    let all = "select concat_ws(' ', full_name, moved_from, moved_at) from git_repositories where repository_id = 9001";
    let before = asking.one(all).await;
    assert_eq!(asking.one(LIGHTHOUSE).await, "harbour/beacon harbour/lighthouse t");
    let next = world.add_commit(SOMEBODY, "Next");
    let (list, clones) = (world.list(), format!("git:{}", world.clones().display()));
    asking.other(&["run", "commits", "--projects", &list, "--source", &clones]).await.exits(0);
    assert_eq!(asking.one(all).await, before);
    let heads = "select head_shas[1] from git_repositories where repository_id = 9001";
    assert_eq!(asking.one(heads).await, next, "all else that the clone says counts");
    // Where no host has said anything, the folder is all there is.
    world.run(&[]).await.exits(0);
    assert_eq!(world.pipeline.one(LIGHTHOUSE).await, "harbour/lighthouse f");
    std::fs::rename(world.clones().join("harbour/lighthouse"), world.clones().join("harbour/beacon"))
        .unwrap();
    let text = std::fs::read_to_string(&list).unwrap().replace("harbour/lighthouse", "harbour/beacon");
    std::fs::write(&list, text).unwrap();
    world.run(&[]).await.exits(0);
    assert_eq!(world.pipeline.one(LIGHTHOUSE).await, "harbour/beacon harbour/lighthouse t");
}

#[tokio::test]
async fn what_was_said_before_does_not_come_back_when_it_is_read_again() {
    let world = GitWorld::new("commits_words", 100).await;
    world.run(&[]).await.exits(0);
    let pipeline = &world.pipeline;
    let script = |file: &str, schema: &str| {
        let own = [
            ("staging", "read_again"),
            ("overwrite_newer", "false"),
            ("ledger", "etl"),
            ("dataset", "commits"),
        ];
        sql::render(file, &[&[("schema", schema)], &own[..]].concat())
    };
    let Promotion::Merge { plan, .. } = COMMITS.promotion else { panic!("histories are merged") };
    // An old part and a new one are read in one batch; meanwhile another has said more.
    let staged = "create schema read_again;
        create table read_again.commits_records (
            record_id text, order_key text, part_id bigint, ordinal bigint, is_winner boolean
        );
        update git_repositories
        set full_name = 'harbour/beacon', project = 'Now', default_branch = 'trunk', state = 'archived',
            state_since = '2026-03-01', seen_at = '2026-03-01', moved_from = 'harbour/lighthouse', moved_at = '2026-02-01'
        where repository_id = 9001;";
    let words = "insert into read_again.git_repositories
            (record_id, repository_id, full_name, project, state, state_since, seen_at, default_branch, moved_from, moved_at,
             is_named_by_host)
        values
            ('9001', 9001, 'harbour/lighthouse', 'Then', 'archived', '2025-01-01', '2025-01-01', 'main', null, null, true),
            ('9001', 9001, 'harbour/lighthouse', 'Then', 'gone', '2025-06-01', '2025-06-01', 'main', null, null, true),
            ('9001', 9001, 'harbour/beacon', null, 'archived', '2026-04-01', '2026-04-01', null, 'harbour/lighthouse', '2026-04-01', true);";
    let tables = script(COMMITS.scripts.tables, "read_again");
    let promotion = script(plan, "public");
    pipeline.execute(&format!("begin; {staged} {tables} {words} {promotion} commit;")).await;
    let said = "select concat_ws(' ', full_name, project, default_branch, state, state_since::date, seen_at::date, moved_from,
        moved_at::date) from git_repositories where repository_id = 9001";
    assert_eq!(
        pipeline.one(said).await,
        "harbour/beacon Now trunk archived 2026-03-01 2026-04-01 harbour/lighthouse 2026-02-01"
    );
}
