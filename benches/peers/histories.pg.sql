-- Purpose: made-up histories of commits for the projects of the sheets; a tenth of them are forks with half of
-- another's commits.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" with the sheets; :commits, the number for each project.
-- Outputs: git_repositories, git_commits, git_parents and git_identities, anew.
set search_path = :"schema";
drop table if exists git_repositories, git_commits, git_parents, git_identities;
create table git_repositories (
    repository_id bigint,
    full_name text,
    default_branch text,
    head_names text[],
    head_shas text[]
);
create table git_commits (
    repository_id bigint,
    sha text,
    author_name text,
    author_email_hash text,
    author_time timestamp,
    is_merge boolean,
    is_bot boolean,
    unreachable_since_run text
);
create table git_parents (repository_id bigint, sha text, position int, parent_sha text);
create table git_identities (email_hash text, name text, person text, is_bot boolean);

insert into git_repositories
select row_number() over (order by project), repository, 'main', array['main'], array['x']
from catalog_projects;

-- A few authors write most commits, as usual. One commit in five is by a person of the neighbourhood, who also works
-- elsewhere. Ten years.
insert into git_commits
select
    repository_id,
    md5(repository_id || ' ' || n) || left(md5(n || ' ' || repository_id), 8),
    'Author ' || author,
    md5('address ' || author),
    timestamp '2015-11-03 08:00' + make_interval(mins => (n * (5250000.0 / :commits))::int),
    mod(n, 6) = 0,
    mod(n, 19) = 0,
    case when mod(n, 31) = 0 then 'a run' end
from git_repositories
    cross join generate_series(1, :commits) as n
    cross join lateral (select mod(abs(hashint8(repository_id * 1000003 + n)::bigint), 10000) / 10000.0 as drawn) as dice
    cross join lateral (
        select
            case
                when mod(n, 5) = 0 then repository_id / 8 * 40 + (power(drawn, 3) * 40)::int
                else 10000 + repository_id * 40 + (power(drawn, 5) * 40)::int
            end as author
    ) as who
where mod(repository_id, 10) <> 0 or mod(n, 2) = 0;

insert into git_commits
select repository_id + 1, sha, author_name, author_email_hash, author_time, is_merge, is_bot, unreachable_since_run
from git_commits
where mod(repository_id, 10) = 9 and mod(ascii(sha), 2) = 0;

insert into git_identities
select distinct
    author_email_hash,
    author_name,
    case when mod(ascii(author_email_hash), 9) = 0 then md5(right(author_name, 2)) else author_email_hash end,
    mod(ascii(right(author_email_hash, 1)), 13) = 0
from git_commits;
analyze git_repositories, git_commits, git_identities;
