-- Purpose: keys of histories, and what is looked up in them.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" with the tables, filled.
-- Outputs: keys and indexes. A parent may be a commit that is not there (yet), so no foreign key says that it is. One commit is looked
--          up by its record_id; a second index with SHAs in it would take a fifth of the time of a first load.
alter table :"schema".git_commits add primary key (record_id);
create index git_commits_repository_idx on :"schema".git_commits (repository_id);
alter table :"schema".git_parents add primary key (record_id, position);
create index git_parents_sha_idx on :"schema".git_parents (repository_id, sha);
alter table :"schema".git_trailers add primary key (record_id, position);
alter table :"schema".git_repositories add primary key (record_id);
