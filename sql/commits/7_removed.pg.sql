-- Purpose: the people who were taken out.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  none; :"schema".git_removed_people.
-- Outputs: a row for each hash under the user's key: of an address; after `keyed-name `, of a name; after `keyed-person `, of a
--          name in git_identities. Or `name ` and the plain hash that an earlier program left.
select email_hash
from :"schema".git_removed_people
where email_hash not like 'key %';
