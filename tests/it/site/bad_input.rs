//! Errors are reported before anything runs, with the place and what to do.

use std::fs;
use std::os::unix::fs::symlink;

use super::world::World;
use crate::support::disk::mounted;
use crate::support::pipeline::Pipeline;

#[tokio::test]
async fn a_site_that_cannot_be_built_is_refused_before_anything_runs() {
    let world = World::new("site refused", 12).await;
    world.site_with("out =", "output =");
    world.build(&[]).await.exits(2).says("[site] has no field `output`");
    world.site_with("[catalog]", "[catalogue]");
    world.build(&[]).await.exits(2).says("did you mean `catalog`?");
    world.site("title = ");
    world.build(&[]).await.exits(2).says("is not TOML");
    let missing = world.pipeline.folder().join("no.toml").display().to_string();
    world.pipeline.other(&["build", &missing]).await.exits(2).says("cannot be read");
    world.site_with("[site]", "[commits]\nsource = \"dir:clones\"\n[site]");
    world.build(&[]).await.exits(2).says("--source of commits is the address of a service");
    // A folder that has somebody else's file in it.
    world.site_with("as_of", "as_of");
    fs::create_dir(world.out()).unwrap();
    fs::write(world.out().join("thesis.txt"), "years of work").unwrap();
    world.build(&[]).await.exits(1).says("no build has written").says("out names a folder");
    assert_eq!(world.files().len(), 1);
    fs::remove_dir_all(world.out()).unwrap();
    fs::write(world.out(), "a file").unwrap();
    world.build(&[]).await.exits(1).says("no build has written");
    fs::remove_file(world.out()).unwrap();
    world.site_with("\"public\"", "\"/\"");
    world.build(&[]).await.exits(1).says("names no folder");
    let runs = world.pipeline.one("select count(*) from etl.runs where dataset = 'metrics'").await;
    assert_eq!(runs, "0", "nothing ran");
    // A link is followed, and stays.
    world.site_with("as_of", "as_of");
    let real = world.pipeline.folder().join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, world.out()).unwrap();
    world.build(&[]).await.exits(0);
    world.site_with("Birds", "Other birds");
    world.build(&[]).await.exits(0);
    assert!(world.out().is_symlink() && real.join("index.html").is_file());
    assert!(fs::read_to_string(real.join("index.html")).unwrap().contains("Other birds"));
}

#[tokio::test]
async fn a_template_with_an_error_is_told_by_file_and_line() {
    let world = World::new("site templates", 12).await;
    let templates = world.pipeline.folder().join("templates");
    fs::create_dir(&templates).unwrap();
    world.site_with("out = \"public\"", "out = \"public\"\ntemplates = \"templates\"");
    let put = |name: &str, text: &str| fs::write(templates.join(name), text).unwrap();
    put("project.html", "{% extends \"base.html\" %}\n{% block main %}\n{{ nmae }}\n{% endblock %}\n");
    world.build(&[]).await.exits(2).says("templates/project.html:3: ");
    assert!(!world.out().exists());
    put("project.html", "<p>\n{% for x in %}\n");
    world.build(&[]).await.exits(2).says("templates/project.html:2: ");
    put("project.html", "{% extends \"thing.html\" %}\n{% block mian %}{% endblock %}");
    world
        .build(&[])
        .await
        .exits(2)
        .says("templates/project.html:2: thing.html has no block mian")
        .says("did you mean `main`?");
    put("project.html", "");
    world.build(&[]).await.exits(2).says("would have no <title>");
    put("project.html", "{% include \"_missing.html\" %}");
    world.build(&[]).await.exits(2).says("templates/project.html:1: ").says("_missing.html");
    put("project.html", "{% include \"_name.html\" %}");
    put("_name.html", "<p>\n{{ nothing }}");
    world.build(&[]).await.exits(2).says("templates/_name.html:2: ");
    put("_name.html", "<title>{{ title }}</title>");
    world.build(&[]).await.exits(0);
    put("projects.html", "");
    world.build(&[]).await.exits(2).says("did you mean `project.html`?");
}

#[tokio::test]
async fn two_keys_that_make_one_file_are_named() {
    let world = World::new("site keys", 12).await;
    world.build(&[]).await.exits(0);
    world.site_with("[catalog]\nsource = \"dir:source\"\n", "");
    let before = world.files();
    let key = world.pipeline.one("select max(project) from catalog_projects").await;
    let copy = format!(
        "insert into catalog_projects (record_id, project, name) values ('project:{0}', '{0}', 'Twice')",
        key.to_uppercase()
    );
    world.pipeline.execute(&copy).await;
    let ran = world.build(&[]).await.exits(1);
    ran.says(&format!("projects/{key}.html")).says(&format!("projects/{}.html", key.to_uppercase()));
    world.pipeline.execute("update catalog_projects set project = '../up' where name = 'Twice'").await;
    world.build(&[]).await.exits(1).says("\"../up\" of a project cannot be the name of a page");
    assert_eq!(world.files(), before, "the last good site stays");
}

/// Without sheets in the database, the error says so.
#[tokio::test]
async fn a_site_of_nothing_is_refused() {
    let pipeline = Pipeline::new("site nothing").await;
    let file = pipeline.folder().join("site.toml");
    fs::write(&file, "title = \"a\"\nbase_url = \"https://a.example\"\n[site]\nout = \"public\"\n").unwrap();
    let file = file.display().to_string();
    pipeline.other(&["build", &file]).await.exits(1).says("there is no public.catalog_projects");
    pipeline.other(&["build", &file, "--dry-run"]).await.exits(0).says("site     would be built");
}

#[tokio::test]
async fn a_disk_of_its_own_a_full_one_and_one_that_is_only_read_are_told() {
    let world = World::new("site disks", 12).await;
    let disk = world.pipeline.folder().join("disk");
    fs::create_dir(&disk).unwrap();
    let url = world.pipeline.database.url();
    let store = format!("file:{}", world.pipeline.store().display());
    let args =
        ["build", &world.file(), "--database-url", &url, "--store", &store].map(str::to_owned).to_vec();
    let said = [
        ("\"disk\"", "size=1m", "is a mount point", "The database is unchanged."),
        (
            "\"disk/public\"",
            "size=64k",
            "No space left",
            "What metrics loaded is committed; the site is the last good one.",
        ),
        ("\"disk/public\"", "size=1m,ro", "Read-only file system", "The database is unchanged."),
    ];
    for (out, options, says, database) in said {
        world.site_with("\"public\"", out);
        let Some(ran) = mounted(&disk, options, args.clone(), &[]).await else { return };
        ran.exits(1).says(says).says(database);
    }
}

#[tokio::test]
async fn the_built_in_templates_can_be_had_and_make_the_same_site() {
    let world = World::new("site templates written", 12).await;
    world.build(&[]).await.exits(0);
    let before = world.files();
    let folder = world.pipeline.folder().join("templates");
    let write = ["build", "--write-templates", &folder.display().to_string()];
    world.pipeline.other(&write).await.exits(0).says("project.html");
    world.site_with("out = \"public\"", "out = \"public\"\ntemplates = \"templates\"");
    world.build(&["--dry-run"]).await.exits(0).says("site     would write 0, remove 0");
    // A template that somebody has changed stays.
    fs::write(folder.join("style.css"), "body { color: red }").unwrap();
    world.pipeline.other(&write).await.exits(0).says("style.css is there already and stays");
    world.build(&[]).await.exits(0);
    assert_ne!(world.files(), before);
    // The steps before would change the tables, so the dry run cannot know.
    let sheet = world.pipeline.source().join("categories.csv");
    fs::write(&sheet, fs::read_to_string(&sheet).unwrap() + "another,Another,,\n").unwrap();
    world
        .build(&["--dry-run"])
        .await
        .exits(0)
        .says("catalog  would run")
        .says("the steps above may change them");
}
