-- Purpose: the sheets, in production and, without keys, in staging.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the tables; existing ones are left as they are. catalog_rows has one row for each row of any sheet; the
--          other tables refer to it by record_id.
create table if not exists :"schema".catalog_rows (
    record_id text,
    sheet text,
    content text
);

create table if not exists :"schema".catalog_categories (
    record_id text,
    category text,
    name text,
    parent text,
    description text
);

create table if not exists :"schema".catalog_communities (
    record_id text,
    community text,
    name text,
    url text,
    description text
);

create table if not exists :"schema".catalog_backers (
    record_id text,
    backer text,
    name text,
    kind text,
    url text
);

create table if not exists :"schema".catalog_projects (
    record_id text,
    project text,
    name text,
    repository text,
    community text,
    license text,
    started date,
    description text
);

create table if not exists :"schema".catalog_project_categories (
    record_id text,
    project text,
    category text
);

create table if not exists :"schema".catalog_project_backers (
    record_id text,
    project text,
    backer text,
    since date
);

create table if not exists :"schema".catalog_project_dependencies (
    record_id text,
    project text,
    depends_on text
);

create table if not exists :"schema".catalog_links (
    record_id text,
    project text,
    kind text,
    url text
);
