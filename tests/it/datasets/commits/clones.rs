//! Histories from clones: what git says is what the tables say, run after run.

use std::fs;

use merganser::datasets::commits::COMMITS;
use merganser::sql;

use super::world::{GitWorld, KEY, SOMEBODY};

#[tokio::test]
async fn the_tables_say_what_git_says() {
    let world = GitWorld::new("commits_clones", 400).await;
    world.run(&[]).await.exits(0);
    for name in ["lighthouse", "oddities", "replaced", "detached"] {
        world.holds(&format!("harbour/{name}"), &["HEAD"]).await;
    }
    let pipeline = &world.pipeline;
    let states = "select string_agg(concat_ws(' ', project, repository_id, state, default_branch), ', ' order by repository_id)
        from git_repositories";
    assert_eq!(
        pipeline.one(states).await,
        "Lighthouse 9001 active main, Oddities 9002 active main, Empty 9003 empty main, Detached 9004 active, \
         Replaced 9005 active main"
    );
    // What no branch leads to is none of it, and what another branch leads to only if it is asked for.
    world.run(&[]).await.exits(0).says("Nothing new");
    // A clone is no lost part of the archive.
    let again = ["reprocess", "commits", "harbour__lighthouse*", "--force"];
    let again = pipeline.start_other(&again, &[("MERGANSER_EMAIL_KEY", KEY)]).await.expect("it is over");
    again.exits(1).says("was read from a clone, which is not archived").says("--reprocess PATTERN");
    world.run(&["--branches", "all"]).await.exits(0);
    for name in ["lighthouse", "oddities", "replaced", "detached"] {
        world.holds(&format!("harbour/{name}"), &["--branches"]).await;
    }
    let all = world.git("harbour/lighthouse", &["rev-list", "--count", "--all"]);
    let ours = pipeline.one("select count(*) from git_commits where repository_id = 9001").await;
    assert!(
        ours.parse::<u32>().unwrap() < all.parse().unwrap(),
        "{ours} of {all}: pull requests are no branches"
    );
    assert_ne!(
        pipeline.one("select count(*) from git_parents where position > 1").await,
        "0",
        "an octopus is there"
    );
    assert_ne!(pipeline.one("select count(*) from git_co_authors where person is not null").await, "0");
    assert_ne!(pipeline.one("select count(*) from git_commits where is_bot").await, "0");
}

#[tokio::test]
async fn what_a_force_push_leaves_behind_is_marked_until_it_is_reached_again() {
    let world = GitWorld::new("commits_force", 100).await;
    world.run(&[]).await.exits(0);
    let (name, pipeline) = ("harbour/lighthouse", &world.pipeline);
    let before = world.git(name, &["rev-parse", "main"]);
    let marked = "select count(*) || ' ' || count(distinct unreachable_since_run) from git_commits
        where unreachable_since_run is not null";
    assert_eq!(pipeline.one(marked).await, "0 0");
    let tree = world.git(name, &["rev-parse", "main^{tree}"]);
    let other = world.git(name, &["commit-tree", "-m", "Another way", "-p", "main~4", &tree]);
    world.git(name, &["update-ref", "refs/heads/main", &other]);
    let lost = world.git(name, &["rev-list", "--count", &format!("{other}..{before}")]);
    let run = world.run(&[]).await.exits(0);
    world.holds(name, &["HEAD"]).await;
    assert_eq!(pipeline.one(marked).await, format!("{lost} 1"));
    let by = pipeline.one("select max(unreachable_since_run) from git_commits").await;
    assert_eq!(run.finished()["run_id"].as_str(), Some(by.as_str()));
    let undo = pipeline.other(&["undo", "last"]).await.exits(1);
    undo.says("cannot be undone").says("it marks what no head leads to");
    // One more commit changes no mark.
    let next = world.git(name, &["commit-tree", "-m", "Next", "-p", &other, &tree]);
    world.git(name, &["update-ref", "refs/heads/main", &next]);
    world.run(&[]).await.exits(0);
    assert_eq!(pipeline.one("select max(unreachable_since_run) from git_commits").await, by);
    world.git(name, &["update-ref", "refs/heads/main", &before]);
    world.run(&[]).await.exits(0);
    world.holds(name, &["HEAD"]).await;
    assert_eq!(pipeline.one(marked).await, "2 1");
}

/// However many repositories there are, and whatever the planner thinks of them, those of the batch are read alone, by their numbers.
#[tokio::test]
async fn to_mark_what_no_head_reaches_no_other_history_is_read() {
    let world = GitWorld::new("commits_marks", 100).await;
    world.run(&[]).await.exits(0);
    let complete = COMMITS.scripts.complete.expect("marks are set");
    let (marks, _) = complete.split_once("-- Who was taken out").expect("then people are left out");
    let marks = sql::render(marks, &[("schema", "public"), ("run_id", "x")]);
    let told = "begin; create temp table told_repositories as select 9001::bigint as repository_id;";
    let client = world.pipeline.database.client().await;
    client.batch_execute(&format!("analyze git_commits; analyze git_parents; {told} {marks}")).await.unwrap();
    let read = "select sum(seq_scan)::bigint from pg_stat_xact_user_tables where relname in ('git_commits', 'git_parents')";
    assert_eq!(client.query_one(read, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn no_address_and_no_key_is_anywhere() {
    let world = GitWorld::new("commits_private", 200).await;
    world.run(&[]).await.exits(0);
    let pipeline = &world.pipeline;
    let mut texts = Vec::new();
    for table in pipeline
        .column("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname !~ '^(pg_|information)'")
        .await
    {
        texts.extend(pipeline.column(&format!("select r::text from {table} as r")).await);
    }
    let objects = pipeline.objects();
    let packed = objects.iter().filter(|(key, _)| key.starts_with("public/") && key.ends_with(".csv.gz"));
    let unpacked = packed.map(|(_, bytes)| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
        text
    });
    let public: Vec<_> = unpacked.collect();
    assert!(
        texts.iter().any(|text| text.contains("Ada Byron"))
            && public.iter().any(|text| text.contains("Ada Byron"))
    );
    for text in texts.iter().chain(&public) {
        for secret in ["@example.", "noreply.github.com", KEY] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let hash = pipeline.one("select min(author_email_hash) from git_commits").await;
    assert_eq!(hash.len(), 64);
    assert!(!public.iter().any(|text| text.contains(&hash)), "nor is a hash public");
    // One address, however it is written, has one hash, and a person may say that two are one.
    let ada = "select count(distinct author_email_hash) from git_commits where author_name = 'Ada Byron'";
    assert_eq!(pipeline.one(ada).await, "2");
    pipeline.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    assert_eq!(pipeline.one("select identities from git_people where person = 'ada'").await, "2");
    world.add_commit(SOMEBODY, "Next");
    world.run(&[]).await.exits(0);
    assert_eq!(pipeline.one("select identities from git_people where person = 'ada'").await, "2", "it stays");
}

#[tokio::test]
async fn what_is_public_is_one_sorted_csv_and_parquet_by_year() {
    let world = GitWorld::new("commits_public", 400).await;
    let pipeline = &world.pipeline;
    // As an earlier version has written it.
    let folder = pipeline.store().join("public/commits");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("commits-2010.csv.gz"), "x").unwrap();
    world.run(&[]).await.exits(0);
    let objects = pipeline.objects();
    let names: Vec<_> = objects.keys().filter_map(|key| key.strip_prefix("public/commits/commits")).collect();
    let years = pipeline
        .column("select distinct coalesce(year::text, 'none') from git_commits order by 1")
        .await
        .into_iter()
        .map(|year| format!("-{year}.parquet"));
    let mut expected: Vec<_> = years.chain([".csv".to_owned(), ".csv.gz".to_owned()]).collect();
    expected.sort();
    assert_eq!(names, expected);
    let mut text = String::new();
    let packed = &objects["public/commits/commits.csv.gz"][..];
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
    assert!(text.starts_with("repository_id,sha,author_name,author_time,"), "{}", &text[..200]);
    let shas: Vec<_> =
        text.lines().skip(1).filter_map(|line| line.split(',').nth(1)).map(str::to_owned).collect();
    let sorted = "select sha from git_commits order by record_id collate \"C\"";
    let rows = pipeline.column(sorted).await;
    assert_eq!(
        shas.iter().filter(|sha| sha.len() == 40).collect::<Vec<_>>(),
        rows.iter().collect::<Vec<_>>()
    );
    let manifest: serde_json::Value =
        serde_json::from_slice(&objects["public/commits/manifest.json"]).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let rows_of = |ends: &str| {
        let files = files.iter().filter(|file| file["name"].as_str().unwrap().ends_with(ends));
        files
            .filter(|file| file["name"].as_str().unwrap().starts_with("commits"))
            .map(|file| file["rows"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((rows_of(".csv.gz"), rows_of(".parquet")), (rows.len() as u64, rows.len() as u64));
}

#[tokio::test]
async fn a_mailmap_says_who_people_are_and_with_another_one_clones_are_read_again() {
    let world = GitWorld::new("commits_mailmap", 150).await;
    let file = world.pipeline.folder().join("mailmap");
    let mailmap = file.display().to_string();
    for text in [
        "Ada Lovelace <ada@example.org>\nAda Lovelace <ada@example.org> <ada@work.example.com>\n",
        "# Another\n<one@example.org> Ben Okri <ben@example.org>\n",
    ] {
        fs::write(&file, text).unwrap();
        world.run(&["--mailmap", &mailmap]).await.exits(0);
        let setting = format!("mailmap.file={mailmap}");
        let said = world.git("harbour/lighthouse", &["-c", &setting, "log", "--format=%H %aN %cN", "main"]);
        let mut expected: Vec<_> = said.lines().collect();
        expected.sort_unstable();
        let rows = "select concat_ws(' ', sha, author_name, committer_name) from git_commits where repository_id = 9001";
        let mut found = world.pipeline.column(rows).await;
        found.sort_unstable();
        assert_eq!(found, expected);
    }
    let hashes = "select count(distinct author_email_hash) from git_commits where author_name = 'Ada Byron'";
    assert_eq!(world.pipeline.one(hashes).await, "2", "what no line names is as it was");
    fs::write(&file, "Ben\n").unwrap();
    world.run(&["--mailmap", &mailmap]).await.exits(2).says("line 1: it has no address in brackets");
}

#[tokio::test]
async fn a_hundred_thousand_commits_are_all_there() {
    let world = GitWorld::new("commits_many", 100_000).await;
    world.run(&[]).await.exits(0);
    let said = world.git("harbour/lighthouse", &["rev-list", "main"]);
    let mut expected: Vec<_> = said.lines().collect();
    expected.sort_unstable();
    let rows = "select sha from git_commits where repository_id = 9001 order by sha collate \"C\"";
    let found = world.pipeline.column(rows).await;
    assert!(found.len() > 90_000 && found == expected, "{} of {}", found.len(), expected.len());
    let list = world.list();
    let proof = ["check", "commits", "--complete", "--projects", &list];
    world.pipeline.other(&proof).await.exits(0).says("Complete: every head");
}
