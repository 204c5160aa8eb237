-- Purpose: similar projects: those that share categories, communities, backers, dependencies and people.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".graph_edges; :"into", the schema that takes the view.
-- Outputs: the view graph_similar_projects: how many neighbours two projects share, and the share of these among all
--          neighbours of either.
create or replace view :"into".graph_similar_projects as
with neighbour as (
    select distinct from_key as project, to_kind as kind, to_key as key
    from :"schema".graph_edges
    where from_kind = 'project' and kind <> 'common_developers'
    union
    select to_key, from_kind, from_key
    from :"schema".graph_edges
    where to_kind = 'project' and kind <> 'common_developers'
),
counted as (
    select project, count(*) as neighbours from neighbour group by project
),
shared as (
    select one.project, other.project as other, count(*) as shared
    from neighbour as one
        join neighbour as other
            on other.kind = one.kind and other.key = one.key and other.project <> one.project
    group by one.project, other.project
)
select
    shared.project,
    shared.other,
    shared.shared,
    round(shared.shared::numeric / (one.neighbours + two.neighbours - shared.shared), 6) as similarity
from shared
    join counted as one on one.project = shared.project
    join counted as two on two.project = shared.other;
