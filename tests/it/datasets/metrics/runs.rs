//! A run of metrics: what it needs, what is nothing new, guards, undo; the graph for others.

use std::fs;

use serde_json::Value;

use super::world::World;
use crate::support::pipeline::Pipeline;

#[tokio::test]
async fn metrics_are_known_by_the_content_of_their_tables() {
    let world = World::new("metrics runs", 24, 60).await;
    world.run(&[]).await.exits(0);
    assert_eq!(world.pipeline.one("select round(sum(pagerank), 9) from graph_nodes").await, "1.000000000");
    let parts = "select count(*) from etl.parts join etl.runs using (run_id) where dataset = 'metrics'";
    world.run(&[]).await.exits(0);
    assert_eq!(world.pipeline.one(parts).await, "1", "the same rows are nothing new");
    let commit = "insert into git_commits values
        (2, 'new', 'Author 20', md5('address 20'), '2025-10-31 23:59:59', false, false, null),
        (2, 'later', 'Author 20', md5('address 20'), '2025-11-01 00:00:00', false, false, null)";
    let key = "select lower(split_part(full_name, '/', 2)) from git_repositories where repository_id = 2";
    let key = world.pipeline.one(key).await;
    let project = format!("project:{key}");
    let commits: u32 = world.value(&project, "commits", "2025-10").await.parse().unwrap();
    world.pipeline.execute(commit).await;
    world.run(&[]).await.exits(0);
    assert_eq!(world.value(&project, "commits", "2025-10").await, (commits + 1).to_string());
    assert_eq!(world.pipeline.one(parts).await, "2");
    // Another month is something new, and zeros go on to it.
    world.pipeline.other(&["run", "metrics", "--as-of", "2025-12"]).await.exits(0);
    assert_eq!(world.value(&project, "commits", "2025-11").await, "1");
    assert_eq!(world.value(&project, "commits", "2025-12").await, "0");
    assert_eq!(world.value(&project, "merge_share", "2025-12").await, "NULL");
    assert!(!world.pipeline.store().join("private/metrics/graph.csv").exists(), "has no archive");
    let secret = "select count(*) from graph_nodes where record_id like '%' || md5('address 20') || '%'";
    assert_eq!(world.pipeline.one(secret).await, "0");
    world.pipeline.other(&["undo", "last"]).await.exits(0);
    let last = "select max(month) from site_metrics";
    assert_eq!(world.pipeline.one(last).await, "2025-10-01");
}

#[tokio::test]
async fn what_is_missing_is_said_and_nothing_can_be_taken_again() {
    let pipeline = Pipeline::new("metrics missing").await;
    let ran = pipeline.other(&["run", "metrics"]).await.exits(1);
    ran.says("there is no public.catalog_projects").says("merganser run catalog makes it");
    for command in [&["reprocess", "metrics", "*"][..], &["retry", "metrics"]] {
        pipeline.other(command).await.exits(2).says("has no archive");
    }
    pipeline.other(&["run", "metrics", "--as-of", "2025-13"]).await.exits(2).says("not a month as YYYY-MM");
    let url = pipeline.database.url();
    let export = ["graph", "export", "--format", "jsonl", "--database-url", &url];
    pipeline.other(&export).await.exits(1).says("has no graph yet");
}

/// A history that is gone would take most values with it.
#[tokio::test]
async fn a_loss_stops_the_run() {
    let world = World::new("metrics loss", 24, 60).await;
    world.run(&[]).await.exits(0);
    let values = "select count(*) from site_metrics";
    let before = world.pipeline.one(values).await;
    world.pipeline.execute("truncate git_commits").await;
    world.run(&[]).await.exits(1).says("guard drop");
    assert_eq!(world.pipeline.one(values).await, before);
    world.run(&["--allow", "drop"]).await.exits(0);
}

#[tokio::test]
async fn the_graph_is_exported_for_others() {
    let world = World::new("metrics export", 24, 60).await;
    world.run(&[]).await.exits(0);
    let count = async |query: &str| world.pipeline.one(query).await.parse::<usize>().unwrap();
    let nodes = count("select count(*) from graph_nodes where kind <> 'person'").await;
    let edges = count("select count(*) from graph_edges where from_kind <> 'person'").await;
    let ran = world.export(&["--format", "jsonl"]).await.exits(0);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("node"), of("relationship")), (nodes, edges));
    let known: std::collections::BTreeSet<_> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
    assert!(lines.iter().filter(|line| line["type"] == "relationship").all(|line| {
        known.contains(line["start"]["id"].as_str().unwrap())
            && known.contains(line["end"]["id"].as_str().unwrap())
    }));
    let path = world.pipeline.folder().join("graph.graphml");
    let path = path.to_str().unwrap();
    world.export(&["--format", "graphml", "--people", "--out", path]).await.exits(0);
    let text = fs::read_to_string(path).unwrap();
    let python = crate::support::tools::tool("networkx", "networkx_below").join("bin/python");
    let script = "import sys, networkx as nx; g = nx.read_graphml(sys.argv[1]); print(g.is_directed(), g.number_of_nodes(), round(sum(p for _, p in g.nodes(data='pagerank')), 6))";
    let said = std::process::Command::new(python).args(["-c", script, path]).output().unwrap();
    let all = count("select count(*) from graph_nodes").await;
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), format!("True {all} 1.0"), "{}", text.len());
}

#[tokio::test]
async fn neighbours_paths_and_similar_projects_are_views() {
    let world = World::new("metrics views", 24, 60).await;
    world.run(&[]).await.exits(0);
    let edge = "select project || ' ' || depends_on from catalog_project_dependencies order by 1 limit 1";
    let edge = world.pipeline.one(edge).await;
    let (from, to) = edge.split_once(' ').unwrap();
    let neighbours = format!(
        "select string_agg(direction, ' ' order by direction) from graph_neighbours where edge = 'depends_on'
         and (kind, key, other_kind, other_key) in (('project', '{from}', 'project', '{to}'), ('project', '{to}', 'project', '{from}'))"
    );
    assert_eq!(world.pipeline.one(&neighbours).await, "in out");
    let paths = format!(
        "select count(*) from graph_paths where from_kind = 'project' and from_key = '{from}' and to_key = '{to}' and steps = 1
         and path = array['project:{from}', 'project:{to}']"
    );
    assert_ne!(world.pipeline.one(&paths).await, "0");
    let odd = "select count(*) from graph_paths where from_key = 'amber-auk' and cardinality(path) <>
        (select count(distinct node) from unnest(path) as node)";
    assert_eq!(world.pipeline.one(odd).await, "0");
    let similar = "select count(*) filter (where similarity > 1 or similarity <= 0) || ' ' || (count(*) > 0) from graph_similar_projects";
    assert_eq!(world.pipeline.one(similar).await, "0 true");
    let differ = "select count(*) from graph_similar_projects as one join graph_similar_projects as other
        on one.project = other.other and one.other = other.project and one.similarity <> other.similarity";
    assert_eq!(world.pipeline.one(differ).await, "0");
}

/// A repository that was renamed is found by its project; one that the sheet does not name any more is not counted.
#[tokio::test]
async fn a_repository_counts_for_the_project_whose_sheet_names_it() {
    let world = World::new("metrics repository", 24, 60).await;
    world.run(&[]).await.exits(0);
    let key = "select project from catalog_projects where lower(repository) =
        (select lower(full_name) from git_repositories where repository_id = 7)";
    let key = world.pipeline.one(key).await;
    let commits = format!("select sum(value) from site_metrics where key = '{key}' and metric = 'commits'");
    let before = world.pipeline.one(&commits).await;
    assert_ne!(before, "0");
    let rename = format!(
        "alter table git_repositories add project text;
        update git_repositories set project = '{key}', full_name = 'renamed/elsewhere' where repository_id = 7"
    );
    world.pipeline.execute(&rename).await;
    world.run(&[]).await.exits(0);
    assert_eq!(world.pipeline.one(&commits).await, before, "it is the same one");
    let moved = format!(
        "insert into git_repositories (repository_id, full_name, project) values (99, 'new/place', '{key}');
        insert into git_commits values
            (99, 'only', 'Author 20', md5('address 20'), '2025-10-05', false, false, null);
        update catalog_projects set repository = 'https://git.example.org/new/place' where project = '{key}'"
    );
    world.pipeline.execute(&moved).await;
    world.run(&["--allow", "drop"]).await.exits(0);
    assert_eq!(world.pipeline.one(&commits).await, "1", "what the sheet names now, and nothing else");
    let cleared = format!("update catalog_projects set repository = null where project = '{key}'");
    world.pipeline.execute(&cleared).await;
    world.run(&["--allow", "drop"]).await.exits(0);
    assert_eq!(world.pipeline.one(&commits).await, "NULL", "the sheet names none, so nothing counts");
}
