//! Repositories, a database and a store of a test's own, and git to compare with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use merganser::commands::demo::git_host::read_clones;
use merganser::datasets::commits::host::GitHost;
use merganser::datasets::commits::sample::{HistoriesArgs, write_histories};

use crate::support::git_host::GitHostServer;
use crate::support::pipeline::{Pipeline, Ran};

/// The key of the tests, which must be nowhere.
pub const KEY: &str = "the-key-of-the-tests-7D793037A0760186";

/// Made-up repositories, a database and a store.
pub struct GitWorld {
    pub pipeline: Pipeline,
}

#[derive(Parser)]
struct Made {
    #[command(flatten)]
    args: HistoriesArgs,
}

impl GitWorld {
    /// With these repositories, the largest of so many commits.
    pub async fn new(hint: &str, commits: u32) -> Self {
        let pipeline = Pipeline::new(hint).await;
        let folder = pipeline.folder().join("clones");
        let (commits, out) = (commits.to_string(), folder.display().to_string());
        let made = Made::parse_from(["x", "--commits", &commits, "--out", &out]);
        write_histories(&made.args).expect("git is there");
        Self::of(pipeline)
    }

    /// Without any.
    pub async fn empty(hint: &str) -> Self {
        let pipeline = Pipeline::new(hint).await;
        std::fs::create_dir(pipeline.folder().join("clones")).unwrap();
        Self::of(pipeline)
    }

    fn of(pipeline: Pipeline) -> Self {
        let source = format!("git:{}", pipeline.folder().join("clones").display());
        let pipeline =
            pipeline.with("--source", source).env([("MERGANSER_EMAIL_KEY".to_owned(), KEY.to_owned())]);
        Self { pipeline }
    }

    /// The folder with the clones.
    pub fn clones(&self) -> PathBuf {
        self.pipeline.folder().join("clones")
    }

    /// The list of projects.
    pub fn list(&self) -> String {
        self.clones().join("projects.csv").display().to_string()
    }

    /// A run with the list of projects and more options.
    pub async fn run(&self, more: &[&str]) -> Ran {
        let list = self.list();
        let words = [&["run", "commits", "--projects", &list], more].concat();
        self.pipeline.other(&words).await
    }

    /// Runs git in a clone; gives what it says.
    pub fn git(&self, name: &str, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&git(&self.clones().join(name), arguments)).trim_end().to_owned()
    }

    /// One more commit of this person on the main branch of harbour/lighthouse; returns its SHA.
    pub fn add_commit(&self, (name, address): (&str, &str), message: &str) -> String {
        let repository = "harbour/lighthouse";
        let tree = self.git(repository, &["rev-parse", "main^{tree}"]);
        let (name, address) = (format!("user.name={name}"), format!("user.email={address}"));
        let commit = ["-c", &name, "-c", &address, "commit-tree", "-p", "main", "-m", message, &tree];
        let sha = self.git(repository, &commit);
        self.git(repository, &["update-ref", "refs/heads/main", &sha]);
        sha
    }

    /// The commits that these heads lead to are the rows that no run has marked, with all that git says of them.
    pub async fn holds(&self, name: &str, heads: &[&str]) {
        let format = "--format=%H%x1f%P%x1f%an%x1f%at%x1f%cn%x1f%ct%x1f%s%x1e";
        let arguments = [&["log", "--encoding=UTF-8", format], heads].concat();
        let said = git(&self.clones().join(name), &arguments);
        let said = String::from_utf8_lossy(&said).into_owned();
        let said = said.split('\u{1e}').map(|entry| entry.strip_prefix('\n').unwrap_or(entry));
        // An address in a text is left out.
        let expected: BTreeSet<_> =
            said.filter(|entry| !entry.is_empty()).map(|entry| entry.replace("x@example.org", "…")).collect();
        let query = format!(
            "select concat_ws(chr(31), sha, coalesce(parents, ''), author_name,
                coalesce(extract(epoch from author_time)::bigint::text, ''), committer_name,
                coalesce(extract(epoch from committer_time)::bigint::text, ''), subject)
            from git_commits join git_repositories using (repository_id)
                left join lateral (
                    select string_agg(parent_sha, ' ' order by position) as parents
                    from git_parents as parent
                    where parent.repository_id = git_commits.repository_id and parent.sha = git_commits.sha
                ) as parent on true
            where full_name = '{name}' and unreachable_since_run is null"
        );
        let rows = self.pipeline.column(&query).await;
        let found: BTreeSet<_> = rows.iter().cloned().collect();
        assert_eq!(rows.len(), found.len(), "no commit is there twice");
        let missing: Vec<_> = expected.difference(&found).take(3).collect();
        let unexpected: Vec<_> = found.difference(&expected).take(3).collect();
        assert!(
            missing.is_empty() && unexpected.is_empty(),
            "{name}\nmissing {missing:#?}\nunexpected {unexpected:#?}"
        );
    }
}

/// Runs git, without what replaces and grafts, and without anything of whoever runs the tests.
pub fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .args(["--no-replace-objects", "-c", "user.name=T", "-c", "user.email=t@example.org"])
        .args(["-c", "safe.directory=*", "-c", "advice.graftFileDeprecated=false"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .output()
        .expect("git is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    output.stdout
}

/// The token of the tests, which must be nowhere either.
/// Somebody who commits where it does not matter who does.
pub const SOMEBODY: (&str, &str) = ("T", "t@example.org");
pub const TOKEN: &str = "ghp-of-the-tests-9D4E1E23BD5B727046A9E3B4B7DB57BD";

impl GitWorld {
    /// A host that serves the repositories of the list.
    pub async fn host(&self) -> GitHost {
        let list = std::fs::read_to_string(self.list()).unwrap();
        let repositories = read_clones(&self.clones(), &list).await.unwrap();
        GitHost { repositories, token: Some(TOKEN.into()), has_no_accounts: true, ..GitHost::default() }
    }

    /// A server of that host.
    pub async fn server(&self) -> GitHostServer {
        GitHostServer::start(self.host().await, 5_000)
    }

    /// A database and a store of its own, which take the histories from a server.
    pub async fn asking(hint: &str, server: &GitHostServer) -> Pipeline {
        let pipeline = Pipeline::new(hint).await.with("--source", server.url());
        pipeline.env([
            ("MERGANSER_EMAIL_KEY".to_owned(), KEY.to_owned()),
            ("GITHUB_TOKEN".to_owned(), TOKEN.to_owned()),
        ])
    }

    /// A run of such a one over the list of this world.
    pub async fn ask(&self, pipeline: &Pipeline, more: &[&str]) -> Ran {
        let list = self.list();
        pipeline.other(&[&["run", "commits", "--projects", &list], more].concat()).await
    }
}

/// All that both sources say, and none of what a host does not tell.
pub async fn histories(pipeline: &Pipeline) -> Vec<String> {
    let mut rows = Vec::new();
    for query in [
        "select concat_ws('|', record_id, author_name, author_email_hash, author_time, committer_name, committer_email_hash,
            committer_time, year, subject, is_merge, is_bot, unreachable_since_run is null,
            nullif(replace(replace(notes, '; the zone of a time cannot be read', ''), 'the zone of a time cannot be read', ''), ''))
            from git_commits",
        "select p::text from git_parents as p",
        "select t::text from git_trailers as t",
        "select concat_ws('|', record_id, full_name, project, state, head_shas) from git_repositories",
        "select i::text from git_identities as i",
    ] {
        let mut some = pipeline.column(query).await;
        some.sort();
        rows.extend(some);
    }
    rows
}
