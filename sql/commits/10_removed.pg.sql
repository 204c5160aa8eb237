-- Purpose: the people who were taken out, and must not come back.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: git_removed_people, without rows; one that is there is left as it is. A hash is an address's; or, after the word
--          `keyed-name `, that of a name as it stands where there is no address, under the user's key; or, after `keyed-person `, that
--          of the person's name in git_identities. One row is no person: `key ` and the hash of a fixed word, by which the key is
--          recognised.
create table if not exists :"schema".git_removed_people (
    email_hash text
);
