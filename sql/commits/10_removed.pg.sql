-- Purpose: who was taken out, and is not to come back.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: git_removed_people, without rows; one that is there is left as it is. A hash is an address's; or, behind the word
--          `keyed-name `, that of a name as it stands where there is no address, under the user's key; or, behind `keyed-person `, that
--          of what git_identities called the person. One row is nobody: `key ` and the hash of a fixed word, by which the key is
--          recognised.
create table if not exists :"schema".git_removed_people (
    email_hash text
);
