-- Purpose: mark the commits that no head reaches any more, take the mark from those that are reached again, and enter new identities.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after the merge
-- Inputs:  :"schema" with the tables and their keys; pg_temp.told_repositories: repository_id of those that the batch tells of;
--          git_removed_people; pg_temp.completed: record_id of the commits that it loads; :'removed_names', those of 8_alone that
--          somebody has who was taken out; :'run_id'.
-- Outputs: git_commits.unreachable_since_run; rows of git_identities; commits and trailers without those of git_removed_people. A
--          history of which a commit is still missing is not judged: what is not reached may be reached by that one.

-- Every commit leads up to one that no other names as its parent. Where all of those are heads, all is reached, which takes one look at
-- the history instead of one at each commit; the others are walked.
analyze pg_temp.told_repositories;

-- Tables that have just been filled look small to a planner, and a loop over their rows would not end; and to sort the commits of a long
-- history takes several times as long as to hash them. The numbers stand in an array, so that indexes lead to those repositories alone;
-- where the last look of the planner saw few repositories, it would read all rows and hold each against every number.
set local work_mem = '64MB';
set local enable_nestloop = off;
set local enable_mergejoin = off;
set local enable_seqscan = off;

create temp table loose on commit drop as
with head as materialized (
    select repository_id, unnest(head_shas) as sha
    from :"schema".git_repositories
    where repository_id in (select repository_id from pg_temp.told_repositories)
),
tip as (
    select known.repository_id, known.sha
    from :"schema".git_commits as known
    where known.repository_id = any (
            array(
                select repository_id
                from pg_temp.told_repositories join :"schema".git_repositories as repository using (repository_id)
                where repository.head_shas is not null
            )
        )
        and not exists (
            select
            from :"schema".git_parents as child
            where child.repository_id = known.repository_id
                and child.parent_sha = known.sha
                and child.repository_id = any (array(select repository_id from pg_temp.told_repositories))
        )
)
select distinct tip.repository_id
from tip
where not exists (select from head where head.repository_id = tip.repository_id and head.sha = tip.sha);

analyze pg_temp.loose;

-- One step of a walk finds its few parents by their index; a plan that reads all of them at each step would not end.
set local enable_nestloop = on;
set local enable_hashjoin = off;

create temp table reached on commit drop as
with recursive reached as (
    select repository_id, repository_id || ':' || unnest(head_shas) as record_id
    from :"schema".git_repositories
    where repository_id in (select repository_id from pg_temp.loose)
    union
    select parent.repository_id, parent.repository_id || ':' || parent.parent_sha
    from reached join :"schema".git_parents as parent on parent.record_id = reached.record_id
)
select repository_id, record_id from reached;

set local enable_nestloop = off;
set local enable_hashjoin = on;

analyze pg_temp.reached;

create temp table whole on commit drop as
select repository_id
from pg_temp.loose
where not exists (
    select
    from pg_temp.reached
    where reached.repository_id = loose.repository_id
        and not exists (
            select
            from :"schema".git_commits as known
            where known.record_id = reached.record_id
                and known.repository_id = any (array(select repository_id from pg_temp.loose))
        )
);

update :"schema".git_commits as marked
set unreachable_since_run = :'run_id'
where marked.unreachable_since_run is null
    and marked.repository_id = any (array(select repository_id from pg_temp.whole))
    and not exists (select from pg_temp.reached where reached.record_id = marked.record_id);

update :"schema".git_commits as marked
set unreachable_since_run = null
where marked.unreachable_since_run is not null
    and marked.repository_id = any (array(select repository_id from pg_temp.loose))
    and exists (select from pg_temp.reached where reached.record_id = marked.record_id);

update :"schema".git_commits as marked
set unreachable_since_run = null
where marked.unreachable_since_run is not null
    and marked.repository_id = any (
        array(
            select told.repository_id
            from pg_temp.told_repositories as told
                join :"schema".git_repositories as repository using (repository_id)
            where repository.head_shas is not null
                and told.repository_id not in (select repository_id from pg_temp.loose)
        )
    );

reset enable_nestloop;
reset enable_mergejoin;
reset enable_hashjoin;
reset enable_seqscan;

-- Who was taken out does not come back, nor does the name where it stands without an address.
update :"schema".git_commits as known
set author_name = '', author_email_hash = null
from pg_temp.completed
where exists (select from :"schema".git_removed_people where email_hash not like 'key %')
    and known.record_id = completed.record_id
    and (
        known.author_email_hash in (select email_hash from :"schema".git_removed_people)
        or known.author_email_hash is null and known.author_name = any (:'removed_names'::text[])
    );

update :"schema".git_commits as known
set committer_name = '', committer_email_hash = null
from pg_temp.completed
where exists (select from :"schema".git_removed_people where email_hash not like 'key %')
    and known.record_id = completed.record_id
    and (
        known.committer_email_hash in (select email_hash from :"schema".git_removed_people)
        or known.committer_email_hash is null and known.committer_name = any (:'removed_names'::text[])
    );

update :"schema".git_trailers as known
set value = '…', person_name = null, person_email_hash = null
from pg_temp.completed
where exists (select from :"schema".git_removed_people where email_hash not like 'key %')
    and known.record_id = completed.record_id
    and (
        known.person_email_hash in (select email_hash from :"schema".git_removed_people)
        or known.person_email_hash is null
        and coalesce(known.person_name, known.value) = any (:'removed_names'::text[])
    );

-- What a person has put right stays. Names are few, however many commits have them: they are hashed, where a union would sort all.
with named as (
    select person.email_hash, person.name
    from :"schema".git_commits as known
        join pg_temp.completed using (record_id)
        cross join lateral (
            values (known.author_email_hash, known.author_name), (known.committer_email_hash, known.committer_name)
        ) as person (email_hash, name)
    union all
    select person_email_hash, person_name
    from :"schema".git_trailers join pg_temp.completed using (record_id)
    where person_name is not null or person_email_hash is not null
),
identity as (
    select distinct coalesce(email_hash, '') as email_hash, coalesce(name, '') as name from named
)
insert into :"schema".git_identities (email_hash, name, person, is_bot)
select email_hash, name, coalesce(nullif(email_hash, ''), name), name like '%[bot]'
from identity
where not exists (
    select
    from :"schema".git_identities as known
    where known.email_hash = identity.email_hash and known.name = identity.name
)
order by email_hash, name;

reset work_mem;
