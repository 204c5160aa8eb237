-- Purpose: made-up histories for made-up projects, in the tables that the graph is made of.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  catalog_projects in :"schema".
-- Outputs: git_repositories, git_commits, git_parents and git_identities in :"schema"; nothing is added where a project has
--          commits. The same projects give the same rows. The numbers of repositories begin at 1,000,000,001, away from those
--          of other demos.
create table if not exists :"schema".git_repositories (record_id text, repository_id bigint, full_name text);
create table if not exists :"schema".git_commits (
    record_id text, repository_id bigint, sha text, author_name text, author_email_hash text, author_time timestamp,
    is_merge boolean, is_bot boolean, unreachable_since_run text
);
create table if not exists :"schema".git_parents (repository_id bigint, sha text, position int, parent_sha text);
create table if not exists :"schema".git_identities (email_hash text, name text, person text, is_bot boolean);

insert into :"schema".git_repositories (record_id, repository_id, full_name)
select 'made up ' || repository, 1000000000 + row_number() over (order by project collate "C"), repository
from :"schema".catalog_projects
where repository is not null
    and not exists (
        select
        from :"schema".catalog_projects as project
            join :"schema".git_repositories as known on known.full_name = project.repository
            join :"schema".git_commits as had on had.repository_id = known.repository_id
    );

-- Each project has people of its own and some whom it shares with its neighbours, and works more in some years than in others.
insert into :"schema".git_commits (
    record_id, repository_id, sha, author_name, author_email_hash, author_time, is_merge, is_bot, unreachable_since_run
)
select
    'made up ' || repository_id || ' ' || number, repository_id, md5(place || ' ' || number), 'Developer ' || developer, md5('developer ' || developer),
    timestamp '2019-01-15' + make_interval(days => (mod(place * 37 + number * number * 11, 2480))::int),
    mod(number, 6) = 0, false, null
from (
        select repository_id, repository_id - 1000000000 as place
        from :"schema".git_repositories
        where record_id like 'made up %'
    ) as repository
    cross join lateral generate_series(1, 40 + mod(place * 53, 260)) as number
    cross join lateral (
        select case when mod(number, 3) = 0 then place / 3 else place * 10 + mod(number * number, 7) end as developer
    ) as who
where not exists (
    select from :"schema".git_commits as had where had.repository_id = repository.repository_id
);
