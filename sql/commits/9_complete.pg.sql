-- Purpose: is what is kept of each repository complete, as far as production itself can tell?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 names of repositories in small letters, or null for all, and $2 numbers of more of them; :"schema".git_repositories,
--          git_commits and git_parents.
-- Outputs: one row a repository: its number, name and state; commits, and those without a mark; how many commits are named as a
--          head or a parent and are not there, and some of their SHAs; how many without a mark no head reaches; how many with
--          one a head reaches; the heads, null where no run was told any.
with recursive wanted as (
    select repository_id, full_name, state, head_shas
    from :"schema".git_repositories
    where $1::text[] is null or lower(full_name) = any ($1::text[]) or repository_id = any ($2::bigint[])
),
head as (
    select wanted.repository_id, head.sha
    from wanted cross join lateral unnest(wanted.head_shas) as head (sha)
),
reached as (
    select repository_id, sha from head
    union
    select parent.repository_id, parent.parent_sha
    from reached join :"schema".git_parents as parent
        on parent.repository_id = reached.repository_id and parent.sha = reached.sha
),
named as (
    select repository_id, sha from reached
    union
    select parent.repository_id, parent.parent_sha
    from :"schema".git_parents as parent join wanted using (repository_id)
),
missing as (
    select named.repository_id, count(*) as commits, (array_agg(named.sha order by named.sha))[1:3] as some
    from named
        left join :"schema".git_commits as known
            on known.repository_id = named.repository_id and known.sha = named.sha
    where known.sha is null
    group by named.repository_id
),
judged as (
    select
        known.repository_id,
        count(*) as commits,
        count(*) filter (where known.unreachable_since_run is null) as unmarked,
        count(*) filter (where known.unreachable_since_run is null and reached.sha is null) as unreached,
        count(*) filter (where known.unreachable_since_run is not null and reached.sha is not null) as reached
    from :"schema".git_commits as known
        join wanted on wanted.repository_id = known.repository_id
        left join reached on reached.repository_id = known.repository_id and reached.sha = known.sha
    group by known.repository_id
)
select
    wanted.repository_id,
    wanted.full_name,
    wanted.state,
    coalesce(judged.commits, 0) as commits,
    coalesce(judged.unmarked, 0) as unmarked,
    coalesce(missing.commits, 0) as missing,
    coalesce(missing.some, '{}') as some_missing,
    coalesce(judged.unreached, 0) as unreached,
    coalesce(judged.reached, 0) as reached,
    wanted.head_shas
from wanted
    left join missing on missing.repository_id = wanted.repository_id
    left join judged on judged.repository_id = wanted.repository_id
order by wanted.full_name collate "C";
