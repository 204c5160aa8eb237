-- Purpose: who is who: each name and hash of an address that commits name, and whose they are.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: git_identities, without rows; one that is there is left as it is. A promotion adds rows and changes none, so
--          that a person may put the column person right; an empty text stands for what a commit does not say.
create table if not exists :"schema".git_identities (
    email_hash text,
    name text,
    person text,
    is_bot boolean
);
