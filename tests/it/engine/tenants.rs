//! The engine knows no dataset: it names none, and speaks of records and parts instead of one dataset's words for them. The engine
//! is all of src/ and sql/ but src/datasets/ and the folders of sql/ that are named after a dataset.

use std::fs;
use std::path::{Path, PathBuf};

use merganser::dataset::{PublishedColumns, Reach};
use merganser::datasets;

/// Words that belong to one dataset alone, besides the names of the datasets and of their tables.
const WORDS: &[&str] = &["indexnumberid", "case", "cases", "court", "courts", "street", "xml", "zip", "zips"];

/// Files that may use such words, and why.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    ("src/cli/mod.rs", &["cases"], "records of the one dataset that seals and purges them"),
    ("src/cli/run.rs", &["cases"], "the same"),
    ("src/commands/reference/", &["zip"], "what is published for everybody comes in zips"),
    ("src/dataset/reference.rs", &["zip"], "the same"),
    ("src/cli/environment.rs", &["cases"], "names of the variables of the job that was taken over"),
    ("src/dataset.rs", &["xml", "street"], "examples of what a dataset says of itself"),
    (
        "src/commands/demo.rs",
        &["oca", "nass", "datapoints", "catalog", "commits"],
        "which datasets have a demo",
    ),
    ("src/commands/demo/commits.rs", &["commits"], "the demo of one dataset"),
    ("src/commands/demo/git_host.rs", &["commits"], "the service of one dataset, on this machine"),
    ("src/sql.rs", &["commits"], "the histories that the demo of metrics makes up"),
    ("src/commands/demo/catalog.rs", &["catalog"], "the demo of one dataset"),
    ("src/commands/demo/serve.rs", &["datapoints"], "the dataset that the server's demo shows"),
    ("src/commands/demo/oca.rs", &["oca", "case", "cases", "court"], "the demo of one dataset"),
    ("src/commands/demo/nass.rs", &["nass"], "the demo of one dataset"),
    ("src/commands/demo/quickstats.rs", &["nass"], "the service of one dataset, on this machine"),
    (
        "sql/demo/rows.pg.sql",
        &["court", "cases", "indexnumberid", "oca_index", "oca_judgments"],
        "its tables",
    ),
    ("src/cli/mod.rs", &["catalog"], "the demo of a site"),
    (
        "src/site/",
        &["catalog", "metrics", "commits", "xml"],
        "a site of sheets, histories and metrics; its map in XML",
    ),
    ("src/commands/build/", &["catalog", "metrics", "commits"], "the steps of such a site"),
    ("src/commands/demo/site.rs", &["catalog"], "the demo of such a site"),
    ("src/commands/demo/metrics.rs", &["catalog"], "the demo of a dataset that is made of another one"),
    ("sql/demo/ranks.pg.sql", &["metrics", "graph_nodes"], "its tables"),
    ("sql/demo/similar.pg.sql", &["metrics"], "the same"),
    ("src/commands/demo/transform.rs", &["zip"], "a table of companies by ZIP code"),
    ("sql/demo/transform.pg.sql", &["zip"], "the same"),
    ("sql/demo/companies.pg.sql", &["zip", "case"], "the same; SQL's own word"),
    ("sql/demo/yields.pg.sql", &["nass_facts"], "its table"),
    ("src/commands/", &["metrics"], "what Prometheus is told"),
    ("src/serve/", &["metrics"], "the same"),
    ("src/commands/graph.rs", &["metrics", "graph_nodes"], "the graph of one dataset, for other programs"),
    ("src/cli/mod.rs", &["metrics"], "the same"),
    ("src/clients/store/s3/", &["xml", "zip"], "S3 answers in XML; types of objects by their names"),
];

fn collect(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, ending, files);
        } else if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
}

/// The words of a text, in lower case; an identifier is one word.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_lowercase)
}

/// `case` is also SQL's word, a transaction commits, English has lower case, and Rust's iterators zip.
fn is_plain(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    let others =
        ["case when", "case plan", "case current", "case class", "case session", "lower case", "in any case"];
    match word {
        "case" => line.trim_end().ends_with("case") || others.iter().any(|said| line.contains(said)),
        "zip" => line.contains(".zip("),
        // A transaction commits. The dataset stands in quotes or in a path.
        "commits" => {
            let named = ["\"commits\"", "'commits'", "`commits`", "::commits", "commits::", "/commits/"];
            !named.iter().any(|named| line.contains(named))
        }
        _ => false,
    }
}

#[test]
fn the_engine_speaks_of_no_dataset() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
    for dataset in datasets::ALL {
        names.extend(dataset.table_names().chain([dataset.name]).map(str::to_owned));
    }
    let mut files = Vec::new();
    collect(&root.join("src"), ".rs", &mut files);
    collect(&root.join("sql"), ".sql", &mut files);
    let mut found = Vec::new();
    for path in files {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let own = datasets::ALL.iter().any(|dataset| name.starts_with(&format!("sql/{}/", dataset.name)));
        if own || name.starts_with("src/datasets/") || name.ends_with("tests.rs") {
            continue;
        }
        let allowed: Vec<_> = EXCEPTIONS
            .iter()
            .filter(|(file, _, _)| name.starts_with(file))
            .flat_map(|(_, words, _)| words.iter().copied())
            .collect();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (line, number) in text.lines().zip(1..) {
            for word in words(line) {
                if names.contains(&word) && !allowed.contains(&word.as_str()) && !is_plain(line, &word) {
                    found.push(format!("{name}:{number}: {word}: {}", line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}\n{}", found.len(), found.join("\n"));
}

/// Datasets share a database and a store, each under its own lock, so no two of them may own the same name.
#[test]
fn datasets_do_not_get_in_each_others_way() {
    let mut seen = std::collections::BTreeMap::new();
    for dataset in datasets::ALL {
        let folder = format!("folder {}", dataset.folder);
        let tables = dataset.table_names().map(|table| format!("table {table}"));
        for name in tables.chain([format!("table {}", dataset.records_table()), folder]) {
            assert_eq!(seen.insert(name.clone(), dataset.name), None, "{name} of {}", dataset.name);
        }
        assert!(
            dataset.folder.is_empty() || dataset.folder == format!("{}/", dataset.name),
            "{}",
            dataset.name
        );
        assert!(
            !dataset.is_replaced() || dataset.together().is_some() || dataset.tables.len() == 1,
            "{}: one table is replaced",
            dataset.name
        );
        for csv in dataset.published {
            let is_private = csv.reach == Reach::Private;
            // A private object of that name would overwrite a raw file.
            assert!(!is_private || (dataset.file_name)(csv.name).is_none(), "{}", csv.name);
            let is_all = matches!(csv.columns, PublishedColumns::All);
            assert!(is_private || !is_all, "{} publishes columns that somebody may add", csv.name);
        }
    }
}
