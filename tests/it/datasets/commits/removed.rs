//! Who was taken out stays out, whatever comes after: a mailmap, a purge that was cut off, new answers, somebody of the same name.

use std::fs;

use super::people::{is_named, is_named_in};
use super::world::GitWorld;

const ADA: [&str; 4] = ["purge", "commits", "--person", "ada@example.org"];

/// Adds a commit of this author to the main branch.
#[tokio::test]
async fn a_mailmap_brings_nobody_back() {
    let world = GitWorld::new("commits_back", 150).await;
    let bob = ("Bob Zed", "bob@zed.example");
    world.add_commit(bob, "One\n\nSigned-off-by: Bob Zed <bob@zed.example>");
    let pipeline = &world.pipeline;
    world.run(&[]).await.exits(0);
    let purge = ["purge", "commits", "--person", "bob@zed.example"];
    pipeline.other(&purge).await.exits(0);
    let file = pipeline.folder().join("mailmap");
    fs::write(&file, "Robert <rob@new.example> <bob@zed.example>\nNobody There <no@new.example> <>\n")
        .unwrap();
    let mailmap = ["--mailmap", file.to_str().unwrap()];
    world.add_commit(bob, "Two\n\nSigned-off-by: Bob Zed <bob@zed.example>");
    world.run(&mailmap).await.exits(0);
    // Neither in tables nor in any object, staged ones included.
    assert!(!is_named_in(pipeline, "", &["Robert", "Bob Zed", "bob@zed.example"]).await);
    let two = "select concat_ws('|', author_name, author_email_hash is null, committer_name) from git_commits where subject = 'Two'";
    assert_eq!(pipeline.one(two).await, "|t|");
    // Nor by the address that the mailmap puts in its place.
    let eve = ("Eve Kane", "eve@old.example");
    world.add_commit(eve, "Three");
    fs::write(&file, "Eve Kane <eve@new.example> <eve@old.example>\n").unwrap();
    world.run(&mailmap).await.exits(0);
    let old = pipeline.other(&["purge", "commits", "--person", "eve@old.example"]).await.exits(1);
    old.says("as the mailmap of the runs corrects it");
    pipeline.other(&["purge", "commits", "--person", "eve@new.example"]).await.exits(0);
    world.add_commit(eve, "Four");
    world.run(&mailmap).await.exits(0);
    assert!(!is_named_in(pipeline, "", &["Eve Kane"]).await);
}

#[tokio::test]
async fn a_purge_that_was_cut_off_before_its_publication_is_ended_by_the_next_one() {
    let world = GitWorld::new("commits_cut_off", 150).await;
    let pipeline = &world.pipeline;
    world.run(&[]).await.exits(0);
    pipeline.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    for (purge, person) in [(ADA, "Ada Byron"), (["purge", "commits", "--person", "ben"], "Ben Okri")] {
        pipeline.execute("update git_identities set person = 'ben' where name = 'Ben Okri'").await;
        // A folder is in the place of a public file.
        let public = pipeline.store().join("public/commits/commits.csv");
        fs::remove_file(&public).unwrap();
        fs::create_dir(&public).unwrap();
        fs::write(public.join("x"), "").unwrap();
        pipeline.other(&purge).await.exits(4);
        assert!(is_named_in(pipeline, "public/commits/commits.csv.gz", &[person]).await);
        fs::remove_dir_all(&public).unwrap();
        let dry = pipeline.other(&[&purge[..], &["--dry-run"]].concat()).await.exits(0);
        dry.says("Already removed").says("unchanged");
        let again = pipeline.other(&purge).await.exits(0);
        again.says("Already removed").says("The public files are written again");
        assert!(!is_named_in(pipeline, "", &[person]).await);
        assert!(public.is_file());
        pipeline.other(&purge).await.exits(0).says("Already removed").says("Verified: ");
    }
    let nobody = ["purge", "commits", "--person", "nobody@example.org"];
    pipeline.other(&nobody).await.exits(1).says("neither the tables nor the archive name this address");
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_kept_and_a_purge_says_so() {
    let world = GitWorld::new("commits_namesake", 150).await;
    let other = "Other <other@example.org>";
    world.add_commit(("Gus", "gus@example.org"), &format!("One\n\nReviewed-by: Ada Byron\nCc: {other}"));
    let pipeline = &world.pipeline;
    world.run(&[]).await.exits(0);
    let first = pipeline.other(&ADA).await.exits(0);
    first
        .says("Kept: \"Ada Byron\" is also the name at another address")
        .says("Verified: the tables no longer have any address of the person.");
    let alone = "select count(*) from git_trailers where value = 'Ada Byron'";
    assert_eq!(pipeline.one(alone).await, "1");
    // As a person finds it there.
    let found = pipeline.one("select person from git_identities where name = 'Ada Byron'").await;
    let second = pipeline.other(&["purge", "commits", "--person", &found]).await.exits(0);
    let second = second.says("Also taken as names of the person where no address is given: 1 name.");
    assert!(!second.stdout.contains("Ada") && !second.stderr.contains("Ada"), "{}", second.stdout);
    assert!(!is_named(pipeline).await);
    assert_eq!(pipeline.one(alone).await, "0");
}

#[tokio::test]
async fn new_answers_name_nobody_who_was_taken_out() {
    let world = GitWorld::new("commits_answers", 150).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_answers_host", &server).await;
    world.add_commit(("Ada Byron", ""), "Name alone\n\nReviewed-by: Ada Byron");
    server.holdings.host().repositories = world.host().await.repositories;
    world.ask(&asking, &[]).await.exits(0);
    asking.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    asking.other(&ADA).await.exits(0);
    let message = "Again\n\nReviewed-by: Ada Byron\nSigned-off-by: Ada\n  Byron <ada@work.example.com>\nCc: Gus <gus@example.org>";
    world.add_commit(("Ada Byron", "ada@example.org"), message);
    world.add_commit(("Ada Byron", ""), "Alone again\n\nReviewed-by: Ada Byron");
    server.holdings.host().repositories = world.host().await.repositories;
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one("select count(*) from git_commits where subject like '%gain'").await, "2");
    assert!(!is_named(&asking).await, "neither in tables, nor in answers, nor staged");
    let trailers = "select string_agg(coalesce(value, person_name), ' ' order by position) from git_trailers join git_commits
        using (record_id) where subject = 'Again'";
    assert_eq!(asking.one(trailers).await, "… … Gus");
    // What an earlier program let into the archive goes with the next purge.
    let answers = asking.objects().into_keys().filter(|key| key.starts_with("private/commits/"));
    let key = answers.filter(|key| key.ends_with(".zst")).min().expect("answers are there");
    let path = asking.store().join(&key);
    let line = r#"{"history":9001,"status":200,"body":[{"commit":{"author":{"name":"Ada Byron","email":"ada@example.org"}}}]}"#;
    fs::write(&path, zstd::encode_all(format!("{line}\n").as_bytes(), 3).unwrap()).unwrap();
    let name = key.rsplit('/').next().unwrap();
    let sha256 = merganser::words::sha256(fs::read(&path).unwrap());
    asking.execute(&format!("update etl.parts set sha256 = '{sha256}' where name = '{name}'")).await;
    assert!(is_named(&asking).await);
    let again = asking.other(&ADA).await.exits(0);
    again.says("Already removed").says("Archive: 1 object rewritten");
    assert!(!is_named(&asking).await);
}
