-- Purpose: under which key does this schema keep addresses?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  none; :"schema".git_removed_people.
-- Outputs: `key ` and the hash of a fixed word under the key; no row: no program has kept one yet.
select email_hash
from :"schema".git_removed_people
where email_hash like 'key %';
