-- Purpose: write the sheets as CSV for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  the tables of 1_stage.duckdb.sql, losers; :'dir', the folder that takes the files.
-- Outputs: one CSV per table, with a header row.
copy (
    select record_id, sheet, content
    from catalog_rows
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_rows.csv') (format csv, header, nullstr '');

copy (
    select record_id, category, name, parent, description
    from catalog_categories
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_categories.csv') (format csv, header, nullstr '');

copy (
    select record_id, community, name, url, description
    from catalog_communities
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_communities.csv') (format csv, header, nullstr '');

copy (
    select record_id, backer, name, kind, url
    from catalog_backers
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_backers.csv') (format csv, header, nullstr '');

copy (
    select record_id, project, name, repository, community, license, started, description
    from catalog_projects
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_projects.csv') (format csv, header, nullstr '');

copy (
    select record_id, project, category
    from catalog_project_categories
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_project_categories.csv') (format csv, header, nullstr '');

copy (
    select record_id, project, backer, since
    from catalog_project_backers
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_project_backers.csv') (format csv, header, nullstr '');

copy (
    select record_id, project, depends_on
    from catalog_project_dependencies
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_project_dependencies.csv') (format csv, header, nullstr '');

copy (
    select record_id, project, kind, url
    from catalog_links
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/catalog_links.csv') (format csv, header, nullstr '');
