//! The commands of the documents run: every block that a shell can take is run as it stands, in its document's order, on real
//! servers. Only the names of places are replaced. What does not run here is listed with the reason.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use merganser::commands::demo::git_host::read_clones;
use merganser::commands::demo::quickstats::read_bulk;
use merganser::datasets::commits::host::GitHost;

use super::documents::{documents, read};
use crate::support::git_host::GitHostServer;
use crate::support::pipeline::Pipeline;
use crate::support::quickstats::QuickStatsServer;
use crate::support::s3;

/// The documents with a test below.
const PLAYED: [&str; 11] = [
    "README.md",
    "docs/catalog.md",
    "docs/datasets/commits.md",
    "docs/datasets/datapoints.md",
    "docs/datasets/nass.md",
    "docs/datasets/oca.md",
    "docs/operations.md",
    "docs/serve.md",
    "docs/site.md",
    "docs/tasks.md",
    "docs/transform.md",
];

/// Blocks that no test of this file runs: the document, a part of the block, and why.
const ELSEWHERE: [(&str, &str, &str); 19] = [
    ("CONTRIBUTING.md", "scripts/setup build", "the gate builds so"),
    ("CONTRIBUTING.md", "cargo test --lib", "the gate tests so"),
    ("README.md", "make demo", "it builds a release"),
    ("README.md", "pip install", "released::wheel installs it so"),
    ("docs/catalog.md", "merganser demo catalog", "datasets::catalog::demo"),
    ("docs/catalog.md", "merganser demo metrics", "datasets::metrics::demo"),
    (
        "docs/catalog.md",
        "--sheet projects.csv",
        "datasets::catalog::by_address, over addresses of this machine",
    ),
    ("docs/datasets/commits.md", "merganser demo commits", "datasets::commits::demo"),
    ("docs/datasets/nass.md", "merganser demo nass", "datasets::nass::demo"),
    ("docs/engines.md", "#SBATCH", "needs Slurm; docs::deploy reads it"),
    ("docs/operations.md", "make image", "released::image builds and runs it"),
    ("docs/operations.md", "docker build", "needs Docker and a base image"),
    ("docs/operations.md", "kubectl", "needs Kubernetes; docs::deploy reads the manifests"),
    ("docs/operations.md", "ssh-keyscan", "needs the sender's server"),
    ("docs/operations.md", "merganser undo 01a", "names runs of its own; docs::session undoes runs"),
    ("docs/operations.md", "merganser-weekly", "a file that cron runs, which nobody types"),
    ("docs/performance.md", "the_figures_of_a_hundred_thousand", "takes minutes"),
    ("docs/performance.md", "a_million_addresses", "takes minutes"),
    ("docs/site.md", "merganser demo site", "site::builds"),
];

/// A fenced block.
#[derive(Debug)]
struct Block {
    /// Where its text begins.
    line: usize,
    language: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let (mut blocks, mut is_open) = (Vec::<Block>::new(), false);
    for (number, line) in read(document).lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(language) => {
                is_open = true;
                blocks.push(Block {
                    line: number + 2,
                    language: language.trim().into(),
                    text: String::new(),
                });
            }
            None if is_open => blocks.last_mut().expect("it is open").text += &format!("{line}\n"),
            None => {}
        }
    }
    blocks
}

fn is_elsewhere(document: &str, block: &Block) -> bool {
    ELSEWHERE.iter().any(|(of, part, _)| *of == document && block.text.contains(part))
}

#[test]
fn each_block_of_commands_runs_or_says_why_not() {
    let mut used = Vec::new();
    for document in documents() {
        let document = document.to_str().expect("a name is text");
        // It is played by a test of its own, and compared word by word.
        if document == "docs/session.md" {
            continue;
        }
        for block in blocks(document).iter().filter(|block| block.language == "sh") {
            let found: Vec<_> = (ELSEWHERE.iter())
                .filter(|(of, part, _)| *of == document && block.text.contains(part))
                .collect();
            assert!(
                !found.is_empty() || PLAYED.contains(&document),
                "{document}:{}: play it in tests/it/docs/played.rs, or say there why not:\n{}",
                block.line,
                block.text
            );
            used.extend(found);
        }
    }
    let idle: Vec<_> = ELSEWHERE.iter().filter(|known| !used.contains(known)).collect();
    assert!(idle.is_empty(), "no document has these: {idle:?}");
}

/// Where a document is played: a folder, a database, and what its names stand for here.
struct Stage {
    pipeline: Pipeline,
    stands_for: Vec<(String, String)>,
    envs: Vec<(String, String)>,
}

impl Stage {
    async fn new(hint: &str) -> Self {
        let pipeline = Pipeline::new(hint).await;
        let programs = pipeline.folder().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_merganser"), programs.join("merganser")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let envs = vec![
            ("PATH".into(), path),
            ("HOME".into(), pipeline.folder().display().to_string()),
            ("DATABASE_URL".into(), pipeline.database.url()),
        ];
        Self { pipeline, stands_for: Vec::new(), envs }
    }

    fn folder(&self) -> &Path {
        self.pipeline.folder()
    }

    fn means(mut self, name: &str, here: impl Into<String>) -> Self {
        self.stands_for.push((name.into(), here.into()));
        self
    }

    fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    fn shell(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{script}")]).env_clear().envs(self.envs.iter().cloned());
        shell.current_dir(self.folder()).stdin(Stdio::null());
        String::from_utf8_lossy(&shell.output().expect("sh runs").stdout).into_owned()
    }

    /// Runs what the documents do not show.
    fn prepare(&self, script: &str) {
        let said = self.shell(&format!("set -e\n{script}\necho prepared"));
        assert!(said.ends_with("prepared\n"), "{script}\n{said}");
    }

    /// Runs the blocks of a document; these lines, and no others, end with another exit code than 0.
    fn play(&self, document: &str, exits: &[(&str, i32)]) {
        let (mut script, mut lines) = (String::new(), Vec::new());
        for block in blocks(document) {
            if block.language != "sh" || is_elsewhere(document, &block) {
                continue;
            }
            for line in block.text.replace("\\\n", " ").lines() {
                let number = lines.len();
                lines.push((block.line, line.to_owned()));
                let here = self
                    .stands_for
                    .iter()
                    .fold(line.to_owned(), |line, (name, here)| line.replace(name, here));
                script += &format!("echo '@@ {number}'\n{here}\necho \"@= $?\"\n");
            }
        }
        assert!(!lines.is_empty(), "{document} has no commands");
        let said = self.shell(&script);
        let mut said_of = said.split("@@ ").skip(1);
        let mut left = exits.to_vec();
        for (at, line) in lines {
            let said =
                said_of.next().unwrap_or_else(|| panic!("{document}:{at}: the shell has ended\n{said}"));
            let code = said.rsplit_once("@= ").and_then(|(_, code)| code.trim().parse::<i32>().ok());
            let expected = left.iter().position(|(part, _)| line.contains(part));
            let expected = expected.map_or(0, |known| left.remove(known).1);
            assert_eq!(code, Some(expected), "{document}:{at}: {line}\n{said}");
        }
        assert!(left.is_empty(), "{document}: no such line: {left:?}");
    }

    /// The folder `companies` with the job of docs/transform.md, and the tables that it names.
    async fn make_companies(&self) {
        let folder = self.folder().join("companies");
        fs::create_dir(&folder).unwrap();
        let of = |language: &str, part: &str| {
            let mut found = blocks("docs/transform.md").into_iter();
            let found = found.find(|block| block.language == language && block.text.contains(part));
            found.unwrap_or_else(|| panic!("the document has no {part}")).text
        };
        fs::write(folder.join("job.toml"), of("toml", "[source]")).unwrap();
        fs::write(folder.join("clean.duckdb.sql"), of("sql", "from raw")).unwrap();
        fs::write(folder.join("companies_clean.pg.sql"), of("sql", "create table")).unwrap();
        let tables = "create table companies_raw as
                select i::bigint as company_id, (10000 + i % 40)::text as zip_code, ' firm ' || i as name
                from generate_series(1, 2000) as i;
            create index on companies_raw (zip_code);
            create table companies_sample as select * from companies_raw where zip_code < '10003';
            create table companies_truth as
                select company_id, zip_code, zip_code as zip, upper(trim(name)) as name,
                    row_number() over (partition by zip_code order by company_id) as rank
                from companies_sample;
            analyze;";
        self.pipeline.execute(tables).await;
    }
}

/// The court's extract with a city's directory, a bucket, and a service of crop statistics.
struct Court {
    stage: Stage,
    _service: QuickStatsServer,
}

async fn court(hint: &str) -> Court {
    let stage = Stage::new(hint).await;
    stage.prepare(
        "merganser sample oca --cases 600 --out incoming --run-date 2026-11-14 --level 2 --malformed 3 --reference city --lots 4000
        mv city/pluto.csv city/tracts.csv .
        merganser sample nass --records 4000 --from 2015 --to 2020 --out quickstats",
    );
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["bobaadr.txt", "bobabbl.txt"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&fs::read(stage.folder().join("city").join(name)).unwrap()).unwrap();
    }
    fs::write(stage.folder().join("pad.zip"), zip.finish().unwrap().into_inner()).unwrap();
    let service = QuickStatsServer::start(read_bulk(&stage.folder().join("quickstats")).unwrap());
    let bucket = s3::bucket(hint).await;
    let incoming = stage.folder().join("incoming").display().to_string();
    let url = stage.pipeline.database.url();
    let mut stage = stage
        .means("postgresql://merganser@db.example.org/court?sslmode=verify-full", url)
        .means("/srv/incoming", incoming)
        .means("s3://my-bucket/court", format!("s3://{}/court", bucket.name))
        .env("MERGANSER_NASS_API_URL", service.api_url());
    stage.envs.extend(bucket.env());
    Court { stage, _service: service }
}

#[tokio::test]
async fn the_readme_and_the_main_tasks() {
    let Court { stage, _service } = court("played tasks").await;
    stage.play("README.md", &[("run oca --dry-run", 3), ("run oca", 3)]);
    let made = stage.folder().join("made").display().to_string();
    let stage = stage.means("/tmp/incoming", made).means("--cases 50000", "--cases 500");
    stage.make_companies().await;
    // What is malformed stays so.
    stage.play("docs/tasks.md", &[("retry oca", 3), ("reprocess oca", 3)]);
}

#[tokio::test]
async fn what_operators_type() {
    let Court { stage, _service } = court("played operations").await;
    let store = format!("file:{}", stage.pipeline.store().display());
    let source = format!("dir:{}", stage.folder().join("incoming").display());
    let stage = stage.env("MERGANSER_SOURCE", source).env("MERGANSER_STORE", store);
    stage.prepare(
        "merganser run oca --quiet || [ $? = 3 ]
        merganser sample oca --cases 100 --out late --run-date 2026-11-07",
    );
    let late = stage.folder().join("late").display().to_string();
    let stage = stage.means("/srv/late", late);
    // What is malformed stays so.
    stage.play(
        "docs/operations.md",
        &[("retry oca", 3), ("reprocess oca", 3), ("reprocess oca", 3), ("reprocess oca", 3)],
    );
}

#[tokio::test]
async fn the_court_s_own_document() {
    let Court { stage, _service } = court("played oca").await;
    stage.prepare("merganser run oca --source dir:incoming --store file:store --quiet || [ $? = 3 ]");
    let url = stage.pipeline.database.url();
    let stage = stage
        .means("postgresql://localhost/oca", format!("'{url}'"))
        .means("pad26a.zip", "pad.zip")
        .means("pluto_26v1.zip", "pluto.csv")
        .means("nyct2020.csv", "tracts.csv");
    stage.play("docs/datasets/oca.md", &[]);
}

#[tokio::test]
async fn sheets_and_the_site() {
    let stage = Stage::new("played sheets").await;
    let url = stage.pipeline.database.url();
    let stage = stage.means("embedded:pg", format!("'{url}'"));
    stage.prepare(
        "merganser sample commits --commits 100 --out clones
        MERGANSER_EMAIL_KEY=key merganser run commits --source git:clones --store file:store --quiet",
    );
    stage.play("docs/catalog.md", &[("merganser run catalog", 3)]);
    let config = blocks("docs/site.md").into_iter().find(|block| block.language == "toml").unwrap();
    fs::write(stage.folder().join("site.toml"), config.text).unwrap();
    stage.prepare(
        "git init --quiet --bare pages.git; git config --global user.name us; git config --global user.email us@example.org
        merganser build --write-templates templates",
    );
    let pages = stage.folder().join("pages.git").display().to_string();
    let stage = stage
        .means("https://git.example.org/us/pages.git", pages)
        .means("--write-templates templates", "--write-templates again");
    // The errors of the sheets are in them still.
    stage.play("docs/site.md", &[("merganser build site.toml", 3)]);
    stage.prepare("git --git-dir pages.git show pages:index.html | grep -q 'Projects of our town'");
}

#[tokio::test]
async fn crop_statistics() {
    let Court { stage, _service } = court("played nass").await;
    let url = stage.pipeline.database.url();
    let stage = stage
        .means("postgresql://USER@HOST/DATABASE", format!("'{url}'"))
        .means("quickstats", "bulk")
        .means("--records 200000", "--records 4000");
    stage.play("docs/datasets/nass.md", &[]);
}

#[tokio::test]
async fn histories() {
    let stage = Stage::new("played commits").await;
    stage.prepare("merganser sample commits --commits 120 --out clones; cp clones/projects.csv . ");
    let clones = stage.folder().join("clones");
    let list = fs::read_to_string(stage.folder().join("projects.csv")).unwrap();
    let repositories = read_clones(&clones, &list).await.unwrap();
    let host = GitHost { repositories, ..GitHost::default() };
    let server = GitHostServer::start(host, 5_000);
    let url = stage.pipeline.database.url();
    let stage = stage
        .means("postgresql://USER@HOST/DATABASE", format!("'{url}'"))
        .means("https://api.github.com", server.url())
        .means("/srv/clones", clones.display().to_string());
    stage.play("docs/datasets/commits.md", &[]);
}

#[tokio::test]
async fn data_points_and_the_server() {
    let stage = Stage::new("played points").await;
    let url = stage.pipeline.database.url();
    let serve = "timeout --preserve-status 3 merganser serve --listen 127.0.0.1:0";
    let stage = stage
        .means("--rows 1000000", "--rows 20000")
        .means("--database-url embedded", format!("--database-url '{url}'"))
        .means(" --listen 127.0.0.1:8080", "")
        .means("merganser serve", serve)
        .means(
            "merganser demo serve",
            // A test of the server plays it.
            "merganser demo serve --help",
        );
    stage.play("docs/datasets/datapoints.md", &[]);
    stage.play("docs/serve.md", &[]);
}

#[tokio::test]
async fn a_large_table() {
    let stage = Stage::new("played transform").await;
    stage.make_companies().await;
    let store = stage.folder().join("lake").display().to_string();
    let stage = stage.means("s3://lake/etl", format!("file:{store}"));
    // A list of commands and no session: a version that is swapped can neither pause nor resume.
    stage.play("docs/transform.md", &[("transform pause", 1), ("transform resume", 1)]);
}
