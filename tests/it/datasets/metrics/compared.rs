//! The same figures by other hands: PageRank by networkx, metrics by pandas.

use std::fs;
use std::process::Command;

use super::world::World;
use crate::support::tools;

/// What the script reads, each with its query.
const TABLES: [(&str, &str); 10] = [
    ("commits", "select * from git_commits"),
    ("parents", "select * from git_parents"),
    ("identities", "select * from git_identities"),
    (
        "repositories",
        "select repository_id, lower(full_name) as full_name, head_shas[1] as head, cardinality(head_shas) as heads from git_repositories",
    ),
    ("projects", "select * from catalog_projects"),
    ("categories", "select * from catalog_categories"),
    ("project_categories", "select * from catalog_project_categories"),
    ("metrics", "select * from site_metrics"),
    ("nodes", "select * from graph_nodes"),
    ("edges", "select * from graph_edges"),
];

#[tokio::test]
async fn figures_are_those_of_networkx_and_pandas() {
    let world = World::new("metrics compared", 24, 300).await;
    world.run(&[]).await.exits(0);
    let folder = world.pipeline.folder().join("compared");
    fs::create_dir(&folder).unwrap();
    for (name, query) in TABLES {
        let text = format!("copy ({query}) to stdout with (format csv, header)");
        let csv = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--command", &text])
            .arg(world.pipeline.database.url())
            .output()
            .unwrap();
        assert!(csv.status.success(), "{}", String::from_utf8_lossy(&csv.stderr));
        fs::write(folder.join(format!("{name}.csv")), csv.stdout).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/datasets/metrics/compare.py");
    let python = tools::tool("networkx", "networkx_below").join("bin/python");
    let said = Command::new(python).args([script, folder.to_str().unwrap(), "2025-10"]).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{text}");
    assert!(text.contains("all the same"), "{text}");
}
