-- Purpose: made-up histories for made-up projects, in the tables that the graph is made of.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  catalog_projects in :"schema".
-- Outputs: git_repositories, git_commits, git_parents and git_identities in :"schema"; nothing is added where there are commits.
--          The same projects give the same rows.
create table if not exists :"schema".git_repositories (record_id text, repository_id bigint, full_name text);
create table if not exists :"schema".git_commits (
    record_id text, repository_id bigint, sha text, author_name text, author_email_hash text, author_time timestamp,
    is_merge boolean, is_bot boolean, unreachable_since_run text
);
create table if not exists :"schema".git_parents (repository_id bigint, sha text, position int, parent_sha text);
create table if not exists :"schema".git_identities (email_hash text, name text, person text, is_bot boolean);

insert into :"schema".git_repositories (record_id, repository_id, full_name)
select 'made up ' || repository, row_number() over (order by project collate "C"), repository
from :"schema".catalog_projects
where repository is not null and not exists (select from :"schema".git_commits);

-- Each project has people of its own and some whom it shares with its neighbours, and works more in some years than in others.
insert into :"schema".git_commits (
    record_id, repository_id, sha, author_name, author_email_hash, author_time, is_merge, is_bot, unreachable_since_run
)
select
    'made up ' || repository_id || ' ' || number, repository_id, md5(repository_id || ' ' || number), 'Developer ' || developer, md5('developer ' || developer),
    timestamp '2019-01-15' + make_interval(days => (mod(repository_id * 37 + number * number * 11, 2480))::int),
    mod(number, 6) = 0, false, null
from :"schema".git_repositories
    cross join lateral generate_series(1, 40 + mod(repository_id * 53, 260)) as number
    cross join lateral (
        select case when mod(number, 3) = 0 then repository_id / 3 else repository_id * 10 + mod(number * number, 7) end as developer
    ) as who
where not exists (select from :"schema".git_commits);
