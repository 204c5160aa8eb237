-- Purpose: the key of those who were taken out.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", with git_removed_people, just made.
-- Outputs: the key.
alter table :"schema".git_removed_people add primary key (email_hash);
