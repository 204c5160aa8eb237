//! A person is taken out, of tables, archive and public files, and does not come back.

use std::io::Read as _;

use super::world::GitWorld;
use crate::support::pipeline::Pipeline;

/// What tables and objects say, unpacked.
async fn all_texts(pipeline: &Pipeline, folder: &str) -> Vec<String> {
    let tables = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname !~ '^(pg_|information)'";
    let mut texts = Vec::new();
    for table in pipeline.column(tables).await {
        texts.extend(pipeline.column(&format!("select r::text from {table} as r")).await);
    }
    for (key, bytes) in pipeline.objects().into_iter().filter(|(key, _)| key.starts_with(folder)) {
        let bytes = if key.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes };
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if key.ends_with(".gz") {
            text.clear();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        }
        texts.push(text);
    }
    texts
}

/// Is Ada Byron named in tables or objects?
pub async fn is_named(pipeline: &Pipeline) -> bool {
    is_named_in(pipeline, "", &["Ada Byron", "ada@example.org", "ada@work.example.com"]).await
}

/// Is one of these in the tables, or in the objects below this?
pub async fn is_named_in(pipeline: &Pipeline, folder: &str, names: &[&str]) -> bool {
    all_texts(pipeline, folder).await.iter().any(|text| names.iter().any(|name| text.contains(name)))
}

#[tokio::test]
async fn a_person_is_taken_out_everywhere_and_does_not_come_back() {
    let world = GitWorld::new("commits_people", 250).await;
    add_names_alone(&world);
    let server = world.server().await;
    let asking = GitWorld::asking("commits_people_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    assert!(is_named(&asking).await);
    asking.other(&["purge", "commits", "--person", "nobody"]).await.exits(1).says("know no such person");
    let unknown = asking.other(&["purge", "commits", "--person", "nobody@example.org"]).await.exits(1);
    unknown.says("neither the tables nor the archive name this address");
    assert!(is_named(&asking).await);
    asking.other(&["purge", "oca", "--person", "x"]).await.exits(2).says("oca has no histories of people");
    // Two addresses of one person.
    asking.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    let commits = "select count(*) from git_commits";
    let before = asking.one(commits).await;
    asking.other(&["purge", "commits", "--person", "ada", "--dry-run"]).await.exits(0).says("unchanged");
    assert!(is_named(&asking).await);
    // The tables keep the person: answers of the archive are rewritten already.
    asking
        .execute(
            "create function keep() returns trigger language plpgsql as $$ begin return null; end $$;
             create trigger keep before update on git_commits for each row execute function keep()",
        )
        .await;
    let kept = asking.other(&["purge", "commits", "--person", "ada"]).await.exits(1);
    kept.says("The tables are unchanged; ").says("of the archive rewritten already");
    asking.execute("drop trigger keep on git_commits").await;
    let purged = asking.other(&["purge", "commits", "--person", "ada"]).await.exits(0);
    purged.says("git_commits (authors): the person is taken out of").says("rewritten without the person");
    assert!(!is_named(&asking).await);
    assert_eq!(asking.one(commits).await, before, "histories stay whole");
    let list = world.list();
    let proof = ["check", "commits", "--complete", "--projects", &list];
    asking.other(&proof).await.exits(0).says("Complete: every head");
    // The checksums are those of what was written, and what was written says the same.
    let nameless = "select count(*) from git_commits where author_name = ''";
    let purged = asking.one(nameless).await;
    asking.other(&["reprocess", "commits", "*", "--force", "--projects", &list]).await.exits(0);
    assert!(!is_named(&asking).await);
    assert_eq!(asking.one(nameless).await, purged);
    // An earlier program kept plain hashes of names, which anybody can guess: the next run puts them under the key.
    let by_name = "select count(*) from git_removed_people where email_hash like";
    assert_eq!(asking.one(&format!("{by_name} 'keyed-name %'")).await, "1");
    assert_eq!(asking.one(&format!("{by_name} 'name %'")).await, "0");
    let earlier = "update git_removed_people set email_hash = 'name ' || encode(sha256('Ada Byron'), 'hex')
        where email_hash like 'keyed-name %'";
    asking.execute(earlier).await;
    // A clone names the person still, and its run stages nothing of it.
    let clones = format!("git:{}", world.clones().display());
    let again = ["run", "commits", "--projects", &list, "--source", &clones, "--branches", "all"];
    asking.other(&again).await.exits(0);
    assert!(!is_named(&asking).await);
    let named = "select count(*) from git_commits where 'Ada Byron' in (author_name, committer_name)";
    assert_eq!(asking.one(named).await, "0");
    assert_eq!(asking.one(&format!("{by_name} 'keyed-name %'")).await, "1");
    assert_eq!(asking.one(&format!("{by_name} 'name %'")).await, "0");
    let others = "select count(*) from git_commits where author_name = 'Ben Okri'";
    assert_ne!(asking.one(others).await, "0");
    assert_eq!(asking.one("select count(*) from git_trailers where value = 'Ben Okri'").await, "1");
}

/// A commit whose author has no address, with trailers of names alone.
fn add_names_alone(world: &GitWorld) {
    let message = "Names alone\n\nIt was needed.\n\nReviewed-by: Ada Byron\nTested-by: Ada Byron ada@example.org\n\
                   Acked-by: Ben Okri\n";
    world.add_commit(("Ada Byron", ""), message);
}

#[tokio::test]
async fn whom_somebody_has_put_together_is_taken_out_by_any_address() {
    let world = GitWorld::new("commits_together", 250).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_together_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    asking.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    assert_eq!(asking.one("select count(*) from git_identities where person = 'ada'").await, "2");
    asking.other(&["purge", "commits", "--person", "ada@work.example.com"]).await.exits(0);
    assert!(!is_named(&asking).await);
    assert_eq!(
        asking.one("select count(*) from git_removed_people where email_hash !~ '^(keyed-name|key) '").await,
        "2"
    );
}

const OTHER_KEY: [(&str, &str); 1] = [("MERGANSER_EMAIL_KEY", "another-key")];
const KEY_CHECKS: &str = "select count(*) from git_removed_people where email_hash like 'key %'";

/// Under another key nobody is recognised, so that people who were removed would be back, and a purge would find nobody.
#[tokio::test]
async fn another_key_or_none_is_refused_before_anything_changes() {
    let world = GitWorld::new("commits_other_key", 250).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_other_key_host", &server).await;
    world.ask(&asking, &[]).await.exits(0);
    assert_eq!(asking.one(KEY_CHECKS).await, "1");
    let list = world.list();
    let run = ["run", "commits", "--projects", &list];
    let reprocess = ["reprocess", "commits", "*", "--force", "--projects", &list];
    let retry = ["retry", "commits", "--projects", &list];
    let purge = ["purge", "commits", "--person", "ada@example.org"];
    let commands = [&run[..], &reprocess[..], &retry[..], &purge[..]];
    // Somebody whom the tables know is not taken for somebody whom only the archive names.
    let known = "select count(*) from git_commits where author_name = 'Ada Byron'";
    let before = asking.one(known).await;
    refused(&asking, &purge, &OTHER_KEY).await;
    assert_eq!(asking.one(known).await, before);
    asking.other(&purge).await.exits(0);
    let people = "select string_agg(email_hash, ' ' order by email_hash) from git_removed_people";
    let removed = asking.one(people).await;
    let commits = "select md5(string_agg(c::text, ' ' order by record_id)) from git_commits as c";
    let before = asking.one(commits).await;
    server.take_log();
    for words in commands {
        refused(&asking, words, &OTHER_KEY).await;
        let none = asking.start_other(words, &[("MERGANSER_EMAIL_KEY", "")]).await.unwrap();
        none.exits(2).says("MERGANSER_EMAIL_KEY is not set");
    }
    assert_eq!(server.take_log().len(), 0, "nothing is asked for that could not be loaded");
    assert_eq!(asking.one(commits).await, before);
    assert_eq!(asking.one(people).await, removed);
    // An earlier program kept no check of the key: the next run does.
    asking.execute("delete from git_removed_people where email_hash like 'key %'").await;
    asking.other(&reprocess).await.exits(0);
    assert_eq!(asking.one(people).await, removed);
    refused(&asking, &run, &OTHER_KEY).await;
    asking.execute("delete from git_removed_people where email_hash like 'key %'").await;
    asking.other(&["purge", "commits", "--person", "ben@example.org"]).await.exits(0);
    assert_eq!(asking.one(KEY_CHECKS).await, "1");
}

async fn refused(asking: &Pipeline, words: &[&str], key: &[(&str, &str)]) {
    let ran = asking.start_other(words, key).await.unwrap().exits(1);
    ran.says("MERGANSER_EMAIL_KEY is not the key")
        .says("database is unchanged")
        .says("export MERGANSER_EMAIL_KEY=");
}
