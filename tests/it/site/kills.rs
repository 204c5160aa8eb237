//! A build that is killed at any point leaves the old site or the new one, and the next build completes it.

use merganser::fault::SITE_POINTS;

use super::world::{MARKER, World, read};
use crate::support::held::held;

#[tokio::test]
async fn whoever_looks_sees_the_old_site_or_the_new_one() {
    let world = World::new("site kills", 12).await;
    world.build(&[]).await.exits(0);
    let mut number = 0;
    // The folders are exchanged in one step, so the old folder never moves aside. Another test does that.
    for point in SITE_POINTS.iter().filter(|point| **point != "site.aside") {
        for time in [1, 7] {
            if time > 1 && !["site.file", "site.object"].contains(point) {
                continue;
            }
            number += 1;
            world
                .pipeline
                .execute(&format!("update catalog_projects set description = 'Number {number}'"))
                .await;
            world.site_with("[catalog]\nsource = \"dir:source\"\n", "");
            let old = world.files();
            let killed = world.build_in(&[("FAULTS", &format!("{point}@{time}=kill"))]).await;
            assert_eq!(killed.code, -1, "{point}: {}", killed.stderr);
            let found = world.files();
            let beside = world.pipeline.folder().join("public.next");
            world.build(&[]).await.exits(0);
            let new = world.files();
            assert!(found == old || found == new, "{point}: {:?}", found.keys());
            assert_ne!(old, new, "{point}: there was something to write");
            assert!(!beside.exists(), "{point}");
            let mut files = new.clone();
            files.remove(MARKER);
            assert_eq!(read(&world.pipeline.store().join("public/site")), files, "{point}");
        }
    }
    assert!(number > 7, "{number}");
}

/// Without its folder, a build knows only what the store has of the first build, which had stored no site yet.
#[tokio::test]
async fn a_first_site_whose_upload_broke_off_is_put_whole_by_a_build_without_its_folder() {
    let world = World::new("site first upload", 12).await;
    let killed = world.build_in(&[("FAULTS", "site.noted=kill")]).await;
    assert_eq!(killed.code, -1, "{}", killed.stderr);
    assert!(world.out().join("index.html").exists(), "the folder has it");
    let store = world.pipeline.store().join("public/site");
    assert!(read(&store).is_empty(), "and the store does not");
    std::fs::remove_dir_all(world.out()).unwrap();
    let ran = world.build(&["--explain"]).await.exits(0);
    ran.says("metrics  as it was").says("site     ").says("no earlier build is known");
    let mut files = world.files();
    files.remove(MARKER);
    assert!(files.len() > 20, "{:?}", files.keys());
    assert_eq!(read(&store), files);
}

#[tokio::test]
async fn where_two_folders_cannot_be_exchanged_the_old_one_moves_aside() {
    let world = World::new("site aside", 12).await;
    world.build(&[]).await.exits(0);
    let old = world.files();
    let title = |title: &str| world.site_with("Birds & <colours>", title);
    title("Second");
    let ran = world.build_in(&[("FAULTS", "site.exchange=fail")]).await.exits(0);
    ran.says("cannot exchange two folders: for a moment there is none");
    let second = world.files();
    assert!(second != old && world.page("index.html").contains("Second"));
    let beside = ["public.next", "public.old"].map(|name| world.pipeline.folder().join(name));
    assert!(beside.iter().all(|folder| !folder.exists()));
    // The build is killed at that moment, or right after it: the next build restores the old site or has the new one.
    for (point, is_there) in [("site.aside", false), ("site.exchanged", true)] {
        title(point);
        let faults = format!("site.exchange=fail\n{point}=kill");
        assert_eq!(world.build_in(&[("FAULTS", &faults)]).await.code, -1);
        assert_eq!((world.out().exists(), beside[1].exists()), (is_there, true), "{point}");
        let ran = world.build(&["--explain"]).await.exits(0);
        assert_eq!(ran.stdout.contains("site     0 written"), is_there, "{}", ran.stdout);
        assert!(world.page("index.html").contains(point), "{point}");
        assert!(beside.iter().all(|folder| !folder.exists()), "{point}");
    }
    // A folder moved aside by a build that was killed does not disturb a later build where folders can be exchanged.
    std::fs::create_dir(&beside[1]).unwrap();
    std::fs::copy(world.out().join(MARKER), beside[1].join(MARKER)).unwrap();
    title("Last");
    world.build_in(&[("FAULTS", "site.exchange=fail")]).await.exits(0);
    assert!(world.page("index.html").contains("Last") && !beside[1].exists());
}

/// Two builds at once: with one ledger, with two ledgers and one folder, and with two ledgers and one store.
#[tokio::test]
async fn two_builds_at_once_leave_one_site() {
    let world = World::new("site together", 12).await;
    world.build(&[]).await.exits(0);
    world.site_with("Birds & <colours>", "Second");
    let at = world.pipeline.folder().join("held");
    let point = |point: &str| format!("{point}=hold {}", at.display());
    let file = world.file();
    let first = world.pipeline.start_other(&["build", &file], &[("FAULTS", &point("site.before_exchange"))]);
    held(&at, &first).await;
    world.build(&[]).await.exits(75).says("another run of build is under way");
    let other = |store: &str| format!("file:{}", world.pipeline.folder().join(store).display());
    let one_folder =
        world.pipeline.other(&["build", &file, "--ledger-schema", "other", "--store", &other("other")]).await;
    one_folder.exits(1).says("another build is writing").says("wait for it");
    std::fs::remove_file(&at).unwrap();
    first.await.unwrap().exits(0);
    assert!(world.page("index.html").contains("Second"));
    // The next build notices an object that somebody put into the store meanwhile, and uploads everything.
    world.site_with("Birds & <colours>", "Third");
    let first = world.pipeline.start_other(&["build", &file], &[("FAULTS", &point("site.before_removal"))]);
    held(&at, &first).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let elsewhere = world.pipeline.folder().join("elsewhere.toml");
    std::fs::write(&elsewhere, text.replace("\"public\"", "\"elsewhere\"").replace("Third", "Fourth"))
        .unwrap();
    let elsewhere = elsewhere.display().to_string();
    world.pipeline.other(&["build", &elsewhere, "--ledger-schema", "other"]).await.exits(0);
    std::fs::remove_file(&at).unwrap();
    first.await.unwrap().exits(1).says("another build has put a site into the store at the same time");
    world.build(&[]).await.exits(0);
    let mut files = world.files();
    files.remove(MARKER);
    assert_eq!(read(&world.pipeline.store().join("public/site")), files);
    assert!(world.page("index.html").contains("Third"));
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_last_good_site() {
    let world = World::new("site failure", 12).await;
    world.build(&[]).await.exits(0);
    let (old, store) = (world.files(), read(&world.pipeline.store().join("public/site")));
    world.pipeline.execute("update catalog_projects set description = 'Other'").await;
    for point in ["site.begin", "site.file@3", "site.before_exchange"] {
        world.build_in(&[("FAULTS", &format!("{point}=fail"))]).await.exits(1).says("fault point site.");
        assert_eq!(world.files(), old);
        assert!(!world.pipeline.folder().join("public.next").exists(), "{point}");
    }
    // A guard stops a run until it is let through by name.
    let links = world.pipeline.source().join("links.csv");
    let sheet = std::fs::read(&links).unwrap();
    std::fs::write(&links, "project,kind,url\n").unwrap();
    world.build(&[]).await.exits(1).says("guard drop");
    assert_eq!(world.files(), old);
    world.build(&["--allow", "drop", "--dry-run"]).await.exits(0);
    std::fs::write(&links, sheet).unwrap();
    // A sheet that cannot be read.
    std::fs::write(world.pipeline.source().join("projects.csv"), "").unwrap();
    world.build(&[]).await.exits(1).says("projects.csv");
    assert_eq!((world.files(), read(&world.pipeline.store().join("public/site"))), (old, store));
}
