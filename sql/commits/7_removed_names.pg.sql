-- Purpose: which names were taken out?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  none; :"schema".git_removed_people.
-- Outputs: a row for each: `keyed-name ` and a hash under the user's key; or `name ` and the plain hash of an earlier program.
select email_hash
from :"schema".git_removed_people
where email_hash like 'keyed-name %' or email_hash like 'name %';
