-- Purpose: the metrics of every project, community and category in plain SQL, as somebody would write it by hand.
-- Engine:  DuckDB
-- Inputs:  commits, identities, repositories, projects, categories and project_categories, as PostgreSQL has them; :as_of, the last
--          month that counts, from year 0.
-- Outputs: theirs: kind, key, metric, month, value.
create or replace table work as
select
    commits.repository_id,
    commits.sha,
    coalesce(identities.person, commits.author_email_hash, commits.author_name) as person,
    year(commits.author_time) * 12 + month(commits.author_time) - 1 as month,
    commits.is_merge::int as merges
from commits
    left join identities
        on identities.email_hash = commits.author_email_hash and identities.name = commits.author_name
where commits.unreachable_since_run is null
    and not commits.is_bot
    and not coalesce(identities.is_bot, false)
    and year(commits.author_time) * 12 + month(commits.author_time) - 1 <= :as_of;

create or replace table member as
with recursive within_category (category, ancestor) as (
    select category, category from categories
    union
    select within_category.category, parent.parent
    from within_category join categories as parent on parent.category = within_category.ancestor
    where parent.parent is not null
),
project_of as (
    select projects.project, projects.community, repositories.repository_id
    from projects join repositories on lower(repositories.full_name) = lower(projects.repository)
)
select 'project' as kind, project as key, repository_id from project_of
union
select 'community', community, repository_id from project_of where community is not null
union
select 'category', within_category.ancestor, project_of.repository_id
from project_categories
    join within_category using (category)
    join project_of using (project);

create or replace table done as
select kind, key, month, person, count(*) as commits, sum(merges) as merges
from (
    select distinct kind, key, sha, month, person, merges from work join member using (repository_id)
)
group by all;

create or replace table months as
select kind, key, unnest(range(min(month), :as_of + 1)) as month from done group by kind, key;

create or replace table years as
select months.kind, months.key, months.month, done.person, sum(done.commits) as commits
from months
    join done
        on done.kind = months.kind and done.key = months.key and done.month between months.month - 11 and months.month
group by all;

create or replace table theirs as
with by_month as (
    select kind, key, month, sum(commits) as commits, count(*) as authors, sum(merges) as merges
    from done
    group by all
),
newcomer as (
    select kind, key, month, count(*) as newcomers
    from (select kind, key, person, min(month) as month from done group by all)
    group by all
),
ranked as (
    select
        kind,
        key,
        month,
        sum(commits) over by_size - commits as before,
        sum(commits) over (partition by kind, key, month) as total
    from years
    window by_size as (partition by kind, key, month order by commits desc, person rows unbounded preceding)
),
factor as (
    select kind, key, month, count(*) as bus_factor from ranked where before * 2 < total group by all
),
total as (
    select kind, key, month, sum(commits) as commits, count(*) as authors from years group by all
),
stayed as (
    select now.kind, now.key, now.month, count(*) as authors
    from years as now
        join years as earlier
            on earlier.kind = now.kind
            and earlier.key = now.key
            and earlier.month = now.month - 12
            and earlier.person = now.person
    group by all
),
wide as (
    select
        months.*,
        coalesce(by_month.commits, 0)::double as commits,
        coalesce(by_month.authors, 0)::double as authors,
        coalesce(newcomer.newcomers, 0)::double as newcomers,
        coalesce(factor.bus_factor, 0)::double as bus_factor,
        by_month.merges::double / by_month.commits as merge_share,
        case when earlier.authors > 0 then coalesce(stayed.authors, 0)::double / earlier.authors end as retention,
        case when earlier.commits > 0 then coalesce(total.commits, 0)::double / earlier.commits - 1 end as growth
    from months
        left join by_month using (kind, key, month)
        left join newcomer using (kind, key, month)
        left join factor using (kind, key, month)
        left join total using (kind, key, month)
        left join stayed using (kind, key, month)
        left join total as earlier
            on earlier.kind = months.kind and earlier.key = months.key and earlier.month = months.month - 12
)
select *
from wide unpivot include nulls (
    value for metric in (commits, authors, newcomers, bus_factor, merge_share, retention, growth)
);
