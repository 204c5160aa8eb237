//! Sheets that the sample makes, and histories that are filled in by SQL.

use crate::support::pipeline::{Pipeline, Ran};

/// Histories: every project of the catalog has a repository of its own, some of them are forks, some authors are bots.
const HISTORIES: &str = "
create table git_repositories (
    repository_id bigint, full_name text, state text, state_since timestamp, default_branch text, head_names text[],
    head_shas text[]);
create table git_commits (
    repository_id bigint, sha text, author_name text, author_email_hash text, author_time timestamp, is_merge boolean,
    is_bot boolean, unreachable_since_run text);
create table git_parents (repository_id bigint, sha text, position int, parent_sha text);
create table git_identities (email_hash text, name text, person text, is_bot boolean);

insert into git_repositories (repository_id, full_name, state, default_branch, head_names, head_shas)
select row_number() over (order by project), upper(repository), 'active', 'main', array['main'], array['x']
from catalog_projects;

-- The author of a commit is one of a few for each project, and one in three is of the neighbour's.
insert into git_commits
select
    repository_id,
    md5(repository_id || ' ' || n),
    'Author ' || author,
    md5('address ' || author),
    timestamp '2019-01-15' + make_interval(days => (mod(repository_id * 37 + n * 11, 2400))::int, hours => mod(n * 7, 24)),
    mod(n, 6) = 0,
    mod(n, 17) = 0,
    case when mod(n, 23) = 0 then 'a run' end
from git_repositories
    cross join generate_series(1, :commits) as n
    cross join lateral (
        select case when mod(n, 3) = 0 then repository_id / 2 else repository_id * 10 + mod(n * n, 7) end as author
    ) as who;

-- A fork: what it was made of it has, too.
insert into git_commits
select repository_id + 1, sha, author_name, author_email_hash, author_time, is_merge, is_bot, unreachable_since_run
from git_commits
where repository_id in (1, 5) and mod(ascii(sha), 2) = 0;

-- Two addresses of one person, and a bot that commits do not tell of.
insert into git_identities
select distinct author_email_hash, author_name,
    case when author_name = 'Author 11' then md5('address 12') else author_email_hash end, author_name = 'Author 21'
from git_commits;

-- A repository with a second branch: half of its commits are on that alone.
update git_repositories
set head_names = array['main', 'next'], head_shas = array[md5('3 1'), md5('3 2')]
where repository_id = 3;
insert into git_parents
select 3, md5('3 ' || n), 0, md5('3 ' || n + 2) from generate_series(1, :commits - 2) as n;
";

pub struct World {
    pub pipeline: Pipeline,
}

impl World {
    /// A catalog of so many projects, each with so many commits.
    pub async fn new(hint: &str, projects: u32, commits: u32) -> Self {
        let world = Self { pipeline: Pipeline::new(hint).await };
        let out = world.pipeline.source().display().to_string();
        let projects = projects.to_string();
        world.pipeline.other(&["sample", "catalog", "--projects", &projects, "--out", &out]).await.exits(0);
        world.pipeline.other(&["run", "catalog"]).await.exits(0);
        world.pipeline.execute(&HISTORIES.replace(":commits", &commits.to_string())).await;
        world
    }

    pub async fn run(&self, extra: &[&str]) -> Ran {
        self.pipeline.other(&[&["run", "metrics", "--as-of", "2025-10"], extra].concat()).await
    }

    /// Writes the graph for others.
    pub async fn export(&self, extra: &[&str]) -> Ran {
        let url = self.pipeline.database.url();
        self.pipeline.other(&[&["graph", "export", "--database-url", &url], extra].concat()).await
    }

    /// One value of a metric.
    pub async fn value(&self, key: &str, metric: &str, month: &str) -> String {
        let query = format!(
            "select value from site_metrics where kind || ':' || key = '{key}' and metric = '{metric}' and month = '{month}-01'"
        );
        self.pipeline.one(&query).await
    }
}
