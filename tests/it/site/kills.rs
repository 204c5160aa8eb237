//! A build that is killed anywhere leaves the old site or the new one, and the next build ends it.

use merganser::fault::SITE_POINTS;

use super::world::{MARKER, World, read};

#[tokio::test]
async fn whoever_looks_sees_the_old_site_or_the_new_one() {
    let world = World::new("site kills", 12).await;
    world.build(&[]).await.exits(0);
    let mut number = 0;
    // Where folders can be exchanged, none moves aside.
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
    // A guard stops a run, and is let through where somebody says so.
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
