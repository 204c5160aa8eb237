-- Purpose: the content of a site, in one snapshot, without people.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  the tables of the sheets, graph_nodes, graph_edges and site_metrics, in :"schema".
-- Outputs: a section's name, and the fields of one line of it, in a total order. `value` has all months of one metric: kind,
--          key, metric, first month, last month, and the values from the first to the last.
with
    line (section, place, fields) as (
        select 'category', category, array[category, name, description, parent] from :"schema".catalog_categories
        union all
        select 'community', community, array[community, name, description, url] from :"schema".catalog_communities
        union all
        select 'backer', backer, array[backer, name, null, kind, url] from :"schema".catalog_backers
        union all
        select
            'project', project,
            array[project, name, description, repository, community, license, to_char(started, 'YYYY-MM-DD')]
        from :"schema".catalog_projects
        union all
        select 'in_category', project || ' ' || category, array[project, category] from :"schema".catalog_project_categories
        union all
        select 'backs', project || ' ' || backer, array[project, backer, to_char(since, 'YYYY-MM-DD')]
        from :"schema".catalog_project_backers
        union all
        select 'depends_on', project || ' ' || depends_on, array[project, depends_on]
        from :"schema".catalog_project_dependencies
        union all
        select 'url', project || ' ' || kind || ' ' || url, array[project, kind, url] from :"schema".catalog_links
        union all
        select 'rank', kind || ' ' || key, array[kind, key, pagerank::text] from :"schema".graph_nodes where kind <> 'person'
        union all
        select 'common', from_key || ' ' || to_key, array[from_key, to_key, weight::text]
        from :"schema".graph_edges
        where kind = 'common_developers'
        union all
        select
            'value', kind || ' ' || key || ' ' || metric,
            array[kind, key, metric, to_char(min(month), 'YYYY-MM'), to_char(max(month), 'YYYY-MM')]
                || array_agg(value::text order by month)
        from :"schema".site_metrics
        group by kind, key, metric
    )
select section, fields
from line
order by section collate "C", place collate "C", fields::text collate "C";
