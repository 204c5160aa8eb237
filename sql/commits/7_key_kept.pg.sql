-- Purpose: keep by what the key of this schema is recognised.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 `key ` and the hash of a fixed word under the key; :"schema".git_removed_people, without one.
-- Outputs: its row.
insert into :"schema".git_removed_people (email_hash) values ($1);
