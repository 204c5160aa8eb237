//! Clones that cannot be read, lists that are wrong, and histories that git would not write.

use std::fs;
use std::path::Path;

use merganser::clients::git::GitFolder;

use super::world::{GitWorld, git, histories};

#[tokio::test]
async fn what_git_would_not_write_is_kept_and_noted() {
    let world = GitWorld::new("commits_odd", 100).await;
    world.run(&[]).await.exits(0);
    let notes = world
        .pipeline
        .column("select concat_ws(' | ', subject, author_name, extract(epoch from author_time)::bigint, author_offset, is_signed, notes)
            from git_commits where repository_id = 9002 order by committer_time desc, author_time desc limit 20")
        .await;
    for expected in [
        "A zone of six digits | Cleo | 1500000003 | f | the zone of a time cannot be read",
        "No seconds | Fay | f | the seconds of a time cannot be read",
        "Bytes of no encoding | J\u{fffd}rg | 1500000014 | 3600 | f | a name is in no encoding that is known",
        "Grüße | Jörg | 1500000013 | 3600 | f",
        "Signed | Hal | 1500000011 | 0 | t",
        "No name |  | 1500000005 | -12600 | f",
        "One two three <…> | Gus | 1500000009 | 0 | f",
        "Ahead | Eve | 4102444800 | 50400 | f",
    ] {
        assert!(notes.iter().any(|note| note == expected), "{expected}\n{notes:#?}");
    }
}

#[tokio::test]
async fn a_clone_that_cannot_be_read_is_no_failure_of_the_others() {
    let world = GitWorld::new("commits_broken", 100).await;
    let clones = world.clones();
    fs::create_dir_all(clones.join("harbour/nothing")).unwrap();
    let url = format!("file://{}", clones.join("harbour/lighthouse").display());
    git(&clones.join("harbour"), &["clone", "--quiet", "--bare", "--depth", "3", &url, "shallow.git"]);
    git(&clones.join("harbour"), &["clone", "--quiet", &url, "ordinary"]);
    git(&clones.join("harbour"), &["init", "--quiet", "--bare", "--object-format=sha256", "longer.git"]);
    git(&clones.join("harbour"), &["clone", "--quiet", "--bare", "--no-local", &url, "damaged.git"]);
    // A commit in the middle is gone.
    git(&clones.join("harbour/damaged.git"), &["repack", "-adq"]);
    let packs = clones.join("harbour/damaged.git/objects/pack");
    for pack in
        fs::read_dir(&packs).unwrap().flatten().filter(|file| file.path().extension().unwrap() == "pack")
    {
        let mut permissions = fs::metadata(pack.path()).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        fs::set_permissions(pack.path(), permissions).unwrap();
        let mut bytes = fs::read(pack.path()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 40].fill(0xa5);
        fs::write(pack.path(), bytes).unwrap();
    }
    let mut list = fs::read_to_string(world.list()).unwrap();
    for name in ["nothing", "shallow", "ordinary", "longer", "damaged", "missing"] {
        list += &format!("{name},harbour/{name},\n");
    }
    fs::write(world.list(), list).unwrap();
    let ran = world.run(&[]).await;
    for said in [
        "harbour__nothing@unread.clone: it is not a git clone",
        "harbour__shallow@unread.clone: it is a shallow clone, whose history is cut off",
        "harbour__longer@unread.clone: its object format is not supported",
        "harbour__missing@unread.clone: the folder has no such clone",
        "harbour/damaged: commit ",
    ] {
        assert!(ran.stderr.contains(said), "{said}\n{}", ran.stderr);
    }
    world.holds("harbour/lighthouse", &["HEAD"]).await;
    world.holds("harbour/ordinary", &["HEAD"]).await;
    let ids =
        "select count(*) from git_repositories where full_name = 'harbour/ordinary' and repository_id < 0";
    assert_eq!(world.pipeline.one(ids).await, "1");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    // Where all others are as they were, the run is no worse than the one that loaded them.
    world.run(&[]).await.exits(3).says("Nothing new: every other file of the source is done");
    let list = world.list();
    let proof = ["check", "commits", "--complete", "--projects", &list];
    let said = world.pipeline.other(&proof).await.exits(1).stdout;
    for expected in [
        "FAIL  harbour/damaged: nothing is loaded\n      not checked: harbour/damaged: commit ",
        "FAIL  harbour/missing: nothing is loaded\n      not checked: the folder has no such clone",
        "Incomplete; put right what is reported for each that could not be checked",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    let only =
        "project,repository\nA,harbour/nothing\nB,harbour/shallow\nC,harbour/damaged\nD,harbour/missing\n";
    fs::write(&list, only).unwrap();
    let ran = world.run(&[]).await.exits(1).says("no file could be read: harbour__").says("; and 1 more");
    ran.says("The database is unchanged.");
}

#[tokio::test]
async fn a_list_that_is_wrong_is_refused_before_anything_is_done() {
    let world = GitWorld::empty("commits_lists").await;
    for (text, said) in [
        ("project,repo\nOne,a/b\n", "must name project and repository"),
        ("project,repository\nOne,a/b\nTwo,A/B\n", "line 3: A/B is already in line 2"),
        ("project,repository\nOne,https://gitlab.com/a/b\n", "only repositories of github.com"),
        ("project,repository\nOne,\n", "the project or its repository is missing"),
        (
            "project,repository,repository_id\nOne,a/b,7\nTwo,c/d,7\n",
            "line 3: the number 7 is already used in line 2",
        ),
    ] {
        fs::write(world.list(), text).unwrap();
        let ran = world.run(&[]).await.exits(2).says(said);
        assert!(
            ran.stderr.contains("correct line ") && ran.stderr.contains("then run again"),
            "{}",
            ran.stderr
        );
    }
    fs::remove_file(world.list()).unwrap();
    world.run(&[]).await.exits(2).says("projects.csv");
    let without = world.pipeline.other(&["run", "commits", "--branches", "some"]).await;
    without.exits(2).says("--branches is default or all");
}

#[tokio::test]
async fn a_clone_that_changes_between_two_looks_is_read_another_time() {
    let world = GitWorld::new("commits_changes", 100).await;
    let wanted = Some(vec!["harbour/lighthouse".to_owned()]);
    let folder = GitFolder { folder: world.clones(), wanted, ..GitFolder::default() };
    let listing = folder.listing().await.unwrap();
    world.git("harbour/lighthouse", &["update-ref", "refs/heads/main", "main~3"]);
    let to = world.pipeline.folder().join("read");
    let error = folder.download(&listing.files[0].key, &to, &|_| ()).await.unwrap_err();
    assert!(error.is_about_file(), "the others go on");
    assert!(error.to_string().contains("harbour/lighthouse: its heads have changed"), "{error}");
}

#[tokio::test]
async fn this_projects_own_history_is_the_same_from_both_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_whole = root.join(".git").exists()
        && git(root, &["rev-parse", "--is-shallow-repository"]).starts_with(b"false");
    if !is_whole {
        println!("*** NOT TESTED: this project's own history, which is not here");
        return;
    }
    let world = GitWorld::empty("commits_own").await;
    let url = format!("file://{}", root.display());
    fs::create_dir(world.clones().join("harbour")).unwrap();
    git(&world.clones().join("harbour"), &["clone", "--quiet", "--bare", &url, "own"]);
    fs::write(world.list(), "project,repository,repository_id\nOwn,harbour/own,9100\n").unwrap();
    world.run(&[]).await.exits(0);
    world.holds("harbour/own", &["HEAD"]).await;
    let server = world.server().await;
    let asking = GitWorld::asking("commits_own_host", &server).await;
    world.ask(&asking, &[]).await.exits(0).says("nothing more to do");
    let (expected, found) = (histories(&world.pipeline).await, histories(&asking).await);
    let unlike: Vec<_> = expected.iter().zip(&found).filter(|(a, b)| a != b).take(3).collect();
    assert!(expected == found, "{} and {} rows: {unlike:#?}", expected.len(), found.len());
}
