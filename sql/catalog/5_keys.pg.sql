-- Purpose: the keys of the sheets.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  the tables of 4_tables.pg.sql in :"schema".
-- Outputs: for each table the row's identity as primary key, which is as unique as the sheet's own key, and an index of
--          that key.
alter table :"schema".catalog_rows add primary key (record_id);
alter table :"schema".catalog_categories add primary key (record_id);
alter table :"schema".catalog_communities add primary key (record_id);
alter table :"schema".catalog_backers add primary key (record_id);
alter table :"schema".catalog_projects add primary key (record_id);
alter table :"schema".catalog_project_categories add primary key (record_id);
alter table :"schema".catalog_project_backers add primary key (record_id);
alter table :"schema".catalog_project_dependencies add primary key (record_id);
alter table :"schema".catalog_links add primary key (record_id);
create index catalog_categories_category_idx on :"schema".catalog_categories (category);
create index catalog_communities_community_idx on :"schema".catalog_communities (community);
create index catalog_backers_backer_idx on :"schema".catalog_backers (backer);
create index catalog_projects_project_idx on :"schema".catalog_projects (project);
create index catalog_project_categories_key_idx
    on :"schema".catalog_project_categories (category, project);
create index catalog_project_backers_key_idx on :"schema".catalog_project_backers (backer, project);
create index catalog_project_dependencies_key_idx
    on :"schema".catalog_project_dependencies (depends_on, project);
create index catalog_links_project_idx on :"schema".catalog_links (project);
