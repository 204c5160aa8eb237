-- Purpose: what metrics and the graph are made of: nodes, edges, and who did how much in which month.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :'as_of', the first day of the last month that counts; of :"schema" the sheets, catalog_categories, catalog_communities,
--          catalog_backers, catalog_projects, catalog_project_categories, catalog_project_backers and
--          catalog_project_dependencies; and the histories, git_repositories, git_commits, git_parents and git_identities.
-- Outputs: section (0: the month, 1: nodes, 2: edges, 3: work), kind, key, what (an edge's kind; a node's name), other_kind and
--          other_key (where an edge leads; who did the work), month (counted since year 0), amount (a weight, commits), merges; in an
--          order that the rows alone decide, so that the same content is the same bytes.
copy (
    with recursive repository as (
        select
            repository_id,
            lower(full_name) as full_name,
            to_jsonb(git_repositories) ->> 'project' as project,
            to_jsonb(git_repositories) ->> 'default_branch' as default_branch,
            to_jsonb(git_repositories) -> 'head_names' as head_names,
            to_jsonb(git_repositories) -> 'head_shas' as head_shas
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
    project_repository as (
        select distinct project.key as project, repository.repository_id
        from project join repository
            on repository.full_name = project.full_name or repository.project = project.key
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
        where jsonb_typeof(head_names) = 'array'
            and jsonb_typeof(head_shas) = 'array'
            and jsonb_array_length(head_names) > 1
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
    -- Numbers are sorted faster than names, and there are many lines of work.
    numbered as (
        select kind, key, row_number() over (order by kind collate "C", key collate "C") as place
        from member
        group by kind, key
    ),
    identity as (
        select email_hash, name, min(person) as person, bool_or(is_bot) as is_bot
        from :"schema".git_identities
        group by email_hash, name
    ),
    work as materialized (
        select
            commits.repository_id,
            commits.sha,
            -- Who it is, without anything of an address.
            left(md5('person ' || coalesce(identity.person, commits.author_email_hash, commits.author_name, '')), 16) as person,
            commits.author_name as name,
            (extract(year from commits.author_time) * 12 + extract(month from commits.author_time) - 1)::int as month,
            coalesce(commits.is_merge, false)::int as merges
        from :"schema".git_commits as commits
            left join identity
                on identity.email_hash = coalesce(commits.author_email_hash, '')
                and identity.name = coalesce(commits.author_name, '')
        where commits.unreachable_since_run is null
            and not coalesce(commits.is_bot, false)
            and not coalesce(identity.is_bot, false)
            and commits.author_time < :'as_of'::date + interval '1 month'
            and commits.repository_id in (select repository_id from project_repository)
            and (
                commits.repository_id not in (select repository_id from default_head)
                or (commits.repository_id, commits.sha) in (select repository_id, sha from on_default)
            )
    ),
    shared as materialized (
        select sha from work group by sha having count(*) > 1
    ),
    -- What is in one repository alone is added up there, which is most of it.
    added_up as materialized (
        select repository_id, month, person, count(*) as commits, sum(merges) as merges
        from work
        where not exists (select from shared where shared.sha = work.sha)
        group by repository_id, month, person
    ),
    -- A commit that is in several, of a fork for one, counts once in each group.
    once as (
        select distinct on (member.kind, member.key, work.sha)
            member.kind, member.key, work.month, work.person, work.merges
        from work
            join project_repository using (repository_id)
            join member using (project)
        where work.sha in (select sha from shared)
        order by member.kind, member.key, work.sha, work.repository_id
    ),
    done as materialized (
        select kind, key, month, person, sum(commits) as commits, sum(merges) as merges
        from (
            select member.kind, member.key, own.month, own.person, own.commits, own.merges
            from added_up as own
                join (
                    select distinct member.kind, member.key, project_repository.repository_id
                    from member join project_repository using (project)
                ) as member using (repository_id)
            union all
            select kind, key, month, person, 1, merges from once
        ) as every
        group by kind, key, month, person
    ),
    developer as materialized (
        select key as project, person, sum(commits) as commits from done where kind = 'project' group by key, person
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
    person as (
        select person, min(name) as name from work group by person
    ),
    line (section, place, kind, key, what, other_kind, other_key, month, amount, merges) as (
        select
            0, 0::bigint, '', '', '', '', '',
            (extract(year from :'as_of'::date) * 12 + extract(month from :'as_of'::date) - 1)::int,
            0::double precision, 0::bigint
        union all
        select 1, 0, 'project', key, name, '', '', 0, 0, 0 from project
        union all
        select 1, 0, 'category', category, name, '', '', 0, 0, 0 from :"schema".catalog_categories
        union all
        select 1, 0, 'community', community, name, '', '', 0, 0, 0 from :"schema".catalog_communities
        union all
        select 1, 0, 'backer', backer, name, '', '', 0, 0, 0 from :"schema".catalog_backers
        union all
        select 1, 0, 'person', person, coalesce(name, ''), '', '', 0, 0, 0 from person
        union all
        select 2, 0, 'project', project, 'in_category', 'category', category, 0, 1, 0
        from :"schema".catalog_project_categories
        union all
        select 2, 0, 'project', project, 'in_community', 'community', community, 0, 1, 0
        from :"schema".catalog_projects
        where community is not null
        union all
        select 2, 0, 'project', project, 'depends_on', 'project', depends_on, 0, 1, 0
        from :"schema".catalog_project_dependencies
        union all
        select 2, 0, 'backer', backer, 'backs', 'project', project, 0, 1, 0 from :"schema".catalog_project_backers
        union all
        select 2, 0, 'category', category, 'sub_category_of', 'category', parent, 0, 1, 0
        from :"schema".catalog_categories
        where parent is not null
        union all
        select 2, 0, 'person', person, 'works_on', 'project', project, 0, commits, 0 from developer
        union all
        select
            2, 0, 'project', common.project, 'common_developers', 'project', common.other, 0,
            common.authors::double precision / (one.authors + other.authors - common.authors), 0
        from common
            join developers as one on one.project = common.project
            join developers as other on other.project = common.other
        union all
        select 3, place, kind, key, '', '', person, month, commits, merges
        from done join numbered using (kind, key)
    )
    select section, kind, key, what, other_kind, other_key, month, amount, merges
    from line
    order by
        section, place, month, other_key collate "C", kind collate "C", key collate "C", what collate "C",
        other_kind collate "C"
) to stdout with (format csv);
