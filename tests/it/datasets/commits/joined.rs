//! Histories of the projects of the catalog, and the metrics that are made of both.

use std::fs;

use super::world::GitWorld;

/// The sheets of two projects with a repository each, of one with a repository elsewhere, and of one without.
fn write_sheets(world: &GitWorld) {
    let sheets = [
        ("categories", "category,name,parent,description\nlights,Lights,,\n"),
        ("communities", "community,name,url,description\n"),
        ("backers", "backer,name,kind,url\n"),
        (
            "projects",
            "project,name,repository,community,license,started,description\n\
             lamp,Lamp,https://github.com/harbour/lighthouse,,,,\n\
             odd,Odd,harbour/oddities,,,,\n\
             far,Far,https://git.example.org/far/away,,,,\n\
             none,None,,,,,\n",
        ),
        ("project_categories", "project,category\nlamp,lights\nodd,lights\n"),
        ("project_backers", "project,backer,since\n"),
        ("project_dependencies", "project,depends_on\n"),
        ("links", "project,kind,url\n"),
    ];
    for (name, text) in sheets {
        fs::write(world.pipeline.source().join(format!("{name}.csv")), text).unwrap();
    }
}

#[tokio::test]
async fn the_catalog_names_the_projects_and_metrics_count_their_commits() {
    let world = GitWorld::new("commits_joined", 300).await;
    let pipeline = &world.pipeline;
    let list = ["run", "commits", "--projects", "catalog"];
    let ran = pipeline.other(&list).await.exits(1);
    ran.says("there is no public.catalog_projects").says("merganser run catalog makes it");
    pipeline.other(&["run", "metrics"]).await.exits(1).says("merganser run catalog makes it");
    write_sheets(&world);
    let sheets = format!("dir:{}", pipeline.source().display());
    pipeline.other(&["run", "catalog", "--source", &sheets]).await.exits(0);
    pipeline.other(&["run", "metrics"]).await.exits(1).says("merganser run commits makes it");
    pipeline.other(&list).await.exits(0).says("far is left out: `https://git.example.org/far/away`");
    let projects =
        "select string_agg(project || ' ' || full_name, ', ' order by project) from git_repositories";
    assert_eq!(pipeline.one(projects).await, "lamp harbour/lighthouse, odd harbour/oddities");
    let proof = ["check", "commits", "--complete", "--projects", "catalog"];
    pipeline.other(&proof).await.exits(0).says("Complete: every head");
    pipeline.other(&["run", "metrics"]).await.exits(0);
    let value = |key: &'static str, metric: &'static str| async move {
        let query = format!(
            "select sum(value)::bigint from site_metrics where key = '{key}' and metric = '{metric}'"
        );
        pipeline.one(&query).await.parse::<u32>().unwrap()
    };
    let bots = world.git("harbour/lighthouse", &["rev-list", "--count", "--author=\\[bot\\] <", "main"]);
    let all = world.git("harbour/lighthouse", &["rev-list", "--count", "main"]);
    let people: u32 = all.parse::<u32>().unwrap() - bots.parse::<u32>().unwrap();
    assert_ne!(bots, "0");
    assert_eq!(value("lamp", "commits").await, people);
    // A commit without a time, or of the future, is of no month, and the one bot of the oddities does not count.
    let timed = "select count(*) from git_commits join git_repositories using (repository_id)
        where project = 'odd' and author_time < date_trunc('month', now()) and not is_bot";
    let odd = value("odd", "commits").await;
    assert_eq!(odd.to_string(), pipeline.one(timed).await);
    // What is in both counts once in what both are in.
    let both = "select count(distinct sha) from git_commits
        where author_time < date_trunc('month', now()) and not is_bot";
    let lights = value("lights", "commits").await;
    assert_eq!(lights.to_string(), pipeline.one(both).await);
    assert!(lights > people && lights <= people + odd, "{lights}");
    // A person who has two addresses is one, if somebody says so.
    let people = "select count(*) from graph_nodes where kind = 'person' and name = 'Ada Byron'";
    assert_eq!(pipeline.one(people).await, "2");
    pipeline.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    pipeline.other(&["run", "metrics"]).await.exits(0);
    assert_eq!(pipeline.one(people).await, "1");
    // Who is taken out of histories is not named in the graph any more, nor in what is kept to undo it.
    let kept = "select image from etl.undo_images where dataset = 'metrics' and table_name = 'graph_nodes'";
    let image = pipeline.one(kept).await;
    let in_images = format!("select count(*) from etl.{image} where name = 'Ada Byron'");
    assert_ne!(pipeline.one(&in_images).await, "0");
    let purged = pipeline.other(&["purge", "commits", "--person", "ada"]).await.exits(0);
    purged.says("graph_nodes (names): the person is taken out of 1 row");
    assert_eq!(pipeline.one(people).await, "0");
    assert_eq!(pipeline.one(&in_images).await, "0");
    let others = "select (count(*) > 1)::text from graph_nodes where kind = 'person' and name <> ''";
    assert_eq!(pipeline.one(others).await, "true");
    pipeline.other(&["run", "metrics"]).await.exits(0);
    assert_eq!(pipeline.one(people).await, "0");
}

/// The catalog, histories of it, and the graph of both.
async fn world_with_graph(hint: &str) -> GitWorld {
    let world = GitWorld::new(hint, 300).await;
    write_sheets(&world);
    let sheets = format!("dir:{}", world.pipeline.source().display());
    world.pipeline.other(&["run", "catalog", "--source", &sheets]).await.exits(0);
    world.pipeline.other(&["run", "commits", "--projects", "catalog"]).await.exits(0);
    world.pipeline.other(&["run", "metrics"]).await.exits(0);
    world
}

/// What such a run has read names the person still.
#[tokio::test]
async fn a_purge_does_not_begin_while_a_run_of_metrics_is_under_way() {
    let world = world_with_graph("commits_beside").await;
    let pipeline = &world.pipeline;
    let held = pipeline.folder().join("held");
    let fault = format!("promote.begin=hold {}", held.display());
    pipeline.execute("update graph_nodes set name = ''").await;
    let people = "select count(*) from graph_nodes where kind = 'person' and name = 'Ada Byron'";
    let metrics = pipeline.start_other(&["run", "metrics", "--as-of", "2025-10"], &[("FAULTS", &fault)]);
    while !held.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let purge = ["purge", "commits", "--person", "ada@example.org"];
    let authors = "select count(*) from git_commits where author_name = 'Ada Byron'";
    let before = pipeline.one(authors).await;
    pipeline.other(&purge).await.exits(75).says("another run of metrics is under way");
    assert_eq!(pipeline.one(authors).await, before);
    fs::remove_file(&held).unwrap();
    metrics.await.unwrap().exits(0);
    assert_ne!(pipeline.one(people).await, "0");
    let named = pipeline.one(people).await.parse::<u32>().unwrap();
    pipeline.other(&purge).await.exits(0);
    assert_eq!(
        pipeline.one(people).await.parse::<u32>().unwrap(),
        named - 1,
        "who has another address stays"
    );
    // And nothing of metrics begins while a purge is under way.
    let fault = format!("publish.begin=hold {}", held.display());
    let purge = ["purge", "commits", "--person", "ada@work.example.com"];
    let purging = pipeline.start_other(&purge, &[("FAULTS", &fault)]);
    while !held.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    pipeline.other(&["run", "metrics"]).await.exits(75).says("another run of metrics is under way");
    fs::remove_file(&held).unwrap();
    purging.await.unwrap().exits(0);
    assert_eq!(pipeline.one(people).await, "0");
    pipeline.other(&["run", "metrics"]).await.exits(0);
    assert_eq!(pipeline.one(people).await, "0");
}

/// A node shows one of its person's names, which may be what somebody else is called.
#[tokio::test]
async fn the_node_of_another_person_keeps_its_name_though_it_is_the_same() {
    let world = world_with_graph("commits_namesake").await;
    let pipeline = &world.pipeline;
    // The one name of Ada Byron that stands without an address, a namesake has in the graph; of a node that is of nobody any more,
    // the name says whose it was.
    let ben =
        "(select left(md5('person ' || person), 16) from git_identities where name = 'Ben Okri' limit 1)";
    pipeline.execute("update git_identities set person = 'ada' where name = 'Ada Byron'").await;
    pipeline
        .execute(&format!(
            "update graph_nodes set name = 'Ada Byron' where key = {ben};
             insert into graph_nodes (kind, key, name, record_id) values ('person', 'before', 'Ada Byron', 'person:before')"
        ))
        .await;
    let purged = pipeline.other(&["purge", "commits", "--person", "ada"]).await.exits(0);
    purged.says("graph_nodes (names): the person is taken out of 3 rows");
    let left =
        format!("select count(*) || ' ' || bool_and(key = {ben}) from graph_nodes where name = 'Ada Byron'");
    assert_eq!(pipeline.one(&left).await, "1 true");
}

#[tokio::test]
async fn a_build_of_a_site_loads_the_histories_of_its_projects() {
    let world = GitWorld::new("commits_built", 300).await;
    let pipeline = &world.pipeline;
    write_sheets(&world);
    let file = pipeline.folder().join("site.toml");
    let site = "title = \"Lights\"\nbase_url = \"https://lights.example/\"\n[catalog]\nsource = \"dir:source\"\n\
        [commits]\nsource = \"git:clones\"\n[site]\nout = \"public\"\n";
    fs::write(&file, site).unwrap();
    let file = file.display().to_string();
    pipeline.other(&["build", &file]).await.exits(0);
    let loaded = "select (count(*) > 100)::text from git_commits join git_repositories using (repository_id)
        where project = 'lamp'";
    assert_eq!(pipeline.one(loaded).await, "true");
    let page = fs::read_to_string(pipeline.folder().join("public/projects/lamp.html")).unwrap();
    let commits = "select max(value)::bigint from site_metrics where key = 'lamp' and metric = 'commits'";
    assert!(page.contains(&pipeline.one(commits).await), "{page}");
    // What is the same is not loaded again, and the site stays as it is, to the byte.
    pipeline.other(&["build", &file, "--explain"]).await.exits(0).says("nothing");
}
