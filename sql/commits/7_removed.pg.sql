-- Purpose: who was taken out?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  none; :"schema".git_removed_people.
-- Outputs: a row for each hash under the user's key: of an address; behind `keyed-name `, of a name; behind `keyed-person `, of what
--          git_identities called somebody. Or `name ` and the plain hash of an earlier program.
select email_hash
from :"schema".git_removed_people
where email_hash not like 'key %';
