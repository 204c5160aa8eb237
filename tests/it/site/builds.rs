//! Which files a build writes, and which it leaves alone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::world::{MARKER, World, read};
use crate::support::pipeline::Pipeline;
use crate::support::s3;

/// The files of the site whose inodes differ from `inodes`.
fn changed(before: &World, inodes: &std::collections::BTreeMap<String, u64>) -> BTreeSet<String> {
    let after = before.inodes();
    let others = after.iter().filter(|(path, inode)| inodes.get(*path) != Some(inode));
    let gone = inodes.keys().filter(|path| !after.contains_key(*path));
    let all = others.map(|(path, _)| path.clone()).chain(gone.cloned());
    all.filter(|path| path != MARKER).collect()
}

#[tokio::test]
async fn a_second_build_does_nothing_and_one_metric_changes_its_pages_alone() {
    let world = World::new("site builds", 24).await;
    let ran = world.build(&["--dry-run", "--explain"]).await.exits(0);
    ran.says("catalog  would run: no earlier build is known");
    assert!(!world.out().exists(), "a dry run changes nothing");
    world.build(&["--explain"]).await.exits(0).says("metrics  loaded").says("written projects/");
    let first = world.files();
    assert!(first.len() > 50, "{:?}", first.keys());
    let folder = fs::metadata(world.out()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o755, 0o755, "a web server may read it");
    // Nothing changed.
    let ran = world.build(&["--explain"]).await.exits(0);
    let ran = ran.says("catalog  as it was").says("metrics  as it was").says("site     0 written, 0 removed");
    ran.says("store    0 written, 0 removed");
    assert_eq!(world.files(), first);
    assert_eq!(fs::metadata(world.out()).unwrap().ino(), folder.ino(), "the folder is the same one");
    // One number of a past month changes.
    let inodes = world.inodes();
    let key = world.pipeline.one("select max(key) from site_metrics where kind = 'project'").await;
    let change = format!(
        "update site_metrics set value = value + 100
        where kind = 'project' and key = '{key}' and metric = 'commits' and month = '2025-03-01'"
    );
    world.pipeline.execute(&change).await;
    let ran = world.build(&["--explain"]).await.exits(0);
    ran.says("metrics  nothing new: not as the last build left it: site_metrics");
    let page = format!("projects/{key}.html");
    assert_eq!(changed(&world, &inodes), BTreeSet::from(["data/metrics.csv".to_owned(), page.clone()]));
    // The store has the same files as the folder.
    let stored = world.pipeline.store().join("public/site");
    let mut files = world.files();
    files.remove(MARKER);
    assert_eq!(read(&stored), files);
    assert_ne!(files[&page], first[&page]);
    fs::write(stored.join("robots.txt"), "User-agent: *").unwrap();
    // The page of a removed project goes, and no link leads to it any more.
    let projects = world.pipeline.source().join("projects.csv");
    for name in ["projects", "project_categories", "project_backers", "project_dependencies", "links"] {
        let sheet = world.pipeline.source().join(format!("{name}.csv"));
        let text = fs::read_to_string(&sheet).unwrap();
        let of_key = |line: &&str| !line.split(',').take(2).any(|cell| cell == key);
        let kept: Vec<_> = text.lines().filter(of_key).collect();
        fs::write(&sheet, kept.join("\n") + "\n").unwrap();
    }
    assert!(!fs::read_to_string(projects).unwrap().contains(&format!("\n{key},")));
    world.build(&["--explain"]).await.exits(0).says(&format!("removed {page}")).says("projects.csv");
    world.build(&["--check"]).await.exits(0).says("every link leads somewhere");
    assert!(!stored.join(&page).exists());
    // A file that somebody else has put there stays.
    assert_eq!(fs::read_to_string(stored.join("robots.txt")).unwrap(), "User-agent: *");
}

/// The site lacks a row that failed until the row is put right, and every build says so, whether or not its step runs.
#[tokio::test]
async fn a_build_says_that_rows_failed_until_they_are_put_right() {
    let world = World::new("site failures", 24).await;
    let links = world.pipeline.source().join("links.csv");
    let good = fs::read_to_string(&links).unwrap();
    fs::write(&links, format!("{good}no-such-bird,docs,https://docs.example.org\n")).unwrap();
    let missing = "1 row failed and not in the site: merganser failures --dataset catalog";
    world.build(&[]).await.exits(3).says("catalog  loaded").says(missing);
    world.build(&[]).await.exits(3).says("catalog  as it was").says(missing);
    world.build(&["--dry-run"]).await.exits(3).says("catalog  as it was").says(missing);
    // The step runs for another reason with the same sheets, and still says that rows failed.
    world.pipeline.execute("update catalog_links set url = url || '#top' where project = (select min(project) from catalog_links)").await;
    world.build(&[]).await.exits(3).says(missing);
    fs::write(&links, good).unwrap();
    let ran = world.build(&[]).await.exits(0);
    assert!(!ran.stdout.contains("failed"), "{}", ran.stdout);
}

/// An option from a variable counts as much as one from the file.
#[tokio::test]
async fn options_of_a_step_are_among_its_inputs() {
    let world = World::new("site options", 12).await;
    world.site_with("as_of = \"2025-10\"\n", "");
    world.build_in(&[("MERGANSER_AS_OF", "2025-09")]).await.exits(0);
    assert!(world.page("index.html").contains("Numbers as of September 2025"));
    let again =
        world.pipeline.start_other(&["build", &world.file(), "--explain"], &[("MERGANSER_AS_OF", "2025-09")]);
    again.await.unwrap().exits(0).says("metrics  as it was");
    let other =
        world.pipeline.start_other(&["build", &world.file(), "--explain"], &[("MERGANSER_AS_OF", "2025-10")]);
    let other = other.await.unwrap().exits(0);
    other.says("metrics  loaded: not as the last build read it: as_of").says("catalog  as it was");
    assert!(world.page("index.html").contains("Numbers as of October 2025"));
    // The content of addresses is known only after they were asked.
    let asked = world.pipeline.start_other(
        &["build", &world.file(), "--explain"],
        &[("MERGANSER_AS_OF", "2025-10"), ("MERGANSER_CHECK_LINKS", "yes"), ("MERGANSER_LINK_SECONDS", "1")],
    );
    asked.await.unwrap().exits(0).says("what is at its addresses is known only when they are requested");
}

#[tokio::test]
async fn the_same_inputs_make_the_same_bytes_wherever_and_whenever() {
    let world = World::new("site bytes", 24).await;
    world.build(&[]).await.exits(0);
    let first = world.files();
    fs::remove_dir_all(world.out()).unwrap();
    fs::remove_dir_all(world.pipeline.store().join("private/site")).unwrap();
    let elsewhere = [
        ("TZ", "Asia/Kathmandu"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LANG", "de_DE.UTF-8"),
        ("PGTZ", "Asia/Tokyo"),
    ];
    world.build_in(&elsewhere).await.exits(0);
    let second = world.files();
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (path, bytes) in &first {
        assert!(*bytes == second[path], "{path} differs");
    }
    let page = world.page("projects.html");
    assert!(page.contains("Numbers as of October 2025") && page.contains("Inputs <code>"), "{page}");
    assert!(page.contains("Birds &amp; &lt;colours&gt;"), "{page}");
    // Rows in another order in the tables are the same rows.
    world.pipeline.execute("update catalog_projects set name = name").await;
    world.pipeline.execute("vacuum full catalog_projects").await;
    world.build(&["--explain"]).await.exits(0).says("site     0 written");
}

#[tokio::test]
async fn a_check_finds_what_is_not_as_the_inputs_make_it() {
    let world = World::new("site check", 12).await;
    world.build(&["--check"]).await.exits(1).says("has no table");
    world.build(&[]).await.exits(0);
    world.build(&["--check"]).await.exits(0).says("each is what its inputs make");
    fs::write(world.out().join("projects/gone.html"), "old").unwrap();
    fs::write(world.out().join("methods.html"), "edited").unwrap();
    fs::remove_file(world.out().join("sitemap.xml")).unwrap();
    let before = world.files();
    let ran = world.build(&["--check"]).await.exits(1);
    let ran = ran.says("projects/gone.html: no input accounts for it").says("sitemap.xml: it is not there");
    ran.says("methods.html: it differs from what its inputs make now");
    assert_eq!(world.files(), before, "a check changes nothing");
    let ran = world.build(&["--explain"]).await.exits(0);
    ran.says("not as the last build left it: methods.html, projects/gone.html, sitemap.xml");
    world.build(&["--check"]).await.exits(0);
    // A template of the user's own that links to nowhere.
    let templates = world.pipeline.folder().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(
        templates.join("methods.html"),
        "{% extends \"base.html\" %}{% block main %}<a href=\"no.html\">x</a>{% endblock %}",
    )
    .unwrap();
    world.site_with("out = \"public\"", "out = \"public\"\ntemplates = \"templates\"");
    world.build(&[]).await.exits(0);
    world.build(&["--check"]).await.exits(1).says("methods.html: no.html: there is no no.html");
}

#[tokio::test]
async fn a_script_in_a_description_is_text() {
    let world = World::new("site scripts", 12).await;
    world.build(&[]).await.exits(0);
    world.site_with("[catalog]\nsource = \"dir:source\"\n", "");
    let script = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
    world
        .pipeline
        .execute(&format!("update catalog_projects set name = '{script}', description = '{script}'"))
        .await;
    world.pipeline.execute("update catalog_links set url = 'javascript:alert(3)'").await;
    world.build(&[]).await.exits(0);
    let mut pages = 0;
    for (path, bytes) in world.files().into_iter().filter(|(path, _)| path.ends_with(".html")) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("<script>alert") && !text.contains("<img"), "{path}");
        assert!(!text.contains("href=\"javascript"), "{path}");
        assert_eq!(text.matches("</script").count(), if path == "search.html" { 2 } else { 0 }, "{path}");
        pages += 1;
    }
    assert!(pages > 20);
    assert!(world.page("projects.html").contains("&lt;script&gt;alert(1)"));
}

#[tokio::test]
async fn no_person_is_named() {
    let world = World::new("site people", 12).await;
    world.build(&[]).await.exits(0);
    let person = world
        .pipeline
        .one("select count(*) from graph_nodes where kind = 'person' and name like 'Developer %'")
        .await;
    assert_ne!(person, "0");
    for (path, bytes) in world.files() {
        assert!(!String::from_utf8(bytes).unwrap().contains("Developer "), "{path}");
    }
}

#[tokio::test]
async fn a_bucket_gets_what_changed_with_types_and_how_long_it_may_be_kept() {
    let bucket = s3::bucket("site").await;
    let pipeline = Pipeline::new("site s3").await.env(bucket.env());
    let world = World::on(pipeline.with("--store", format!("s3://{}/all", bucket.name)), 12).await;
    world.build(&[]).await.exits(0);
    let stored = bucket.typed_objects().await;
    let files = world.files();
    for (path, bytes) in files.iter().filter(|(path, _)| *path != MARKER) {
        let (kind, stored) = &stored[&format!("all/public/site/{path}")];
        assert!(stored == bytes, "{path}");
        let expected = match path.rsplit_once('.').unwrap().1 {
            "html" => "text/html; charset=utf-8",
            "csv" => "text/csv; charset=utf-8",
            _ => "application/xml",
        };
        assert_eq!(kind, expected, "{path}");
    }
    assert_eq!(stored.keys().filter(|key| key.starts_with("all/public/site/")).count(), files.len() - 1);
    let index =
        bucket.client().head_object().bucket(&bucket.name).key("all/public/site/index.html").send().await;
    let written = index.unwrap();
    assert_eq!(written.cache_control(), Some("public, max-age=300, must-revalidate"));
    // A machine without the folder, such as a pod: the store has what the last build knew.
    std::fs::remove_dir_all(world.out()).unwrap();
    let ran = world.build(&["--explain"]).await.exits(0);
    ran.says("catalog  as it was").says("metrics  as it was").says("store    0 written, 0 removed");
    assert_eq!(world.files(), files);
    let index =
        bucket.client().head_object().bucket(&bucket.name).key("all/public/site/index.html").send().await;
    assert_eq!(index.unwrap().last_modified(), written.last_modified());
}

#[tokio::test]
async fn the_demo_builds_a_site_and_names_the_file_to_open() {
    let pipeline = Pipeline::new("site demo").await;
    let dir = pipeline.folder().join("demo");
    let ran = pipeline.other(&["demo", "site", "--dir", &dir.display().to_string()]).await.exits(0);
    let open = dir.join("public_html/index.html");
    let ran = ran.says(&format!("Open this file with a browser:\n   {}", open.display()));
    ran.says("metrics  loaded").says("site     0 written");
    let index = std::fs::read_to_string(open).unwrap();
    assert!(index.contains("A made-up catalog") && index.contains("60 projects"), "{index}");
}
