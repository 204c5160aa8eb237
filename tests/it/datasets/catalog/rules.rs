//! Each rule with a sheet that breaks it: file, row, column, value, and the value that was probably meant.

use super::world::World;

/// A line to add to a good sheet, and its failure: column, value, part of the reason, suggestion.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    ("categories.csv", ",No key,,", "category", "", "the cell is empty", ""),
    ("categories.csv", "data,Again,,", "category", "data", "there twice", "row 2 has it first"),
    (
        "categories.csv",
        "deep,Deep,machine-learning,",
        "parent",
        "machine-learning",
        "refers to nothing",
        "ml",
    ),
    ("categories.csv", "a,A,b,", "parent", "b", "lead back to itself", ""),
    ("categories.csv", "b,B,a,", "parent", "a", "lead back to itself", ""),
    ("categories.csv", "self,Self,self,", "parent", "self", "refers to itself", ""),
    (
        "categories.csv",
        "within-a,Within,a,",
        "parent",
        "a",
        "is not loaded",
        "put row 9 of categories.csv right",
    ),
    ("communities.csv", "Rust People,Rust,,", "community", "Rust People", "not a key", "rust-people"),
    (
        "communities.csv",
        "go,Go,go.example.org,",
        "url",
        "go.example.org",
        "not an address",
        "https://go.example.org",
    ),
    ("backers.csv", "big,\"=HYPERLINK(\"\"x\"\")\",company,", "name", "=HYPERLINK(\"x\")", "formula", ""),
    (
        "backers.csv",
        "a-c-m-e,ACME,company,",
        "backer",
        "a-c-m-e (ACME)",
        "looks like another row",
        "acme, in row 2",
    ),
    (
        "projects.csv",
        "tensor-flow,Tensor Flow,,,,,",
        "project",
        "tensor-flow (Tensor Flow)",
        "looks like",
        "tensorflow, in row 2",
    ),
    ("projects.csv", "p1,P1,,pyy,MIT,,", "community", "pyy", "refers to nothing", "py"),
    ("projects.csv", "p2,P2,,py,Apache 2,,", "license", "Apache 2", "not a license", "Apache-2.0"),
    ("projects.csv", "p3,P3,,py,MIT,25/12/2015,", "started", "25/12/2015", "not a date", "2015-12-25"),
    (
        "projects.csv",
        "p4,P4,,py,MIT,,<script>alert(1)</script>",
        "description",
        "<script>alert(1)</script>",
        "markup",
        "",
    ),
    ("projects.csv", "p5,P5 ,,py,MIT,,", "name", "P5 ", "blanks", "P5"),
    ("projects.csv", "p6,“P6”,,py,MIT,,", "name", "“P6”", "odd quotes", "P6"),
    (
        "projects.csv",
        "../../etc/passwd,P7,,py,MIT,,",
        "project",
        "../../etc/passwd",
        "not a key",
        "etc-passwd",
    ),
    ("projects.csv", "p8,P8,,py", "", "", "4 cells in the place of 7", ""),
    (
        "projects.csv",
        "p9,P9,not a repository,py,MIT,,",
        "repository",
        "not a repository",
        "not OWNER/NAME",
        "",
    ),
    ("project_categories.csv", "Tensor Flow,ml", "project", "Tensor Flow", "refers to nothing", "tensorflow"),
    (
        "project_categories.csv",
        "p2,data",
        "project",
        "p2",
        "is not loaded",
        "put row 8 of projects.csv right",
    ),
    (
        "project_categories.csv",
        "sled,storage",
        "project,category",
        "sled,storage",
        "there twice",
        "row 4 has it first",
    ),
    ("project_backers.csv", "sled,acme,2015-02-30", "since", "2015-02-30", "no such day", ""),
    ("project_dependencies.csv", "numpy,numpy", "depends_on", "numpy", "refers to itself", ""),
    ("project_dependencies.csv", "numpy,within-a", "depends_on", "within-a", "refers to nothing", ""),
    (
        "links.csv",
        "numpy,docs,http://docs.example.org/a b",
        "url",
        "http://docs.example.org/a b",
        "blank",
        "http://docs.example.org/a%20b",
    ),
    (
        "links.csv",
        "numpy,docs,https://docs.example.org/numpy",
        "project,kind,url",
        "numpy,docs,https://docs.example.org/numpy",
        "there twice",
        "row 2 has it first",
    ),
    ("backers.csv", "more,More,company,,more", "", "", "5 cells in the place of 4", ""),
    ("backers.csv", "late,Late #N/A,Big Company,", "kind", "Big Company", "not a key", "big-company"),
    ("backers.csv", "ref,#REF!,company,", "name", "#REF!", "what a formula says that fails", ""),
    ("communities.csv", "zig,Zig  people,,", "name", "Zig  people", "blanks that are doubled", "Zig people"),
    ("projects.csv", "p10,\"P10\"x,,py,MIT,,", "", "", "after the quote that closes a cell", ""),
    ("projects.csv", "sled,Another sled,,,,,", "project", "sled", "there twice", "row 4 has it first"),
    (
        "projects.csv",
        "numerical,Numpy,,,,,",
        "project",
        "numerical (Numpy)",
        "looks like another row",
        "numpy, in row 3",
    ),
    (
        "project_categories.csv",
        "sled,within-a",
        "category",
        "within-a",
        "is not loaded",
        "put row 12 of categories.csv right",
    ),
];

#[tokio::test]
async fn each_rule_names_the_cell_and_what_may_be_meant() {
    let world = World::new("catalog rules").await;
    let mut expected = Vec::new();
    let mut lines = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for (file, line, column, value, reason, suggestion) in CASES {
        let lines = lines.entry(file).or_default();
        // A blank row, which counts as a row but holds nothing.
        if lines.is_empty() {
            lines.push("");
        }
        lines.push(line);
        let row = super::world::good(file).lines().count() + lines.len();
        expected.push((*file, row.to_string(), *column, *value, *reason, *suggestion));
    }
    // Categories with the same name under different parents are not look-alikes.
    lines.get_mut("categories.csv").unwrap().push("other-storage,Storage,ml,");
    for (file, lines) in lines {
        world.put_with(file, &format!("{}\n", lines.join("\n")));
    }
    world.run(&["--max-failures", "100%"]).await.exits(3);
    let mut failures = world.failures().await;
    for (file, row, column, value, reason, suggestion) in expected {
        let at = failures.iter().position(|found| {
            found[..4] == [file, row.as_str(), column, value]
                && found[4].contains(reason)
                && found[5] == suggestion
        });
        let at = at.unwrap_or_else(|| {
            panic!("{file} {row} {column} {value}: {reason}: {suggestion}\nin {failures:#?}")
        });
        failures.swap_remove(at);
    }
    assert_eq!(failures, Vec::<[String; 6]>::new(), "there are other failures");
    assert_eq!(world.keys("catalog_projects").await, "numpy sled tensorflow", "good rows are loaded");
    assert_eq!(world.keys("catalog_categories").await, "data ml other-storage storage");
    assert_eq!(world.keys("catalog_links").await.split(' ').count(), 1);
}

/// Every error that the program plants in a sample is found at its place.
#[tokio::test]
async fn what_a_sample_plants_is_found() {
    let world = World::new("catalog sample").await;
    let out = world.pipeline.source().display().to_string();
    let args = ["sample", "catalog", "--projects", "200", "--errors", "44", "--out", &out];
    let ran = world.pipeline.other(&args).await.exits(0);
    assert!(ran.stderr.contains("44 planted errors"), "{}", ran.stderr);
    world.run(&["--max-failures", "100%"]).await.exits(3);
    let failures = world.failures().await;
    let planted = std::fs::read_to_string(world.pipeline.source().join("planted.csv")).unwrap();
    let planted = crate::support::csv::Csv::parse(&planted);
    assert_eq!(planted.rows.len(), 44);
    for row in &planted.rows {
        let is_found = |found: &&[String; 6]| {
            found[..2].iter().zip(row).all(|(found, planted)| Some(found) == planted.as_ref())
        };
        assert!(failures.iter().any(|found| is_found(&found)), "{row:?} in {failures:#?}");
    }
    let direct = failures.iter().filter(|found| !found[4].contains("is not loaded")).count();
    assert_eq!(direct, 44, "{failures:#?}");
    // Without planted errors, no failure is found.
    let args = ["sample", "catalog", "--projects", "200", "--out", &out];
    world.pipeline.other(&args).await.exits(0);
    world.run(&["--allow", "drop"]).await.exits(0);
    assert_eq!(world.failures().await.len(), 0);
    assert_eq!(world.pipeline.one("select count(*) from catalog_projects").await, "200");
}
