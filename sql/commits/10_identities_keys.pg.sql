-- Purpose: the key of the identities.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema", with git_identities, just made.
-- Outputs: the key.
alter table :"schema".git_identities add primary key (email_hash, name);
