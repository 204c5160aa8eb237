-- Purpose: the sheets in the local staging store of one run.
-- Engine:  DuckDB
-- Inputs:  none; the parser appends rows, the columns in this order.
-- Outputs: catalog_rows and one table per sheet; catalog_addresses, the addresses in them, and catalog_dead, the dead
--          ones, if addresses were checked. files, records and failed are the engine's.
create table catalog_rows (
    record_no bigint not null,
    record_id varchar,
    sheet varchar,
    content varchar
);

create table catalog_categories (
    record_no bigint not null,
    record_id varchar,
    category varchar,
    name varchar,
    parent varchar,
    description varchar
);

create table catalog_communities (
    record_no bigint not null,
    record_id varchar,
    community varchar,
    name varchar,
    url varchar,
    description varchar
);

create table catalog_backers (
    record_no bigint not null,
    record_id varchar,
    backer varchar,
    name varchar,
    kind varchar,
    url varchar
);

create table catalog_projects (
    record_no bigint not null,
    record_id varchar,
    project varchar,
    name varchar,
    repository varchar,
    community varchar,
    license varchar,
    started date,
    description varchar
);

create table catalog_project_categories (
    record_no bigint not null,
    record_id varchar,
    project varchar,
    category varchar
);

create table catalog_project_backers (
    record_no bigint not null,
    record_id varchar,
    project varchar,
    backer varchar,
    since date
);

create table catalog_project_dependencies (
    record_no bigint not null,
    record_id varchar,
    project varchar,
    depends_on varchar
);

create table catalog_links (
    record_no bigint not null,
    record_id varchar,
    project varchar,
    kind varchar,
    url varchar
);

create view catalog_addresses as
select record_no, 'communities' as sheet, 'url' as field, url
from catalog_communities
where url is not null
union all
select record_no, 'backers', 'url', url
from catalog_backers
where url is not null
union all
-- OWNER/NAME does not name the host.
select record_no, 'projects', 'repository', repository
from catalog_projects
where contains(repository, '://')
union all
select record_no, 'links', 'url', url
from catalog_links;

create table catalog_dead (
    url varchar not null,
    reason varchar not null
);
