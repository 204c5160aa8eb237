-- Purpose: what metrics and the graph are made of: nodes, edges, and who did how much in which month.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'as_of', the first day of the last month that counts; of :"schema" the sheets, catalog_categories, catalog_communities,
--          catalog_backers, catalog_projects, catalog_project_categories, catalog_project_backers and
--          catalog_project_dependencies; and the histories, git_repositories, git_commits, git_parents and git_identities.
-- Outputs: section (0: the month, 1: nodes, 2: edges, 3: places, 4: work), kind, key, what (an edge's kind; a node's name), other_kind
--          and other_key (where an edge leads), place and person (numbers), month (counted since year 0), amount (a weight, commits),
--          merges; in an order that the rows alone decide, so that the same content is the same bytes. A place is where work is
--          done: a repository, or several that have commits in common, with a line for each project and group that it counts for.
--          Work comes month by month.
copy (
    with recursive repository as (
        select
            repository_id,
            lower(full_name) as full_name,
            to_jsonb(git_repositories) ->> 'project' as project,
            to_jsonb(git_repositories) ->> 'default_branch' as default_branch,
            -- Of which nothing is known, it is null, which has no length.
            case
                when jsonb_typeof(to_jsonb(git_repositories) -> 'head_names') = 'array'
                    then to_jsonb(git_repositories) -> 'head_names'
            end as head_names,
            case
                when jsonb_typeof(to_jsonb(git_repositories) -> 'head_shas') = 'array'
                    then to_jsonb(git_repositories) -> 'head_shas'
            end as head_shas
        from :"schema".git_repositories
    ),
    -- `owner/name` of whatever a sheet says.
    project as (
        select
            project as key,
            name,
            lower(regexp_replace(repository, '^[a-z]+://[^/]+/|(\.git)?/*$', '', 'gi')) as full_name
        from :"schema".catalog_projects
    ),
    -- The sheet decides. A repository that has been renamed since is found by the project that it was loaded for.
    project_repository as materialized (
        select project.key as project, repository.repository_id
        from project join repository using (full_name)
        union
        select project.key, repository.repository_id
        from project join repository on repository.project = project.key
        where project.full_name not in (select full_name from repository where full_name is not null)
    ),
    -- Of a repository of which several branches are kept, what the default branch reaches; of all others, all.
    default_head as (
        select repository_id, head.sha
        from repository
            cross join lateral (
                select shas.sha
                from jsonb_array_elements_text(head_names) with ordinality as names (name, at)
                    join jsonb_array_elements_text(head_shas) with ordinality as shas (sha, at) using (at)
                where names.name = default_branch
            ) as head
        where jsonb_array_length(head_names) > 1
    ),
    on_default (repository_id, sha) as (
        select repository_id, sha from default_head
        union
        select parent.repository_id, parent.parent_sha
        from on_default join :"schema".git_parents as parent
            on parent.repository_id = on_default.repository_id and parent.sha = on_default.sha
    ),
    within_category (category, ancestor) as (
        select category, category from :"schema".catalog_categories
        union
        select within_category.category, parent.parent
        from within_category join :"schema".catalog_categories as parent on parent.category = within_category.ancestor
        where parent.parent is not null
    ),
    member as (
        select 'project' as kind, key, key as project from project
        union
        select 'community', community, project
        from :"schema".catalog_projects
        where community is not null
        union
        -- What is in a sub-category is in the category, too.
        select 'category', within_category.ancestor, in_category.project
        from :"schema".catalog_project_categories as in_category
            join within_category on within_category.category = in_category.category
    ),
    -- What a repository counts for.
    home as materialized (
        select distinct member.kind, member.key, project_repository.repository_id
        from member join project_repository using (project)
    ),
    identity as (
        select email_hash, name, min(person) as person, bool_or(is_bot) as is_bot
        from :"schema".git_identities
        group by email_hash, name
    ),
    -- Who an author is, without anything of an address.
    author as materialized (
        select
            commits.email_hash,
            commits.name,
            left(md5('person ' || coalesce(identity.person, nullif(commits.email_hash, ''), commits.name)), 16) as key,
            coalesce(identity.is_bot, false) as is_bot
        from (
            select coalesce(author_email_hash, '') as email_hash, coalesce(author_name, '') as name
            from :"schema".git_commits
            where unreachable_since_run is null
                and not coalesce(is_bot, false)
                and author_time < :'as_of'::date + interval '1 month'
            group by 1, 2
        ) as commits
            left join identity using (email_hash, name)
    ),
    -- Numbers are added up and sorted faster than names, and there are many commits.
    person as materialized (
        select key, coalesce(min(nullif(name, '')), '') as name, (row_number() over (order by key collate "C"))::int as person
        from author
        where not is_bot
        group by key
    ),
    known_author as materialized (
        select author.email_hash, author.name, person.person
        from author join person using (key)
        where not author.is_bot
    ),
    work as materialized (
        select
            commits.repository_id,
            commits.sha,
            hashtextextended(commits.sha, 0) as sha_hash,
            known_author.person,
            (date_part('year', commits.author_time) * 12 + date_part('month', commits.author_time) - 1)::int as month,
            coalesce(commits.is_merge, false)::int as merges
        from :"schema".git_commits as commits
            join known_author
                on known_author.email_hash = coalesce(commits.author_email_hash, '')
                and known_author.name = coalesce(commits.author_name, '')
        where commits.unreachable_since_run is null
            and not coalesce(commits.is_bot, false)
            and commits.author_time < :'as_of'::date + interval '1 month'
            and commits.repository_id in (select repository_id from project_repository)
            and (
                commits.repository_id not in (select repository_id from default_head)
                or (commits.repository_id, commits.sha) in (select repository_id, sha from on_default)
            )
    ),
    -- By a number, which takes less memory than the name; that of two names may be the same, and then both are looked at closely.
    shared as materialized (
        select sha_hash from work group by sha_hash having count(*) > 1
    ),
    -- What is in one repository alone, which is most of it.
    own_work as materialized (
        select repository_id, month, person, count(*) as commits, sum(merges) as merges
        from work
        where not exists (select from shared where shared.sha_hash = work.sha_hash)
        group by repository_id, month, person
    ),
    -- A commit that is in several, in a fork for one, counts once in each project and group that has any of these.
    common_work as materialized (
        select repositories, month, person, count(*) as commits, sum(merges) as merges
        from (
            select
                array_agg(distinct repository_id order by repository_id) as repositories,
                min(month) as month,
                min(person) as person,
                max(merges) as merges
            from work
            where sha_hash in (select sha_hash from shared)
            group by sha_hash, sha
        ) as common_commit
        group by repositories, month, person
    ),
    place as materialized (
        select repositories, row_number() over (order by repositories) as place
        from (
            select array[repository_id] as repositories from project_repository
            union
            select repositories from common_work
        ) as every
    ),
    counted_for as materialized (
        select distinct home.kind, home.key, place.place
        from place
            cross join lateral unnest(place.repositories) as held (repository_id)
            join home using (repository_id)
    ),
    done as materialized (
        select own_place.place, own_work.month, own_work.person, own_work.commits, own_work.merges
        from own_work
            join (
                select repositories[1] as repository_id, place from place where cardinality(repositories) = 1
            ) as own_place using (repository_id)
        union all
        select place.place, common_work.month, common_work.person, common_work.commits, common_work.merges
        from common_work join place using (repositories)
    ),
    developer as materialized (
        select counted_for.key as project, worked.person, sum(worked.commits) as commits
        from (select place, person, sum(commits) as commits from done group by place, person) as worked
            join counted_for using (place)
        where counted_for.kind = 'project'
        group by counted_for.key, worked.person
    ),
    developers as (
        select project, count(*) as authors from developer group by project
    ),
    common as (
        select one.project, other.project as other, count(*) as authors
        from developer as one join developer as other on other.person = one.person and other.project <> one.project
        group by one.project, other.project
        having count(*) >= 2
    ),
    line (section, kind, key, what, other_kind, other_key, place, person, month, amount, merges) as (
        select
            0, '', '', '', '', '', 0::bigint, 0,
            (date_part('year', :'as_of'::date) * 12 + date_part('month', :'as_of'::date) - 1)::int,
            0::double precision, 0::bigint
        union all
        select 1, 'project', key, name, '', '', 0, 0, 0, 0, 0 from project
        union all
        select 1, 'category', category, name, '', '', 0, 0, 0, 0, 0 from :"schema".catalog_categories
        union all
        select 1, 'community', community, name, '', '', 0, 0, 0, 0, 0 from :"schema".catalog_communities
        union all
        select 1, 'backer', backer, name, '', '', 0, 0, 0, 0, 0 from :"schema".catalog_backers
        union all
        select 1, 'person', key, name, '', '', 0, 0, 0, 0, 0
        from person
        where person in (select person from developer)
        union all
        select 2, 'project', project, 'in_category', 'category', category, 0, 0, 0, 1, 0
        from :"schema".catalog_project_categories
        union all
        select 2, 'project', project, 'in_community', 'community', community, 0, 0, 0, 1, 0
        from :"schema".catalog_projects
        where community is not null
        union all
        select 2, 'project', project, 'depends_on', 'project', depends_on, 0, 0, 0, 1, 0
        from :"schema".catalog_project_dependencies
        union all
        select 2, 'backer', backer, 'backs', 'project', project, 0, 0, 0, 1, 0 from :"schema".catalog_project_backers
        union all
        select 2, 'category', category, 'sub_category_of', 'category', parent, 0, 0, 0, 1, 0
        from :"schema".catalog_categories
        where parent is not null
        union all
        select 2, 'person', person.key, 'works_on', 'project', developer.project, 0, 0, 0, developer.commits, 0
        from developer join person using (person)
        union all
        select
            2, 'project', common.project, 'common_developers', 'project', common.other, 0, 0, 0,
            common.authors::double precision / (one.authors + other.authors - common.authors), 0
        from common
            join developers as one on one.project = common.project
            join developers as other on other.project = common.other
        union all
        select 3, kind, key, '', '', '', place, 0, 0, 0, 0 from counted_for
        union all
        select 4, '', '', '', '', '', place, person, month, commits, merges from done
    )
    select section, kind, key, what, other_kind, other_key, place, person, month, amount, merges
    from line
    order by
        -- One number is compared faster than three.
        ((section * 262144 + month)::bigint << 32) + place, person, other_key collate "C", kind collate "C", key collate "C",
        what collate "C", other_kind collate "C", amount, merges
) to stdout with (format csv);
